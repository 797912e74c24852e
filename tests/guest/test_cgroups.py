"""How instances are sized, whichever cgroups the host has."""

from __future__ import annotations

from enid.guest.cgroups import Hierarchy, limits_for

UNIFIED = Hierarchy("/sys/fs/cgroup/enid/k", True, frozenset({"cpu", "memory", "pids"}))
LEGACY = [
    Hierarchy("/sys/fs/cgroup/memory/enid/k", False, frozenset({"memory"})),
    Hierarchy("/sys/fs/cgroup/cpu,cpuacct/enid/k", False, frozenset({"cpu"})),
]


def test_unified() -> None:
    (limit,) = limits_for([UNIFIED], "i-1", memory_mib=512, vcpus=2, processes=100)
    assert limit.path == "/sys/fs/cgroup/enid/k/i-1"
    assert dict(limit.values) == {"memory.max": str(512 << 20), "pids.max": "100", "cpu.max": "200000 100000"}


def test_one_per_controller() -> None:
    memory, cpu = limits_for(LEGACY, "i-1", memory_mib=1, vcpus=4, processes=100)
    assert dict(memory.values) == {"memory.limit_in_bytes": str(1 << 20)}
    assert dict(cpu.values) == {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "400000"}


def test_none() -> None:
    assert limits_for([], "i-1", memory_mib=1, vcpus=1, processes=1) == ()
