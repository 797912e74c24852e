"""A running instance in a small network, and what it sees."""

from __future__ import annotations

from typing import Any

import pytest
from instance_inside import Inside
from machines import Machines


@pytest.fixture
def machines(call: Any) -> Machines:
    return Machines(call)


@pytest.fixture
def instance(machines: Machines) -> dict[str, Any]:
    """As DescribeInstances shows it."""
    return machines.shown(machines.running())


@pytest.fixture
def inside(call: Any, machines: Machines, instance: dict[str, Any]) -> Inside:
    return Inside(call, machines.network.vpc, instance["PrivateIpAddress"])
