"""The table of operations: action name → function. The wire looks here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from enid.ec2.context import Context, Params, Result

Function = Callable[[Context, Params], Result]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a service's model."""

    name: str
    function: Function
    reads: bool
    """Runs in a read transaction: must not write."""
    service: str
    records: bool = False
    """Only stores what is shown again: neither packets nor guests follow it."""
    repeated: Callable[[Context, Result], None] | None = None
    """Refuses, if it must, to give this answer again to a repeated ``ClientToken``."""


OPERATIONS: dict[str, Operation] = {}


def operation(
    name: str,
    *,
    reads: bool | None = None,
    records: bool = False,
    service: str = "ec2",
    repeated: Callable[[Context, Result], None] | None = None,
) -> Callable[[Function], Function]:
    """Register a function as the operation ``name``. ``Describe…`` and ``Get…`` only read unless told otherwise.

    :param records: see :class:`Operation`; ``docs/coverage.md`` tells users.
    :param repeated: see :class:`Operation`.
    """

    def register(function: Function) -> Function:
        assert name not in OPERATIONS, name
        only_reads = name.startswith(("Describe", "Get")) if reads is None else reads
        OPERATIONS[name] = Operation(name, function, only_reads, service, records, repeated)
        return function

    return register
