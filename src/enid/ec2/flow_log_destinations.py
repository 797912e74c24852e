"""Where a flow log's records are to go, as a request says it: which bucket, or which log group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from enid.ec2.context import Params
from enid.ec2.errors import AwsError, unsupported

_BUCKET = re.compile(r"arn:aws[a-z-]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", re.DOTALL)
_GROUP_ARN = re.compile(r"arn:aws[a-z-]*:logs:[^:]*:\d{12}:log-group:([^:]+)(?::\*)?", re.DOTALL)
_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
_PREFIX = re.compile(r"[!\-_.*'()/A-Za-z0-9=]{0,512}")
_OPTIONS = {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": False}


def invalid(message: str) -> AwsError:
    """The code AWS's flow logs have for a parameter that makes no sense."""
    return AwsError("InvalidParameter", message)


@dataclass(frozen=True, slots=True)
class Destination:
    type: str
    """``s3`` or ``cloud-watch-logs``."""
    place: str
    """``bucket`` or ``bucket/prefix``; the log group's name."""
    arn: str | None = None
    options: dict[str, Any] | None = None

    def columns(self) -> dict[str, Any]:
        return {
            "log_destination_type": self.type,
            "destination": self.place,
            "log_destination": self.arn,
            "log_group_name": self.place if self.type == "cloud-watch-logs" else None,
            "destination_options": self.options,
        }


def destination(params: Params) -> Destination:
    """The destination of a CreateFlowLogs request.

    :raises AwsError: ``InvalidParameter``, in AWS's words where they are known; ``UnsupportedOperation`` for Firehose
        and Parquet.
    """
    kind = params.get("LogDestinationType", "cloud-watch-logs")
    if params.get("LogDestination") and params.get("LogGroupName"):
        raise invalid("Please only provide LogGroupName or only provide LogDestination.")
    if not params.get("LogDestination") and not params.get("LogGroupName"):
        raise invalid("LogDestination can't be empty if LogGroupName is not provided.")
    if kind == "s3":
        return _bucket(params)
    if kind == "cloud-watch-logs":
        return _group(params)
    raise unsupported(f"Flow logs cannot be delivered to {kind} here; choose s3 or cloud-watch-logs.")


def _bucket(params: Params) -> Destination:
    if params.get("LogGroupName"):
        raise invalid("LogDestination type must be cloud-watch-logs if LogGroupName is provided.")
    arn = params["LogDestination"]
    match = _BUCKET.fullmatch(arn)
    prefix = ((match[2] if match else None) or "").strip("/")
    if match is None or not _PREFIX.fullmatch(prefix):
        raise invalid(f"LogDestination is not the ARN of an S3 bucket or of a folder in one: {arn}")
    if "AWSLogs" in prefix.split("/"):
        raise invalid("LogDestination may not have AWSLogs as a subfolder: it is a reserved term.")
    options = {**_OPTIONS, **params.get("DestinationOptions", {})}
    if options["FileFormat"] != "plain-text":
        raise unsupported("Flow logs are delivered as plain text only.")
    return Destination("s3", f"{match[1]}/{prefix}" if prefix else match[1], arn, options)


def _group(params: Params) -> Destination:
    arn = params.get("LogDestination")
    match = _GROUP_ARN.fullmatch(arn) if arn else None
    name = match[1] if match else "" if arn else params["LogGroupName"]
    if not _GROUP.fullmatch(name):
        raise invalid(f"Not a CloudWatch Logs log group: {arn or name}")
    if not params.get("DeliverLogsPermissionArn"):
        raise invalid("DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.")
    if params.get("DestinationOptions"):
        raise invalid("DestinationOptions can only be provided if LogDestinationType is s3.")
    return Destination("cloud-watch-logs", name, arn)
