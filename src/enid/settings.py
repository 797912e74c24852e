"""Every knob of enid, read from the environment (``ENID_…``) or given by the command line.

Nothing else in the project reads the environment. Paths default to a system place for root and to the XDG places for
an ordinary user, so that two users of one machine never meet.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PROCESSES = ("services", "api", "agent", "flow-logs", "vpn")
"""What the supervisor keeps running; ``vpn`` only where VPN connections are IPsec tunnels."""


class Quotas(BaseModel):
    """AWS's published default quotas (per account and region unless said otherwise)."""

    vpcs: int = 5
    subnets_per_vpc: int = 200
    cidr_blocks_per_vpc: int = 5
    internet_gateways: int = 5
    egress_only_internet_gateways: int = 5
    nat_gateways_per_zone: int = 5
    elastic_ips_per_nat_gateway: int = 2
    private_ips_per_nat_gateway: int = 8
    route_tables_per_vpc: int = 200
    routes_per_table: int = 50
    network_acls_per_vpc: int = 200
    rules_per_network_acl: int = 20
    """In one direction and of one family, with the last one that denies the rest."""
    security_groups: int = 2500
    security_groups_per_interface: int = 5
    rules_per_security_group: int = 60
    network_interfaces: int = 5000
    addresses: int = 5
    interface_endpoints_per_vpc: int = 50
    gateway_endpoints: int = 20
    vpn_gateways: int = 5
    customer_gateways: int = 50
    vpn_connections_per_gateway: int = 10
    active_peerings_per_vpc: int = 50
    outstanding_peerings_per_vpc: int = 25
    traffic_mirror_filters: int = 10_000
    rules_per_traffic_mirror_filter: int = 10
    traffic_mirror_targets: int = 10_000
    traffic_mirror_sessions: int = 10_000
    traffic_mirror_sessions_per_interface: int = 3
    sources_per_traffic_mirror_target: int = 10
    """AWS's limit for all but the largest sizes of the target's instance."""


class Simulation(BaseModel):
    """What AWS does and nobody wants, for trying a tool against it. In seconds; 0 is off."""

    staleness: float = Field(default=0.0, ge=0)
    """A Describe may show what was so this long ago: eventual consistency."""
    detach_delay: float = Field(default=0.0, ge=0)
    """A detachment stays ``detaching`` this long, though no packet flows; AWS takes 2 to 3 seconds."""


class Throttle(BaseModel):
    """How many calls an account may make, those that read and those that change something apart, as on AWS. A rate of 0
    is no limit. AWS's own figures are about 20 a second and 100 at once for reading, 5 and 50 for the rest."""

    reads_per_second: float = Field(default=0.0, ge=0)
    reads_burst: float = Field(default=100.0, ge=1)
    writes_per_second: float = Field(default=0.0, ge=0)
    writes_burst: float = Field(default=50.0, ge=1)


def _default_state_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/enid")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "enid"


def _default_run_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/run/enid")
    return Path(os.environ.get("XDG_RUNTIME_DIR", f"/tmp/enid-{os.getuid()}")) / "enid"


