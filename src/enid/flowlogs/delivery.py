"""Where records are put: files that stand for AWS's buckets and log groups.

``s3/<bucket>/<prefix>/AWSLogs/<account>/vpcflowlogs/<region>/<year>/<month>/<day>/…log``, a file per flow log and five
minutes, and ``cloud-watch-logs/<account>/<group>/<stream>``, a file per interface. Plain text, appended to.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from enid.flowlogs.subjects import FlowLog

_FILE_SECONDS = 300


def path(log: FlowLog, interface_id: str, region: str, moment: int) -> Path:
    """The file of a record, below the directory of all of them.

    :param moment: Unix seconds.
    """
    if log.destination_type == "cloud-watch-logs":
        return folder(log) / _word(f"{interface_id}-{log.traffic_type.lower()}")
    begun = time.gmtime(moment - moment % _FILE_SECONDS)
    stamp = time.strftime("%Y%m%dT%H%MZ", begun)
    digest = sha256(f"{log.id}{stamp}".encode()).hexdigest()[:8]
    name = f"{log.account_id}_vpcflowlogs_{region}_{log.id}_{stamp}_{digest}.log"
    return folder(log) / time.strftime(_partition(log, region), begun) / _word(name)


def folder(log: FlowLog) -> Path:
    """What stands for the bucket and prefix, or for the log group: other accounts may have one of the same name."""
    if log.destination_type == "s3":
        return Path("s3", *_parts(log.destination), "AWSLogs")
    return Path("cloud-watch-logs", _word(log.account_id), *_parts(log.destination))


def files(root: Path, log: FlowLog) -> list[Path]:
    """What was delivered so far, oldest first."""
    if log.destination_type == "s3":
        return sorted((root / folder(log)).rglob(f"*_{log.id}_*.log"), key=lambda file: file.name)
    return sorted((root / folder(log)).glob(f"eni-*-{log.traffic_type.lower()}"))


def _parts(name: str) -> Iterable[str]:
    """The folders of a name that a client chose."""
    return (_word(word) for word in name.split("/") if word)


def _word(text: str) -> str:
    """``text`` as the name of one file, which leads nowhere else: this process is root and no row of the store is."""
    word = quote(text, safe=" !'()*=#")
    return word if set(word) - {"."} else word.replace(".", "%2E") or "_"


def _partition(log: FlowLog, region: str) -> str:
    account = _word(log.account_id).replace("%", "%%")
    if log.hive:
        hour = "/hour=%H" if log.hourly else ""
        head = f"aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}"
        return f"{head}/year=%Y/month=%m/day=%d{hour}"
    return f"{account}/vpcflowlogs/{region}/%Y/%m/%d" + ("/%H" if log.hourly else "")


def append(root: Path, log: FlowLog, records: Mapping[Path, list[str]]) -> None:
    """Append records of one log to its files. Raises OSError."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for relative, lines in records.items():
        file = root / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as stream:
            named = log.destination_type == "s3" and stream.tell() == 0
            head = [" ".join(log.fields)] if named else []
            stream.write("".join(f"{line}\n" for line in (*head, *lines)).encode())  # at once: whoever reads sees lines
