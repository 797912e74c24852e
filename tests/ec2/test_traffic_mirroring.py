"""Traffic mirroring through the API: what is stored, shown, refused, and whom the agent looks at again."""

from __future__ import annotations

from typing import Any

import pytest
from small_network import Network
from sqlalchemy import select, update

from accounts import Account
from enid.store import status
from enid.store import tables as t

GONE = "0123456789abcdef0"


class Mirroring:
    """Filters, targets and sessions in a small network, made through the API."""

    def __init__(self, call: Account) -> None:
        self.call = call
        self.network = Network(call)

    def filter(self, **params: Any) -> str:
        shown = self.call("CreateTrafficMirrorFilter", **params)["TrafficMirrorFilter"]
        return str(shown["TrafficMirrorFilterId"])

    def rule(self, owner: str, **params: Any) -> dict[str, Any]:
        shown = self.call("CreateTrafficMirrorFilterRule", **rule_of(owner, **params))["TrafficMirrorFilterRule"]
        return dict(shown)

    def target(self, interface: str = "", **params: Any) -> str:
        given = {"NetworkInterfaceId": interface or self.network.interface(), **params}
        return str(self.call("CreateTrafficMirrorTarget", **given)["TrafficMirrorTarget"]["TrafficMirrorTargetId"])

    def request(self, source: str = "", **params: Any) -> dict[str, Any]:
        """For a session between new ends, unless given."""
        given = {"NetworkInterfaceId": source or self.network.interface(), "SessionNumber": 1, **params}
        if "TrafficMirrorTargetId" not in given:
            given["TrafficMirrorTargetId"] = self.target()
        if "TrafficMirrorFilterId" not in given:
            given["TrafficMirrorFilterId"] = self.filter()
        return given

    def session(self, source: str = "", **params: Any) -> dict[str, Any]:
        return dict(self.call("CreateTrafficMirrorSession", **self.request(source, **params))["TrafficMirrorSession"])

    def sessions(self, **params: Any) -> list[dict[str, Any]]:
        return list(self.call("DescribeTrafficMirrorSessions", **params)["TrafficMirrorSessions"])


def rule_of(owner: str, **params: Any) -> dict[str, Any]:
    return {
        "TrafficMirrorFilterId": owner,
        "TrafficDirection": "ingress",
        "RuleNumber": 100,
        "RuleAction": "accept",
        "SourceCidrBlock": "0.0.0.0/0",
        "DestinationCidrBlock": "0.0.0.0/0",
        **params,
    }


