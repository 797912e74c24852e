"""Which fields a flow log record can have, and the format that says which ones and in what order. Pure.

From https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html, versions 2 to 5, 7 and 8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_FIELDS = {
    2: "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
    "log-status",
    3: "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr",
    4: "region az-id sublocation-type sublocation-id",
    5: "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path",
    7: "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id "
    "ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id",
    8: "reject-reason",
}  # fmt: skip
VERSIONS = {name: version for version, names in _FIELDS.items() for name in names.split()}
"""Field → the version of flow logs it came with."""
DEFAULT = tuple(_FIELDS[2].split())
"""The default format."""


def text(fields: Iterable[str]) -> str:
    """``${version} ${account-id} …``"""
    return " ".join(f"${{{name}}}" for name in fields)


def parse(given: str) -> tuple[str, ...]:
    """The fields of a format, in its order.

    :raises ValueError: naming what is no field, or not written as ``${field}``.
    """
    words = given.split()
    if not words:
        raise ValueError("no field is given")
    fields = []
    for word in words:
        match = re.fullmatch(r"\$\{([a-z0-9-]+)\}", word)
        if match is None or match[1] not in VERSIONS:
            raise ValueError(word)
        fields.append(match[1])
    return tuple(fields)


def version(fields: Sequence[str]) -> int:
    """What the field ``version`` says: 2 for the default format, else the highest version of a field that is there."""
    return max(VERSIONS[name] for name in fields)
