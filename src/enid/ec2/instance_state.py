"""An instance's life: start, stop, reboot, terminate, and the words AWS uses for it.

A call only writes what is wanted (``pending``, ``stopping``, ``shutting-down``, a higher boot number); the agent
carries it out and writes ``running``, ``stopped`` and ``terminated``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, update

from enid.ec2.auto_public_addresses import assign_on_start
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, invalid_parameter_combination, not_permitted, unsupported
from enid.ec2.registry import operation
from enid.ec2.resources import fetch_all
from enid.ec2.unsupported import refuse
from enid.store.tables import instances

CODES: Mapping[str, int] = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}


def shown_state(name: str) -> dict[str, Any]:
    """The model's ``InstanceState``."""
    return {"Code": CODES[name], "Name": name}


def incorrect_state(message: str) -> AwsError:
    return AwsError("IncorrectInstanceState", message)


@dataclass(frozen=True, slots=True)
class _Transition:
    """What a call does to instances of each state."""

    moves: Sequence[str]
    """States from which it acts."""
    stays: Sequence[str]
    """States in which there is nothing to do, and that is fine."""
    target: str
    refusal: str
    """Text for every other state."""


_START = _Transition(
    ("stopped",),
    ("pending", "running"),
    "pending",
    "The instance '{id}' is not in a state from which it can be started.",
)
_STOP = _Transition(
    ("pending", "running"),
    ("stopping", "stopped"),
    "stopping",
    "This instance '{id}' is not in a state from which it can be stopped.",
)
_STOP_AT_ONCE = replace(_STOP, moves=(*_STOP.moves, "stopping"), stays=("stopped",))
_TERMINATE = _Transition(
    ("pending", "running", "stopping", "stopped"), ("shutting-down", "terminated"), "shutting-down", ""
)
_TERMINATE_AT_ONCE = replace(_TERMINATE, moves=(*_TERMINATE.moves, "shutting-down"), stays=("terminated",))
_REBOOT = _Transition(
    ("pending", "running"), (), "", "The instance '{id}' is not in a state from which it can be rebooted."
)


def _named(ctx: Context, params: Params) -> list[Row[Any]]:
    """The instances the request names, in its order."""
    ids = dict.fromkeys(params.get("InstanceIds", ()))
    if not ids:
        raise invalid_parameter_combination("No instances specified")
    rows = fetch_all(ctx, "i", ids)
    return [rows[id_] for id_ in ids]


def _acted_on(rows: Iterable[Row[Any]], transition: _Transition) -> list[Row[Any]]:
    """The rows the call acts on.

    :raises AwsError: ``IncorrectInstanceState`` for the first instance whose state forbids it.
    """
    acted = []
    for row in rows:
        if row.state in transition.moves:
            acted.append(row)
        elif row.state not in transition.stays:
            raise incorrect_state(transition.refusal.format(id=row.id))
    return acted


def _write(ctx: Context, rows: Sequence[Row[Any]], **values: Any) -> None:
    """Write the same columns to instances, and tell the agent to look at them."""
    if not rows:
        return
    ids = [row.id for row in rows]
    ctx.db.execute(update(instances).where(instances.c.id.in_(ids)).values(changed_at=ctx.now, **values))
    for id_ in ids:
        ctx.note("instance", id_)


def _changes(rows: Iterable[Row[Any]], acted: Sequence[Row[Any]], target: str) -> list[dict[str, Any]]:
    moved = {row.id for row in acted}
    return [
        {
            "InstanceId": row.id,
            "CurrentState": shown_state(target if row.id in moved else row.state),
            "PreviousState": shown_state(row.state),
        }
        for row in rows
    ]


def _protected(rows: Iterable[Row[Any]], what: str, *attributes: str) -> None:
    """:raises AwsError: ``OperationNotPermitted`` when an instance is protected by one of the attributes."""
    columns: Mapping[str, Callable[[Row[Any]], bool]] = {
        "disableApiTermination": lambda row: row.disable_api_termination,
        "disableApiStop": lambda row: row.disable_api_stop,
    }
    for row in rows:
        for attribute in attributes:
            if columns[attribute](row):
                raise not_permitted(
                    f"The instance '{row.id}' may not be {what}. "
                    f"Modify its '{attribute}' instance attribute and try again."
                )