def tagged(type_: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": type_, "Tags": [{"Key": "team", "Value": "blue"}]}]}


BLUE = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def mirroring(call: Account) -> Mirroring:
    return Mirroring(call)


def test_a_filter_and_its_rules(call: Account, mirroring: Mirroring) -> None:
    id_ = mirroring.filter(Description="all", **tagged("traffic-mirror-filter"))
    ports = {"SourcePortRange": {"FromPort": 0, "ToPort": 10}, "DestinationPortRange": {"FromPort": 22, "ToPort": 53}}
    second = mirroring.rule(id_, RuleNumber=2, Protocol=6, Description="ssh", SourceCidrBlock="10.0.0.9/8", **ports)
    first = mirroring.rule(id_, RuleNumber=1, RuleAction="reject", **tagged("traffic-mirror-filter-rule"))
    out = mirroring.rule(
        id_, TrafficDirection="egress", RuleNumber=1, SourceCidrBlock="::/0", DestinationCidrBlock="2001:db8::/32"
    )
    assert second == {
        "TrafficMirrorFilterRuleId": second["TrafficMirrorFilterRuleId"],
        "TrafficMirrorFilterId": id_,
        "TrafficDirection": "ingress",
        "RuleNumber": 2,
        "RuleAction": "accept",
        "Protocol": 6,
        "DestinationPortRange": {"FromPort": 22, "ToPort": 53},
        "SourcePortRange": {"FromPort": 0, "ToPort": 10},
        "DestinationCidrBlock": "0.0.0.0/0",
        "SourceCidrBlock": "10.0.0.0/8",
        "Description": "ssh",
        "Tags": [],
    }
    assert first["Tags"] == BLUE
    (shown,) = call("DescribeTrafficMirrorFilters", TrafficMirrorFilterIds=[id_])["TrafficMirrorFilters"]
    assert shown == {
        "TrafficMirrorFilterId": id_,
        "IngressFilterRules": [first, second],
        "EgressFilterRules": [out],
        "NetworkServices": [],
        "Description": "all",
        "Tags": BLUE,
    }
    listed = call("DescribeTrafficMirrorFilterRules", TrafficMirrorFilterId=id_)["TrafficMirrorFilterRules"]
    ids = sorted(rule["TrafficMirrorFilterRuleId"] for rule in (first, second, out))
    assert [rule["TrafficMirrorFilterRuleId"] for rule in listed] == ids


def test_a_rule_is_changed_and_what_is_removed_is_the_default(call: Account, mirroring: Mirroring) -> None:
    ports = {"FromPort": 80, "ToPort": 80}
    made = mirroring.rule(mirroring.filter(), Protocol=17, DestinationPortRange=ports, Description="x")
    id_ = made["TrafficMirrorFilterRuleId"]

    def modify(**params: Any) -> dict[str, Any]:
        answer = call("ModifyTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=id_, **params)
        return dict(answer["TrafficMirrorFilterRule"])

    assert modify(RuleNumber=7, Protocol=6) == {**made, "RuleNumber": 7, "Protocol": 6}
    changed = modify(RemoveFields=["protocol", "destination-port-range", "description"], TrafficDirection="egress")
    assert changed["TrafficDirection"] == "egress"
    assert not {"Protocol", "DestinationPortRange", "Description"} & changed.keys()
    error = call.refused(
        "ModifyTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=id_, Protocol=6, RemoveFields=["protocol"]
    )
    assert error.code == "InvalidParameterCombination"


def test_network_services(call: Account, mirroring: Mirroring) -> None:
    id_ = mirroring.filter()

    def modify(**params: Any) -> list[str]:
        answer = call("ModifyTrafficMirrorFilterNetworkServices", TrafficMirrorFilterId=id_, **params)
        return list(answer["TrafficMirrorFilter"]["NetworkServices"])

    assert modify(AddNetworkServices=["amazon-dns"]) == ["amazon-dns"]
    assert modify() == ["amazon-dns"]
    assert modify(RemoveNetworkServices=["amazon-dns"]) == []
    both = {"AddNetworkServices": ["amazon-dns"], "RemoveNetworkServices": ["amazon-dns"]}
    error = call.refused("ModifyTrafficMirrorFilterNetworkServices", TrafficMirrorFilterId=id_, **both)
    assert error.code == "InvalidParameterCombination"


def test_a_target_and_a_session(call: Account, mirroring: Mirroring) -> None:
    sink, source = mirroring.network.interface(), mirroring.network.interface()
    target = mirroring.target(sink, Description="ids", **tagged("traffic-mirror-target"))
    (shown,) = call("DescribeTrafficMirrorTargets", TrafficMirrorTargetIds=[target])["TrafficMirrorTargets"]
    assert shown == {
        "TrafficMirrorTargetId": target,
        "NetworkInterfaceId": sink,
        "Type": "network-interface",
        "Description": "ids",
        "OwnerId": call.account_id,
        "Tags": BLUE,
    }
    given = {"PacketLength": 100, "VirtualNetworkId": 7, "Description": "x", "TrafficMirrorTargetId": target}
    session = mirroring.session(source, **given, **tagged("traffic-mirror-session"))
    assert call.changed == [("network_interface", source)]
    assert mirroring.sessions() == [session]
    assert session == {
        "TrafficMirrorSessionId": session["TrafficMirrorSessionId"],
        "TrafficMirrorTargetId": target,
        "TrafficMirrorFilterId": session["TrafficMirrorFilterId"],
        "NetworkInterfaceId": source,
        "OwnerId": call.account_id,
        "PacketLength": 100,
        "SessionNumber": 1,
        "VirtualNetworkId": 7,
        "Description": "x",
        "Tags": BLUE,
    }


def test_a_session_is_changed(call: Account, mirroring: Mirroring) -> None:
    session = mirroring.session(PacketLength=100, VirtualNetworkId=7, Description="x")
    id_, source = session["TrafficMirrorSessionId"], session["NetworkInterfaceId"]

    def modify(**params: Any) -> dict[str, Any]:
        answer = call("ModifyTrafficMirrorSession", TrafficMirrorSessionId=id_, **params)
        assert call.changed == [("network_interface", source)]
        return dict(answer["TrafficMirrorSession"])

    other = {"TrafficMirrorTargetId": mirroring.target(), "TrafficMirrorFilterId": mirroring.filter()}
    assert modify(SessionNumber=2, **other) == {**session, "SessionNumber": 2, **other}
    changed = modify(RemoveFields=["packet-length", "virtual-network-id", "description"])
    assert not {"PacketLength", "Description"} & changed.keys()
    assert changed["VirtualNetworkId"] != 7
    refused = {"PacketLength": 5, "RemoveFields": ["packet-length"]}
    error = call.refused("ModifyTrafficMirrorSession", TrafficMirrorSessionId=id_, **refused)
    assert error.code == "InvalidParameterCombination"


def test_a_virtual_network_id_is_drawn(mirroring: Mirroring) -> None:
    drawn = {mirroring.session()["VirtualNetworkId"] for _ in range(3)}
    assert len(drawn) == 3
    assert all(0 <= number < 1 << 24 for number in drawn)


def test_whoever_uses_a_filter_is_looked_at_when_it_changes(call: Account, mirroring: Mirroring) -> None:
    owner = mirroring.filter()
    sources = {mirroring.session(TrafficMirrorFilterId=owner)["NetworkInterfaceId"] for _ in range(2)}
    wanted = {("network_interface", id_) for id_ in sources}
    rule = mirroring.rule(owner)["TrafficMirrorFilterRuleId"]
    assert set(call.changed) == wanted
    call("ModifyTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=rule, RuleNumber=5)
    assert set(call.changed) == wanted
    call("DeleteTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=rule)
    assert set(call.changed) == wanted
    services = {"TrafficMirrorFilterId": owner, "AddNetworkServices": ["amazon-dns"]}
    call("ModifyTrafficMirrorFilterNetworkServices", **services)
    assert set(call.changed) == wanted
    call("ModifyTrafficMirrorFilterNetworkServices", **services)
    assert call.changed == []


RULES: list[tuple[dict[str, Any], str]] = [
    ({"TrafficMirrorFilterId": f"tmf-{GONE}"}, "InvalidTrafficMirrorFilterId.NotFound"),
    ({"TrafficMirrorFilterId": "tmf-1"}, "InvalidTrafficMirrorFilterId.Malformed"),
    ({"RuleNumber": 0}, "InvalidParameterValue"),
    ({"RuleNumber": 32767}, "InvalidParameterValue"),
    ({"RuleNumber": 100}, "TrafficMirrorFilterRuleAlreadyExists"),
    ({"SourceCidrBlock": "10.0.0.0"}, "InvalidParameterValue"),
    ({"SourceCidrBlock": "::/0"}, "InvalidParameterValue"),
    ({"Protocol": 256}, "InvalidParameterValue"),
    ({"Protocol": -1}, "InvalidParameterValue"),
    ({"Protocol": 1, "DestinationPortRange": {"FromPort": 1, "ToPort": 2}}, "InvalidParameterCombination"),
    ({"SourcePortRange": {"FromPort": 1, "ToPort": 2}}, "InvalidParameterCombination"),
    ({"Protocol": 6, "SourcePortRange": {"FromPort": 2, "ToPort": 1}}, "InvalidParameterValue"),
    ({"Protocol": 6, "SourcePortRange": {"FromPort": 2}}, "MissingParameter"),
    ({"Description": "x" * 256}, "InvalidParameterValue"),
    (tagged("traffic-mirror-filter"), "InvalidParameterValue"),
]


@pytest.mark.parametrize(("params", "code"), RULES)
def test_refused_rules(call: Account, mirroring: Mirroring, params: dict[str, Any], code: str) -> None:
    owner = mirroring.filter()
    mirroring.rule(owner)
    given = rule_of(owner, **{"RuleNumber": 101, **params})
    assert call.refused("CreateTrafficMirrorFilterRule", **given).code == code


def test_a_number_is_taken_in_its_own_direction_only(call: Account, mirroring: Mirroring) -> None:
    owner = mirroring.filter()
    mirroring.rule(owner)
    other = mirroring.rule(owner, TrafficDirection="egress")["TrafficMirrorFilterRuleId"]
    error = call.refused("ModifyTrafficMirrorFilterRule", TrafficMirrorFilterRuleId=other, TrafficDirection="ingress")
    assert error.code == "TrafficMirrorFilterRuleAlreadyExists"


SESSIONS: list[tuple[dict[str, Any], str]] = [
    ({"NetworkInterfaceId": f"eni-{GONE}"}, "InvalidNetworkInterfaceID.NotFound"),
    ({"TrafficMirrorTargetId": f"tmt-{GONE}"}, "InvalidTrafficMirrorTargetId.NotFound"),
    ({"TrafficMirrorFilterId": f"tmf-{GONE}"}, "InvalidTrafficMirrorFilterId.NotFound"),
    ({"TrafficMirrorTargetId": "tmt-1"}, "InvalidTrafficMirrorTargetId.Malformed"),
    ({"SessionNumber": 0}, "InvalidParameterValue"),
    ({"SessionNumber": 32767}, "InvalidParameterValue"),
    ({"PacketLength": 0}, "InvalidParameterValue"),
    ({"PacketLength": 8501}, "InvalidParameterValue"),
    ({"VirtualNetworkId": -1}, "InvalidParameterValue"),
    ({"VirtualNetworkId": 1 << 24}, "InvalidParameterValue"),
    ({"Description": "x" * 256}, "InvalidParameterValue"),
]


@pytest.mark.parametrize(("params", "code"), SESSIONS)
def test_refused_sessions(call: Account, mirroring: Mirroring, params: dict[str, Any], code: str) -> None:
    assert call.refused("CreateTrafficMirrorSession", **mirroring.request(**params)).code == code
    if "NetworkInterfaceId" not in params:
        id_ = mirroring.session()["TrafficMirrorSessionId"]
        assert call.refused("ModifyTrafficMirrorSession", TrafficMirrorSessionId=id_, **params).code == code


def test_session_numbers_are_unique_at_a_source(call: Account, mirroring: Mirroring) -> None:
    source = mirroring.network.interface()
    mirroring.session(source)
    other = mirroring.session(source, SessionNumber=2)["TrafficMirrorSessionId"]
    assert call.refused("CreateTrafficMirrorSession", **mirroring.request(source)).code == "InvalidParameterValue"
    error = call.refused("ModifyTrafficMirrorSession", TrafficMirrorSessionId=other, SessionNumber=1)
    assert "already being used" in error.message
    mirroring.session(mirroring.network.interface())


def test_no_interface_is_source_and_target(call: Account, mirroring: Mirroring) -> None:
    source, sink = mirroring.network.interface(), mirroring.network.interface()
    mirroring.session(source, TrafficMirrorTargetId=mirroring.target(sink))
    assert call.refused("CreateTrafficMirrorTarget", NetworkInterfaceId=source).code == "InvalidParameterValue"
    assert call.refused("CreateTrafficMirrorSession", **mirroring.request(sink)).code == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"NetworkInterfaceId": f"eni-{GONE}"}, "InvalidNetworkInterfaceID.NotFound"),
        ({"NetworkLoadBalancerArn": "arn:aws:elasticloadbalancing:x"}, "UnsupportedOperation"),
        ({"GatewayLoadBalancerEndpointId": f"vpce-{GONE}"}, "UnsupportedOperation"),
    ],
)
def test_refused_targets(call: Account, params: dict[str, Any], code: str) -> None:
    assert call.refused("CreateTrafficMirrorTarget", **params).code == code


