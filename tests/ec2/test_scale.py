"""No call's cost grows with what it is not about: counted, not timed, in a small store and in one a hundred times as
large.

Counted are SQL statements, rows that reach Python, and steps of SQLite's virtual machine, which see all that a
statement does: a scan, a sort, a list made for nothing, what a foreign key looks at. And no plan scans a table that may
be large.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bench.crowd import Crowd, pack
from bench.questions import Question, questions
from machines import IMAGE
from sqlalchemy import Connection, event, insert, select

from accounts import FIRST, SECOND, Account
from enid.ec2.context import Context
from enid.ec2.registry import OPERATIONS
from enid.services.ipv6 import lease
from enid.settings import Quotas, Settings
from enid.store import status
from enid.store import tables as t
from enid.store.database import Database
from enid.store.writers import driver
from fresh_store import fresh_store

FEW, MANY = 10, 1000
QUOTAS = Quotas(
    **dict.fromkeys(("addresses", "internet_gateways", "network_interfaces", "security_groups", "vpcs"), 10**6)
)
LARGE = {
    "attachments",
    "instances",
    "network_interface_groups",
    "network_interfaces",
    "private_addresses",
    "public_addresses",
    "route_table_associations",
    "route_tables",
    "routes",
    "security_group_rules",
    "security_groups",
    "subnets",
    "tags",
    "vpc_cidr_blocks",
    "vpcs",
}
SCANS = re.compile(r"SCAN (\w+?)(?:_\d+)?(?: USING .*)?$")
SLACK = 200
"""Steps: where a random id falls in an index, and how often a random address is drawn."""


@dataclass
class Cost:
    statements: int = 0
    rows: int = 0
    steps: int = 0
    scans: list[str] = field(default_factory=list)

    def exceeds(self, other: Cost) -> bool:
        return (self.statements, self.rows) != (other.statements, other.rows) or self.steps > other.steps * 1.1 + SLACK


class Place:
    """A store with a crowd in it."""

    def __init__(self, directory: Path, interfaces: int) -> None:
        settings = Settings(state_dir=directory / "state", run_dir=directory / "run", quotas=QUOTAS)
        self.database = fresh_store(settings)
        with self.database.write() as db:
            db.execute(insert(t.accounts), [{"id": FIRST}, {"id": SECOND}])
        self.crowd = Crowd(FIRST, interfaces)
        self.crowd.write(self.database)
        self.call, self.other = (Account(self.database, settings, id_) for id_ in (FIRST, SECOND))

    def cost(self, work: Callable[[Connection], object], *, writes: bool) -> Cost:
        """Of a transaction of its own."""
        spent = Cost()
        explained: list[tuple[str, Any]] = []

        def note(_db: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:
            spent.statements += 1
            explained.append((statement, parameters[0] if many else parameters))

        def row(_cursor: object, values: tuple[Any, ...]) -> tuple[Any, ...]:
            spent.rows += 1
            return values

        def step() -> None:
            spent.steps += 1

        with self.database.write() if writes else self.database.read() as db:
            sqlite = driver(db)
            event.listen(self.database.engine, "before_cursor_execute", note)
            sqlite.set_progress_handler(step, 1)
            sqlite.row_factory = row
            try:
                work(db)
            finally:
                sqlite.row_factory = None
                sqlite.set_progress_handler(None, 0)
                event.remove(self.database.engine, "before_cursor_execute", note)
            for statement, parameters in explained:
                for *_, detail in sqlite.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
                    found = SCANS.match(detail)
                    if found and found[1] in LARGE:
                        spent.scans.append(f"{detail}: {statement}")
        return spent

    def cost_of(self, action: str, account: str = FIRST, **params: Any) -> Cost:
        operation = OPERATIONS[action]
        return self.cost(
            lambda db: operation.function(Context(db, account, self.call.settings), params), writes=not operation.reads
        )


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Place]]:
    few, many = (Place(tmp_path_factory.mktemp("store"), number) for number in (FEW, MANY))
    yield few, many
    few.database.close()
    many.database.close()


QUESTIONS = [(question.action, question.by) for question in questions(Crowd(FIRST, FEW))]


def asked(place: Place, action: str, by: str) -> Question:
    (found,) = (one for one in questions(place.crowd) if (one.action, one.by) == (action, by))
    return found


@pytest.mark.parametrize(("action", "by"), QUESTIONS, ids=[" ".join(question) for question in QUESTIONS])
def test_a_filtered_description_costs_the_same_among_a_hundred_times_as_many(
    places: tuple[Place, Place], action: str, by: str
) -> None:
    few, many = (place.cost_of(action, **asked(place, action, by).params) for place in places)
    assert few.rows > 0, "nothing was found"
    assert not many.exceeds(few), (few, many)
    if not by.startswith("route."):  # the plan has local routes, where these targets are: SQLite sees when it runs
        assert not many.scans, many.scans


@pytest.mark.parametrize("action", sorted({action for action, _ in QUESTIONS}))
def test_what_another_account_has_costs_nothing(places: tuple[Place, Place], action: str) -> None:
    few, many = (place.cost_of(action, SECOND) for place in places)
    assert not many.exceeds(few), (few, many)
    assert not many.scans, many.scans


PAGED = sorted({action for action, _ in QUESTIONS} - {"DescribeAddresses"})


@pytest.mark.parametrize("action", PAGED)
def test_a_page_costs_what_is_on_it(places: tuple[Place, Place], action: str) -> None:
    """Pages of the small store and of the large one have the same number of rows, and rows of the same length."""
    _, many = places
    page = many.call(action, MaxResults=5)
    for token in ({}, {"NextToken": page["NextToken"]}):
        cost = many.cost_of(action, MaxResults=5, **token)
        assert cost.rows < 100, cost
        assert cost.steps < 3000, cost
        assert not cost.scans, cost.scans


# --- writes -----------------------------------------------------------------------------------------------------------


@dataclass
class Life:
    """What a busy day does, from launch to termination; each call's cost by its name."""

    place: Place
    vpc: str
    subnet: str
    group: str
    costs: dict[str, Cost] = field(default_factory=dict)

    def run(self, action: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        call = self.place.call

        def work(db: Connection) -> None:
            answer.update(OPERATIONS[action].function(Context(db, call.account_id, call.settings), params))

        self.costs[action] = self.place.cost(work, writes=not OPERATIONS[action].reads)
        return answer

    def agent(self, name: str, work: Callable[[Connection], object]) -> None:
        self.costs[name] = self.place.cost(work, writes=True)

    def live(self) -> dict[str, Cost]:
        self.networking()
        instance, interface, attachment = self.launch()
        self.address(interface)
        self.groups(interface)
        self.run("DetachNetworkInterface", AttachmentId=attachment)
        self.agent("detached", lambda db: status.detached(db, [attachment]))
        self.run("DeleteNetworkInterface", NetworkInterfaceId=interface)
        self.run("StopInstances", InstanceIds=[instance])
        self.agent("stopped", lambda db: status.stopped(db, [instance], "then"))
        self.run("StartInstances", InstanceIds=[instance])
        self.agent("running", lambda db: status.running(db, [instance]))
        self.run("TerminateInstances", InstanceIds=[instance])
        self.agent("terminated", lambda db: status.terminated(db, [instance], "then"))
        return self.costs

    def launch(self) -> tuple[str, str, str]:
        tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "stage", "Value": "production"}]}]
        launch = {
            "ImageId": IMAGE,
            "InstanceType": "m5.large",
            "SubnetId": self.subnet,
            "SecurityGroupIds": [self.group],
        }
        instance = self.run("RunInstances", MinCount=3, MaxCount=3, **launch)["Instances"][0]["InstanceId"]
        self.agent("running", lambda db: status.running(db, [instance]))
        created = self.run("CreateNetworkInterface", SubnetId=self.subnet, Groups=[self.group], TagSpecifications=tags)
        interface = created["NetworkInterface"]["NetworkInterfaceId"]
        here = {"NetworkInterfaceId": interface}
        attachment = self.run("AttachNetworkInterface", **here, InstanceId=instance, DeviceIndex=1)["AttachmentId"]
        self.agent("attached", lambda db: status.attached(db, [attachment]))
        self.costs["lease"] = self.place.cost(lambda db: lease.of(db, self.vpc, attachment[-14:]), writes=False)
        assigned = self.run("AssignPrivateIpAddresses", **here, SecondaryPrivateIpAddressCount=3)
        ips = [item["PrivateIpAddress"] for item in assigned["AssignedPrivateIpAddresses"]]
        self.run("UnassignPrivateIpAddresses", **here, PrivateIpAddresses=ips)
        return instance, interface, attachment

    def address(self, interface: str) -> None:
        allocation = self.run("AllocateAddress", Domain="vpc")["AllocationId"]
        associated = self.run("AssociateAddress", AllocationId=allocation, NetworkInterfaceId=interface)
        self.run("DisassociateAddress", AssociationId=associated["AssociationId"])
        self.run("ReleaseAddress", AllocationId=allocation)

    def groups(self, interface: str) -> None:
        group = self.run("CreateSecurityGroup", GroupName="new", Description="new", VpcId=self.vpc)["GroupId"]
        permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": self.group}]}
        self.run("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])
        self.run("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, Groups=[self.group, group])
        self.place.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=interface, Groups=[self.group])
        self.run("RevokeSecurityGroupIngress", GroupId=group, IpPermissions=[permission])
        self.run("DeleteSecurityGroup", GroupId=group)

    def networking(self) -> None:
        gateway = self.run("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
        self.run("DeleteInternetGateway", InternetGatewayId=gateway)
        vpc = self.run("CreateVpc", CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
        subnet = self.run("CreateSubnet", VpcId=vpc, CidrBlock="172.16.1.0/24")["Subnet"]["SubnetId"]
        table = self.run("CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.run("AssociateRouteTable", RouteTableId=table, SubnetId=subnet)
        self.run("CreateTags", Resources=[vpc, subnet], Tags=[{"Key": "stage", "Value": "production"}])
        self.run("DeleteTags", Resources=[vpc, subnet], Tags=[{"Key": "stage"}])
        route = {"RouteTableId": self.place.crowd.id("rtb"), "DestinationCidrBlock": "192.0.2.0/24"}
        self.run("CreateRoute", **route, NetworkInterfaceId=self.place.crowd.id("eni"))
        self.run("DeleteRoute", **route)
        self.run("DeleteSubnet", SubnetId=subnet)
        self.run("DeleteRouteTable", RouteTableId=table)
        self.run("DeleteVpc", VpcId=vpc)


def compare(few: dict[str, Cost], many: dict[str, Cost]) -> None:
    assert few.keys() == many.keys()
    assert not {name: (few[name], many[name]) for name in few if many[name].exceeds(few[name])}
    assert not {name: cost.scans for name, cost in many.items() if cost.scans}


def test_a_change_costs_the_same_among_a_hundred_times_as_many(places: tuple[Place, Place]) -> None:
    few, many = (Life(place, *map(place.crowd.id, ("vpc", "subnet")), place.crowd.group()).live() for place in places)
    compare(few, many)


def test_a_change_costs_the_same_in_a_full_subnet_and_a_large_group(places: tuple[Place, Place]) -> None:
    lives = []
    for place, interfaces in zip(places, (FEW, MANY), strict=True):
        vpc = place.call("CreateVpc", CidrBlock="172.31.0.0/16")["Vpc"]["VpcId"]
        subnet = place.call("CreateSubnet", VpcId=vpc, CidrBlock="172.31.0.0/18")["Subnet"]["SubnetId"]
        group = place.call("CreateSecurityGroup", GroupName="large", Description="large", VpcId=vpc)["GroupId"]
        pack(place.database, subnet, interfaces, group)
        gateway = place.call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
        place.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
        lives.append(Life(place, vpc, subnet, group))
        lives[-1].run("DescribeSubnets", SubnetIds=[subnet])
    few, many = (life.live() for life in lives)
    compare(few, many)


def test_counts_that_are_kept_are_those_that_are_counted(call: Account) -> None:
    """On both databases, whatever takes rows away."""
    crowd = Crowd(FIRST, FEW)
    crowd.write(call.database)
    check_tallies(call.database)
    call("CreateNetworkInterface", SubnetId=crowd.id("subnet"), Ipv4PrefixCount=1, Description="mine")
    (mine,) = call("DescribeNetworkInterfaces", Filters=[{"Name": "description", "Values": ["mine"]}])[
        "NetworkInterfaces"
    ]
    check_tallies(call.database)
    call("DeleteNetworkInterface", NetworkInterfaceId=mine["NetworkInterfaceId"])
    call("TerminateInstances", InstanceIds=[crowd.id("i")])
    with call.database.write() as db:
        status.terminated(db, [crowd.id("i")], "then")
    check_tallies(call.database)


def check_tallies(database: Database) -> None:
    with database.read() as db:
        kept = {(row.kind, row.owner): row.number for row in db.execute(select(t.tallies)) if row.number}
        counted: dict[tuple[str, str], int] = {}
        for table, owner in (
            *(
                (table, "account_id")
                for table in (t.internet_gateways, t.network_interfaces, t.security_groups, t.vpcs)
            ),
            (t.public_addresses, "account_id"),
            (t.private_addresses, "subnet_id"),
            (t.delegated_prefixes, "subnet_id"),
        ):
            for row in db.execute(select(table)):
                if getattr(row, "family", 4) == 4 and getattr(row, "allocation_id", "") is not None:
                    key = table.name, getattr(row, owner)
                    counted[key] = counted.get(key, 0) + 1
    assert kept == counted
