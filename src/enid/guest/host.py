"""What this host lets sandboxes be: whose ids they get, what they are made of, how they can be sized.

Found out once, when the agent starts; turns an instance's specification into a plan.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from enid.guest import cgroups, image
from enid.guest.ids import (
    FIRST,
    WIDTH,
    IdRange,
    available,
    private_range,
    private_ranges_available,
    shared_range,
)
from enid.guest.interface import InstanceSpec
from enid.guest.launcher import Launcher
from enid.guest.plan import Plan, Tree
from enid.guest.slots import Slots
from enid.guest.userdata import plain
from enid.settings import Settings

_PROCESSES_PER_VCPU = 2048


@dataclass(frozen=True, slots=True)
class Host:
    """The answers, and where things are."""

    instances: Path
    run_dir: Path
    image: Path
    trees: tuple[Tree, ...]
    shared_ids: IdRange | None
    """None: every instance has a range of its own."""
    xattr_option: str
    hierarchies: tuple[cgroups.Hierarchy, ...]
    leave_network: bool
    """All instances ask by DHCP."""

    def ids(self, instance_id: str, slots: Slots) -> IdRange:
        """The id range of an instance (whose directory must exist)."""
        return self.shared_ids or private_range(slots.take(instance_id))

    def plan(self, spec: InstanceSpec, ids: IdRange, token: int) -> Plan:
        """What to do to start ``spec``."""
        processes = _PROCESSES_PER_VCPU * spec.vcpus
        return Plan(
            token=token,
            id=spec.id,
            boot=spec.boot,
            hostname=spec.hostname[:64],
            id_base=ids.base,
            id_count=ids.count,
            disk=str(self.instances / spec.id / "disk"),
            console=str(self.instances / spec.id / "console.log"),
            record=str(self.run_dir / "instances" / f"{spec.id}.json"),
            release=str(self.release(spec.id)),
            scratch=str(self.run_dir / "scratch"),
            trees=self.trees,
            xattr_option=self.xattr_option,
            limits=cgroups.limits_for(self.hierarchies, spec.id, spec.memory_mib, spec.vcpus, processes),
            shm_mib=max(spec.memory_mib // 2, 1),
            user_data=plain(spec.user_data),
            authorized_keys=spec.authorized_keys,
            address=spec.address,
            nameservers=spec.nameservers,
            search=spec.search,
            leave_network=spec.leave_network or self.leave_network,
        )

    def release(self, instance_id: str) -> Path:
        """The FIFO an instance's init waits at."""
        return self.run_dir / "instances" / f"{instance_id}.release"


def survey(settings: Settings, launcher: Launcher) -> Host:
    """Look at the host and make the directories. Raises :class:`NotEnoughIds` or :class:`image.UnusableHost`."""
    images = settings.state_dir / "images"
    for directory, mode in ((settings.instances_dir, 0o711), (images, 0o700), (settings.run_dir / "instances", 0o700)):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(mode)
    launcher.wait_ready()
    uid_map, gid_map = available()
    own_ranges = private_ranges_available(uid_map, gid_map)
    maps_ids = own_ranges and launcher.can_map_ids(images)
    # Real root on a file system that cannot map ids: one range for all, as in a user namespace.
    shared = None if maps_ids else IdRange(FIRST, WIDTH) if own_ranges else shared_range(uid_map, gid_map)
    base = image.ensure(images, shared.base if shared else 0)
    names = image.shared_trees()
    trees = [Tree("", str(base), maps_ids)]
    trees += [Tree(name, f"/{name}", maps_ids and launcher.can_map_ids(Path("/", name))) for name in names]
    for name in ("root", "root-lower", *(f"{name}-lower" for name in names)):
        os.makedirs(settings.run_dir / "scratch" / name, exist_ok=True)
    return Host(
        instances=settings.instances_dir,
        run_dir=settings.run_dir,
        image=base,
        trees=tuple(trees),
        shared_ids=shared,
        xattr_option="" if own_ranges else "userxattr",
        hierarchies=cgroups.prepare(settings.run_dir),
        leave_network=settings.guest_network == "dhcp",
    )
