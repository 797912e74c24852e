"""Flow logs through the API: what is stored, shown, refused, and which interfaces the agent looks at again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from small_network import Network

from accounts import Account, model
from enid import flow_log_format

ROLE = "arn:aws:iam::111111111111:role/flow-logs"
BUCKET = {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::traffic/office/"}
GROUP = {"LogGroupName": "traffic", "DeliverLogsPermissionArn": ROLE}


@pytest.fixture
def network(call: Account) -> Network:
    return Network(call)


def create(call: Account, resource: str, **params: Any) -> dict[str, Any]:
    kind = {"vpc": "VPC", "subnet": "Subnet", "eni": "NetworkInterface"}[resource.split("-")[0]]
    request = {"ResourceType": kind, "ResourceIds": [resource], "TrafficType": "ALL", **BUCKET, **params}
    return call("CreateFlowLogs", **{name: value for name, value in request.items() if value is not None})


def made(call: Account, resource: str, **params: Any) -> str:
    (id_,) = create(call, resource, **params)["FlowLogIds"]
    return str(id_)


def refused(call: Account, resource: str, **params: Any) -> tuple[str, str]:
    request = {"ResourceType": "VPC", "ResourceIds": [resource], "TrafficType": "ALL", **BUCKET, **params}
    error = call.refused("CreateFlowLogs", **{name: value for name, value in request.items() if value is not None})
    return error.code, error.message


def described(call: Account, **params: Any) -> list[dict[str, Any]]:
    return list(call("DescribeFlowLogs", **params)["FlowLogs"])


def test_to_a_bucket(call: Account, network: Network) -> None:
    tags = [{"ResourceType": "vpc-flow-log", "Tags": [{"Key": "team", "Value": "blue"}]}]
    id_ = made(call, network.vpc, TagSpecifications=tags, DestinationOptions={"PerHourPartition": True})
    (shown,) = described(call, FlowLogIds=[id_])
    assert id_.startswith("fl-")
    assert shown.pop("CreationTime")
    assert shown == {
        "FlowLogId": id_,
        "FlowLogStatus": "ACTIVE",
        "ResourceId": network.vpc,
        "TrafficType": "ALL",
        "LogDestinationType": "s3",
        "LogDestination": "arn:aws:s3:::traffic/office/",
        "LogFormat": "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} "
        "${packets} ${bytes} ${start} ${end} ${action} ${log-status}",
        "MaxAggregationInterval": 600,
        "DeliverLogsStatus": "SUCCESS",
        "DestinationOptions": {
            "FileFormat": "plain-text",
            "HiveCompatiblePartitions": False,
            "PerHourPartition": True,
        },
        "Tags": tags[0]["Tags"],
    }


@pytest.mark.parametrize(
    "destination",
    [
        {"LogGroupName": "traffic"},
        {"LogDestination": "arn:aws:logs:us-east-1:111111111111:log-group:traffic"},
        {"LogDestination": "arn:aws:logs:us-east-1:111111111111:log-group:traffic:*"},
    ],
)
def test_to_a_log_group_named_either_way(call: Account, network: Network, destination: dict[str, str]) -> None:
    request = {**BUCKET, "LogDestination": None, "DeliverLogsPermissionArn": ROLE, **destination}
    (shown,) = described(call, FlowLogIds=[made(call, network.subnet, **request | {"LogDestinationType": None})])
    assert shown["LogGroupName"] == "traffic"
    assert shown["LogDestinationType"] == "cloud-watch-logs"
    assert shown.get("LogDestination") == destination.get("LogDestination")
    assert shown["DeliverLogsPermissionArn"] == ROLE


def test_one_for_each_resource_and_a_second_is_told_apart(call: Account, network: Network) -> None:
    first, second, third = (network.interface() for _ in range(3))
    made(call, second)
    answer = create(call, first, ResourceIds=[first, second, third])
    assert len(answer["FlowLogIds"]) == 2
    (problem,) = answer["Unsuccessful"]
    assert (problem["ResourceId"], problem["Error"]["Code"]) == (second, "FlowLogAlreadyExists")
    assert {row["ResourceId"] for row in described(call)} == {first, second, third}


@pytest.mark.parametrize("other", [{"TrafficType": "REJECT"}, {"LogDestination": "arn:aws:s3:::elsewhere"}])
def test_another_kind_of_traffic_or_another_place_is_another_log(
    call: Account, network: Network, other: dict[str, str]
) -> None:
    made(call, network.vpc)
    assert create(call, network.vpc, **other).get("Unsuccessful", []) == []
    assert create(call, network.vpc, LogFormat="${start}")["FlowLogIds"] == []


def test_the_agent_looks_at_the_interfaces_concerned_again(call: Account, network: Network) -> None:
    interface = network.interface()
    made(call, interface)
    assert call.changed == [("network_interface", interface)]
    made(call, network.subnet)
    assert call.changed == [("subnet", network.subnet)]
    id_ = made(call, network.vpc)
    assert ("subnet", network.subnet) in call.changed
    call("DeleteFlowLogs", FlowLogIds=[id_])
    assert ("subnet", network.subnet) in call.changed


MALFORMED = "InvalidParameter"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ResourceType": "TransitGateway"}, "UnsupportedOperation"),
        ({"LogDestinationType": "kinesis-data-firehose"}, "UnsupportedOperation"),
        ({"DestinationOptions": {"FileFormat": "parquet"}}, "UnsupportedOperation"),
        ({"DeliverCrossAccountRole": ROLE}, "UnsupportedOperation"),
        ({"TrafficType": None}, "MissingParameter"),
        ({"MaxAggregationInterval": 61}, MALFORMED),
        ({"LogFormat": "${colour}"}, MALFORMED),
        ({"LogFormat": "start"}, MALFORMED),
        ({"LogFormat": " "}, MALFORMED),
        ({"LogDestination": None}, MALFORMED),
        ({"LogGroupName": "traffic"}, MALFORMED),
        ({"LogGroupName": "traffic", "LogDestination": None}, MALFORMED),
        ({"LogDestination": "traffic"}, MALFORMED),
        ({"LogDestination": "arn:aws:s3:::traffic/a b"}, MALFORMED),
        ({"LogDestination": "arn:aws:s3:::traffic/AWSLogs/x"}, MALFORMED),
        ({"LogDestinationType": None}, MALFORMED),
        ({**GROUP, "LogDestination": None, "LogDestinationType": None, "DeliverLogsPermissionArn": None}, MALFORMED),
        ({**GROUP, "LogDestination": None, "LogDestinationType": None, "LogGroupName": "a b"}, MALFORMED),
        ({"ResourceIds": ["subnet-0123456789abcdef0"]}, "InvalidVpcID.Malformed"),
        ({"ResourceIds": ["vpc-0123456789abcdef0"]}, "InvalidVpcID.NotFound"),
        ({"TagSpecifications": [{"ResourceType": "vpc", "Tags": []}]}, "InvalidParameterValue"),
    ],
)
def test_refusals(call: Account, network: Network, params: dict[str, Any], code: str) -> None:
    assert refused(call, network.vpc, **params)[0] == code


def test_the_refusals_people_search_for(call: Account, network: Network) -> None:
    group = {
        **GROUP,
        "LogDestination": None,
        "LogDestinationType": "cloud-watch-logs",
        "DeliverLogsPermissionArn": None,
    }
    assert refused(call, network.vpc, **group)[1] == (
        "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs."
    )
    made(call, network.vpc)
    (problem,) = create(call, network.vpc)["Unsuccessful"]
    assert problem["Error"]["Message"] == (
        "Error. There is an existing Flow Log with the same configuration and log destination."
    )


def test_every_documented_filter(call: Account, network: Network) -> None:
    tags = [{"ResourceType": "vpc-flow-log", "Tags": [{"Key": "team", "Value": "blue"}]}]
    id_ = made(call, network.vpc, LogDestination=None, LogDestinationType=None, TagSpecifications=tags, **GROUP)
    made(call, network.subnet, TrafficType="REJECT")
    selecting = {
        "deliver-log-status": "SUCCESS",
        "log-destination-type": "cloud-watch-*",
        "flow-log-id": id_,
        "log-group-name": "traff?c",
        "resource-id": network.vpc,
        "traffic-type": "ALL",
        "tag:team": "blue",
        "tag-key": "team",
    }
    shape = model("ec2").operation_model("DescribeFlowLogs").input_shape
    assert shape is not None
    documented = set(re.findall(r"<code>([a-z-]+)</code> -", shape.members["Filter"].documentation))
    assert documented == set(selecting) - {"tag:team"}
    for name, value in selecting.items():
        found = {row["FlowLogId"] for row in described(call, Filter=[{"Name": name, "Values": [value]}])}
        assert id_ in found, name
        assert len(found) == (2 if name == "deliver-log-status" else 1), name
        assert described(call, Filter=[{"Name": name, "Values": ["nothing"]}]) == []
    assert call.refused("DescribeFlowLogs", Filter=[{"Name": "x", "Values": ["y"]}]).code == "InvalidParameterValue"


def test_pages(call: Account, network: Network) -> None:
    ids = [made(call, network.interface()) for _ in range(3)]
    page = call("DescribeFlowLogs", MaxResults=2)
    rest = call("DescribeFlowLogs", MaxResults=2, NextToken=page["NextToken"])
    assert [row["FlowLogId"] for row in page["FlowLogs"] + rest["FlowLogs"]] == sorted(ids)


def test_delete_all_or_none(call: Account, network: Network) -> None:
    id_ = made(call, network.vpc)
    unknown = "fl-0123456789abcdef0"
    error = call.refused("DeleteFlowLogs", FlowLogIds=[id_, unknown])
    assert (error.code, error.message) == (
        "InvalidFlowLogId.NotFound",
        f"These flow log ids in the input list are not found: [TotalCount: 1] {unknown}",
    )
    assert call("DeleteFlowLogs", FlowLogIds=[id_]).get("Unsuccessful", []) == []
    assert described(call) == []
    assert call.refused("DescribeFlowLogs", FlowLogIds=[id_]).code == "InvalidFlowLogId.NotFound"


def test_another_account_neither_sees_nor_deletes_nor_logs(
    call: Account, second_account: Account, network: Network
) -> None:
    id_ = made(call, network.vpc)
    assert described(second_account) == []
    assert second_account.refused("DeleteFlowLogs", FlowLogIds=[id_]).code == "InvalidFlowLogId.NotFound"
    assert refused(second_account, network.vpc)[0] == "InvalidVpcID.NotFound"


def test_a_log_goes_with_what_it_watches(call: Account, network: Network) -> None:
    interface = network.interface()
    for resource in (interface, network.subnet, network.vpc):
        made(call, resource)
    call("DeleteNetworkInterface", NetworkInterfaceId=interface)
    assert {row["ResourceId"] for row in described(call)} == {network.subnet, network.vpc}


def test_the_number_of_statements_does_not_grow(call: Account, network: Network) -> None:
    create(call, network.interface())
    few = call.statements
    interfaces = [network.interface() for _ in range(8)]
    create(call, interfaces[0], ResourceIds=interfaces)
    assert call.statements <= few


def test_a_format_is_what_it_says() -> None:
    every = tuple(flow_log_format.VERSIONS)
    assert flow_log_format.parse(flow_log_format.text(every)) == every
    assert flow_log_format.version(flow_log_format.DEFAULT) == 2
    assert flow_log_format.version(("version", "vpc-id")) == 3
    assert flow_log_format.version(("flow-direction", "vpc-id")) == 5