def test_without_root_packets_are_not_cut(call: Account, mirroring: Mirroring) -> None:
    request = mirroring.request(PacketLength=100)
    call.settings = call.settings.model_copy(update={"rootless": True})
    assert call.refused("CreateTrafficMirrorSession", **request).code == "UnsupportedOperation"
    del request["PacketLength"]
    call("CreateTrafficMirrorSession", **request)


def test_quotas(call: Account, mirroring: Mirroring) -> None:
    source, owner, target = mirroring.network.interface(), mirroring.filter(), mirroring.target()
    ends = {"TrafficMirrorFilterId": owner, "TrafficMirrorTargetId": target}
    for number in (1, 2, 3):
        mirroring.session(source, SessionNumber=number, **ends)
    request = mirroring.request(source, SessionNumber=4, **ends)
    error = call.refused("CreateTrafficMirrorSession", **request)
    assert error.code == "TrafficMirrorSessionsPerInterfaceLimitExceeded"
    call.limit(sources_per_traffic_mirror_target=1)
    code = call.refused("CreateTrafficMirrorSession", **mirroring.request(**ends)).code
    assert code == "TrafficMirrorSourcesPerTargetLimitExceeded"
    call.limit(traffic_mirror_sessions=3)
    assert call.refused("CreateTrafficMirrorSession", **mirroring.request()).code == "TrafficMirrorSessionLimitExceeded"
    for number in range(10):
        mirroring.rule(owner, RuleNumber=number + 1)
    error = call.refused("CreateTrafficMirrorFilterRule", **rule_of(owner))
    assert error.code == "TrafficMirrorFilterRuleLimitExceeded"
    call.limit(traffic_mirror_filters=1, traffic_mirror_targets=1)
    assert call.refused("CreateTrafficMirrorFilter").code == "TrafficMirrorFilterLimitExceeded"
    interface = mirroring.network.interface()
    error = call.refused("CreateTrafficMirrorTarget", NetworkInterfaceId=interface)
    assert error.code == "TrafficMirrorTargetLimitExceeded"


