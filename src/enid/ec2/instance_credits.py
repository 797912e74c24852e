"""CPU credits of burstable instances: stored and shown, since a sandbox is never throttled by credits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, update

from enid.ec2 import filters
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import invalid_parameter_value, missing_parameter, unsupported
from enid.ec2.instance_types import known
from enid.ec2.registry import operation
from enid.ec2.resources import fetch_all
from enid.store.tables import instances

_FILTERS = {"instance-id": filters.text(instances.c.id)}


def burstable(instance_type: str) -> bool:
    return known(instance_type)["BurstablePerformanceSupported"] == "true"


def check(value: str) -> str:
    """:raises AwsError: ``InvalidParameterValue``: neither ``standard`` nor ``unlimited``."""
    if value not in ("standard", "unlimited"):
        raise invalid_parameter_value(f"Value ({value}) for parameter CpuCredits is invalid.")
    return value


def cpu_credits(row: Row[Any]) -> str:
    """The credit option of a burstable instance; T2 instances are ``standard`` unless told otherwise."""
    given = (row.extra or {}).get("CreditSpecification", {}).get("CpuCredits")
    return given or ("standard" if row.instance_type.startswith("t2.") else "unlimited")


@operation("DescribeInstanceCreditSpecifications")
def describe_instance_credit_specifications(ctx: Context, params: Params) -> Result:
    """The named instances; without ids, those whose option is ``unlimited``, as on AWS."""
    alive = instances.c.state != "terminated"
    rows, token = describe(ctx, params, "i", _FILTERS, "InstanceIds", condition=alive)
    named = bool(params.get("InstanceIds"))
    if named:
        _require_burstable(rows)
    shown = [
        {"InstanceId": row.id, "CpuCredits": cpu_credits(row)}
        for row in rows
        if burstable(row.instance_type) and (named or cpu_credits(row) == "unlimited")
    ]
    return {"InstanceCreditSpecifications": shown, "NextToken": token}


def _require_burstable(rows: list[Row[Any]]) -> None:
    for row in rows:
        if not burstable(row.instance_type):
            raise unsupported(f"The instance '{row.id}' is not a burstable performance instance.")


@operation("ModifyInstanceCreditSpecification", records=True)
def modify_instance_credit_specification(ctx: Context, params: Params) -> Result:
    """All instances or none."""
    wanted = dict(_wanted(one) for one in params["InstanceCreditSpecifications"])
    rows = fetch_all(ctx, "i", wanted)
    _require_burstable(list(rows.values()))
    for id_, row in rows.items():
        extra = (row.extra or {}) | {"CreditSpecification": {"CpuCredits": wanted[id_]}}
        ctx.db.execute(update(instances).where(instances.c.id == id_).values(extra=extra))
    return {
        "SuccessfulInstanceCreditSpecifications": [{"InstanceId": id_} for id_ in rows],
        "UnsuccessfulInstanceCreditSpecifications": [],
    }


def _wanted(one: Mapping[str, str]) -> tuple[str, str]:
    for name in ("InstanceId", "CpuCredits"):
        if name not in one:
            raise missing_parameter(f"InstanceCreditSpecification.{name}")
    return one["InstanceId"], check(one["CpuCredits"])