def _user_initiated(ctx: Context) -> str:
    """AWS's ``StateTransitionReason``: ``User initiated (2026-01-31 12:00:00 GMT)``."""
    return f"User initiated ({ctx.now[:10]} {ctx.now[11:19]} GMT)"


@operation("StartInstances")
def start_instances(ctx: Context, params: Params) -> Result:
    """A start is a launch again: a new launch time, and a new public address where the old one was released."""
    rows = _named(ctx, params)
    acted = _acted_on(rows, _START)
    fresh = {"launch_time": ctx.now, "host_id": ctx.settings.host_id, "boot": instances.c.boot + 1}
    _write(ctx, acted, **_FRESH, **fresh)
    assign_on_start(ctx, [row.id for row in acted])
    return {"StartingInstances": _changes(rows, acted, "pending")}


_FRESH: Mapping[str, object] = {
    "state": "pending",
    "health": "initializing",
    "state_reason_code": "",
    "state_reason_message": "",
    "state_transition_reason": "",
    "skip_os_shutdown": False,
}


def _at_once(params: Params) -> bool:
    return bool(params.get("Force") or params.get("SkipOsShutdown"))


@operation("StopInstances")
def stop_instances(ctx: Context, params: Params) -> Result:
    """An instance that never ran cannot be stopped (as AWS says); auto-assigned public addresses go with ``stopped``.

    ``Force`` and ``SkipOsShutdown`` do not wait for the guest, nor go on waiting for one that is stopping.
    """
    if params.get("Hibernate"):
        raise unsupported("Instances cannot be hibernated.")
    rows = _named(ctx, params)
    at_once = _at_once(params)
    acted = _acted_on(rows, _STOP_AT_ONCE if at_once else _STOP)
    for row in acted:
        if row.state == "pending" and row.boot == 1:
            raise incorrect_state(f"Instance '{row.id}' cannot be stopped as it has never reached the 'running' state.")
    _protected(acted, "stopped", "disableApiStop")
    _write(
        ctx,
        acted,
        state="stopping",
        skip_os_shutdown=at_once,
        state_reason_code="Client.UserInitiatedShutdown",
        state_reason_message="Client.UserInitiatedShutdown: User initiated shutdown",
        state_transition_reason=_user_initiated(ctx),
    )
    return {"StoppingInstances": _changes(rows, acted, "stopping")}


@operation("RebootInstances")
def reboot_instances(ctx: Context, params: Params) -> Result:
    rows = _acted_on(_named(ctx, params), _REBOOT)
    _write(ctx, rows, boot=instances.c.boot + 1, health="initializing")
    return {}


@operation("TerminateInstances")
def terminate_instances(ctx: Context, params: Params) -> Result:
    """All or none; stop protection protects from termination too, as on AWS."""
    rows = _named(ctx, params)
    at_once = _at_once(params)
    acted = _acted_on(rows, _TERMINATE_AT_ONCE if at_once else _TERMINATE)
    _protected(acted, "terminated", "disableApiTermination", "disableApiStop")
    _write(
        ctx,
        acted,
        state="shutting-down",
        skip_os_shutdown=at_once,
        state_reason_code="Client.UserInitiatedShutdown",
        state_reason_message="Client.UserInitiatedShutdown: User initiated shutdown",
        state_transition_reason=_user_initiated(ctx),
    )
    return {"TerminatingInstances": _changes(rows, acted, "shutting-down")}


@operation("MonitorInstances", records=True)
def monitor_instances(ctx: Context, params: Params) -> Result:
    return _monitoring(ctx, params, on=True)


@operation("UnmonitorInstances", records=True)
def unmonitor_instances(ctx: Context, params: Params) -> Result:
    return _monitoring(ctx, params, on=False)


def _monitoring(ctx: Context, params: Params, *, on: bool) -> Result:
    refuse(params, "MetricCategoryIds")
    ids = [row.id for row in _named(ctx, params)]
    ctx.db.execute(update(instances).where(instances.c.id.in_(ids)).values(monitoring=on))
    state = "enabled" if on else "disabled"
    return {"InstanceMonitorings": [{"InstanceId": id_, "Monitoring": {"State": state}} for id_ in ids]}