class Settings(BaseSettings):
    """One object, made once by the command line and handed down."""

    model_config = SettingsConfigDict(env_prefix="ENID_", env_nested_delimiter="__", frozen=True)

    region: str = "us-east-1"
    zones: tuple[str, ...] = ("a", "b", "c")
    """Letters of the availability zones; the zone of ``us-east-1`` + ``a`` is ``us-east-1a``."""
    state_dir: Path = Field(default_factory=_default_state_dir)
    """Survives a reboot: the database, instances' disks and console logs."""
    run_dir: Path = Field(default_factory=_default_run_dir)
    """Does not survive a reboot: sockets, pinned namespaces, records of running sandboxes."""
    database_url: str = ""
    """SQLAlchemy URL; empty means SQLite in ``state_dir``."""
    listen: str = "127.0.0.1"
    port: int = Field(default=8773, ge=1, le=65535)
    host_id: str = "host-1"
    public_pool: str = "198.18.0.0/15"
    """Elastic IPs and auto-assigned public IPv4 addresses come from here."""
    host_route: bool = True
    """As root, give the host a route to the public pool, so that ``curl http://<EIP>`` works from the user's shell."""
    dns_forward: bool = False
    """Let VPCs' resolvers ask the host's about names that are not Amazon's. Otherwise such names do not exist: an
    instance has no way to the real internet."""
    guest_network: Literal["configured", "dhcp"] = "configured"
    """``dhcp``: instances find their interfaces up and without an address, as a machine does, and ask by DHCP. The tag
    ``enid:network`` with the value ``dhcp`` asks for the same for one instance, at its next boot."""
    settle_timeout: float = 2.0
    """Seconds a call that moves an interface waits for the agent before answering with a transitional state."""
    flow_log_interval: int = Field(default=60, ge=1, le=600)
    """Seconds of a capture window of flow logs: on AWS at most 60 for an instance of today, whatever was asked for."""
    rootless: bool = False
    accelerator: Literal["auto", "off"] = "auto"
    """Established flows between two interfaces of a VPC are short-cut by an eBPF program where the kernel allows it."""
    vpn: Literal["plain", "ipsec"] = "plain"
    """``ipsec``: a VPN connection is two IPsec tunnels across enid's internet, by strongSwan; ``plain``: a link."""
    metrics: bool = True
    """``GET /metrics`` answers, unsigned, with numbers about calls and packets: see ``docs/metrics.md``."""
    quotas: Quotas = Quotas()
    simulate: Simulation = Simulation()
    throttle: Throttle = Throttle()
    calls_at_once: int = Field(default=500, ge=1)
    """Calls that may wait or be carried out; more are answered ``RequestLimitExceeded`` at once."""

    @field_validator("public_pool")
    @classmethod
    def _is_a_block(cls, value: str) -> str:
        return str(IPv4Network(value))

    @property
    def patience(self) -> float:
        """``settle_timeout``, unless a delay is simulated, which is there to be seen."""
        return 0.0 if self.simulate.detach_delay else self.settle_timeout

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.state_dir / 'store' / 'enid.db'}"

    @property
    def zone_names(self) -> tuple[str, ...]:
        """``us-east-1a`` …"""
        return tuple(self.region + letter for letter in self.zones)

    @property
    def instances_dir(self) -> Path:
        """One directory per instance: disk, console log."""
        return self.state_dir / "instances"

    @property
    def flow_logs_dir(self) -> Path:
        """What stands for the buckets and log groups that flow logs are delivered to."""
        return self.state_dir / "flow-logs"

    @property
    def agent_socket(self) -> Path:
        """Unix datagram socket the agent listens on; one byte means: look at the journal."""
        return self.run_dir / "agent.sock"

    @property
    def metadata_key(self) -> Path:
        """What the metadata service signs its tokens with."""
        return self.state_dir / "store" / "metadata.key"

    @property
    def services_socket(self) -> Path:
        """Unix socket at which the agent hands sockets in its routers to whoever serves instances there."""
        return self.run_dir / "services.sock"

    @property
    def api_sockets(self) -> Path:
        """Directory of Unix datagram sockets, one for each process of the API; one byte means: the agent wrote status
        back."""
        return self.run_dir / "api"

    @property
    def vpn_dir(self) -> Path:
        """One directory per end of a VPN connection that strongSwan plays here."""
        return self.run_dir / "vpn"

    @property
    def agent_metrics(self) -> Path:
        """What the agent writes now and then, and the API shows."""
        return self.run_dir / "agent.prom"

    def restarts(self, role: str) -> Path:
        """Holds how often the supervisor has started one of :data:`PROCESSES` again."""
        return self.run_dir / f"{role}.restarts"