def test_what_a_session_uses_cannot_be_deleted(call: Account, mirroring: Mirroring) -> None:
    session = mirroring.session()
    id_ = session["TrafficMirrorSessionId"]
    owner, target = session["TrafficMirrorFilterId"], session["TrafficMirrorTargetId"]
    error = call.refused("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=owner)
    assert (error.code, error.dependants) == ("TrafficMirrorFilterInUse", (id_,))
    error = call.refused("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target)
    assert (error.code, error.dependants) == ("TrafficMirrorTargetInUseException", (id_,))
    assert call("DeleteTrafficMirrorSession", TrafficMirrorSessionId=id_) == {"TrafficMirrorSessionId": id_}
    assert call.changed == [("network_interface", session["NetworkInterfaceId"])]
    mirroring.rule(owner)
    call("DeleteTrafficMirrorFilter", TrafficMirrorFilterId=owner)
    call("DeleteTrafficMirrorTarget", TrafficMirrorTargetId=target)
    assert call("DescribeTrafficMirrorFilterRules")["TrafficMirrorFilterRules"] == []
    gone = call.refused("DeleteTrafficMirrorSession", TrafficMirrorSessionId=id_)
    assert gone.code == "InvalidTrafficMirrorSessionId.NotFound"


def test_a_session_goes_with_its_source_and_tags_go_with_it(call: Account, mirroring: Mirroring) -> None:
    session = mirroring.session(**tagged("traffic-mirror-session"))
    call("DeleteNetworkInterface", NetworkInterfaceId=session["NetworkInterfaceId"])
    assert mirroring.sessions() == []
    assert call("DescribeTags")["Tags"] == []


def test_when_the_targets_interface_goes_its_sources_are_looked_at(call: Account, mirroring: Mirroring) -> None:
    sink = mirroring.network.interface()
    session = mirroring.session(TrafficMirrorTargetId=mirroring.target(sink))
    with call.database.read() as db:
        before = db.execute(select(t.journal)).all()
    call("DeleteNetworkInterface", NetworkInterfaceId=sink)
    with call.database.read() as db:
        noted = db.execute(select(t.journal)).all()[len(before) :]
    assert ("network_interface", session["NetworkInterfaceId"]) in {(row.kind, row.id) for row in noted}
    assert mirroring.sessions() == [session]


def test_a_session_goes_when_its_source_is_terminated(call: Account, mirroring: Mirroring) -> None:
    instance, interface = mirroring.network.machine()
    mirroring.session(interface)
    call.put(update(t.attachments).values(delete_on_termination=True))
    call.put(update(t.instances).where(t.instances.c.id == instance).values(state="shutting-down"))
    with call.database.write() as db:
        status.terminated(db, [instance], "now")
    assert mirroring.sessions() == []


def test_a_rule_finds_what_each_filter_selects(call: Account, mirroring: Mirroring) -> None:
    owner = mirroring.filter(Description="one")
    rule = mirroring.rule(owner, Protocol=6, SourceCidrBlock="10.0.0.0/8", Description="ssh")
    mirroring.rule(
        mirroring.filter(), TrafficDirection="egress", RuleNumber=7, RuleAction="reject", SourceCidrBlock="10.1.0.0/16"
    )
    selecting = {
        "traffic-mirror-filter-rule-id": rule["TrafficMirrorFilterRuleId"],
        "traffic-mirror-filter-id": owner,
        "rule-number": "100",
        "rule-action": "accept",
        "traffic-direction": "ingress",
        "protocol": "6",
        "source-cidr-block": "10.0.0.0/8",
        "description": "s*",
    }
    for name, value in selecting.items():
        found = call("DescribeTrafficMirrorFilterRules", Filters=[{"Name": name, "Values": [value]}])
        assert found["TrafficMirrorFilterRules"] == [rule], name


def test_a_session_is_found_by_each_filter(call: Account, mirroring: Mirroring) -> None:
    session = mirroring.session(PacketLength=99, VirtualNetworkId=7, Description="x", SessionNumber=5)
    mirroring.session(VirtualNetworkId=8)
    selecting = {
        "description": session["Description"],
        "network-interface-id": session["NetworkInterfaceId"],
        "packet-length": "99",
        "session-number": "5",
        "traffic-mirror-filter-id": session["TrafficMirrorFilterId"],
        "traffic-mirror-session-id": session["TrafficMirrorSessionId"],
        "traffic-mirror-target-id": session["TrafficMirrorTargetId"],
        "virtual-network-id": "7",
    }
    for name, value in selecting.items():
        assert mirroring.sessions(Filters=[{"Name": name, "Values": [value]}]) == [session], name
    assert len(mirroring.sessions(Filters=[{"Name": "owner-id", "Values": [call.account_id]}])) == 2


def test_pages(call: Account, mirroring: Mirroring) -> None:
    ids = [mirroring.filter() for _ in range(7)]
    page = call("DescribeTrafficMirrorFilters", MaxResults=5)
    rest = call("DescribeTrafficMirrorFilters", MaxResults=5, NextToken=page["NextToken"])
    shown = page["TrafficMirrorFilters"] + rest["TrafficMirrorFilters"]
    assert [row["TrafficMirrorFilterId"] for row in shown] == sorted(ids)


def test_the_number_of_statements_does_not_grow(call: Account, mirroring: Mirroring) -> None:
    mirroring.rule(mirroring.filter())
    call("DescribeTrafficMirrorFilters")
    few = call.statements
    for number in range(5):
        mirroring.rule(mirroring.filter(), RuleNumber=number + 1)
    call("DescribeTrafficMirrorFilters")
    assert call.statements <= few
