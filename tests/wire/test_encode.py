"""Results become the XML that botocore reads back to the same."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.parsers import create_parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_shapes import ec2_model, results

from enid.ec2.errors import AwsError
from enid.wire.encode import escape
from enid.wire.errors import envelope
from enid.wire.model import Service

SERVICE = Service("ec2", "2016-11-15", strict=True)
OPERATIONS = [name for name in ec2_model().operation_names if ec2_model().operation_model(name).output_shape]


def parse(action: str, document: str) -> dict[str, Any]:
    response = {"status_code": 200, "headers": {}, "body": document.encode()}
    parsed = create_parser("ec2").parse(response, ec2_model().operation_model(action).output_shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "the-id"
    return parsed


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_botocore_reads_back_what_was_encoded(data: st.DataObject) -> None:
    action = data.draw(st.sampled_from(OPERATIONS))
    result = data.draw(results(ec2_model().operation_model(action).output_shape))
    assert parse(action, SERVICE.operation(action).encode(result, "the-id")) == result


def test_members_that_are_none_are_left_out() -> None:
    result = {"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": None}], "NextToken": None}
    document = SERVICE.operation("DescribeVpcs").encode(result, "the-id")
    assert document == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>the-id</requestId>'
        "<vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>"
    )


def test_an_operation_without_a_result_answers_true() -> None:
    assert "<return>true</return>" in SERVICE.operation("DeleteVpc").encode({}, "the-id")


@pytest.mark.parametrize(
    "result",
    [{"Colour": "red"}, {"Vpcs": [{"Colour": "red"}]}, {"Vpcs": [{"IsDefault": "no"}]}, {"NextToken": 5}],
)
def test_a_result_beside_the_model_is_an_error_when_strict(result: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        SERVICE.operation("DescribeVpcs").encode(result, "the-id")


def test_a_member_beside_the_model_is_left_out_otherwise() -> None:
    lenient = Service("ec2", "2016-11-15").operation("DescribeVpcs")
    assert parse("DescribeVpcs", lenient.encode({"Vpcs": [], "Colour": "red"}, "the-id")) == {"Vpcs": []}


@given(st.text())
def test_any_text_makes_well_formed_xml(text: str) -> None:
    error = AwsError("Code", text)
    parsed = create_parser("ec2").parse(
        {"status_code": 400, "headers": {}, "body": envelope("ec2", error, "the-id").encode()}, None
    )
    assert parsed["Error"]["Code"] == "Code"
    assert (parsed["Error"]["Message"] or "") == text.translate(
        dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(55296, 57344), 65534, 65535), "�")
    )


def test_escaping_leaves_ordinary_text_alone() -> None:
    assert escape("eni-1 é 漢") == "eni-1 é 漢"
    assert escape("<a&b>") == "&lt;a&amp;b&gt;"


def test_a_thousand_interfaces_are_encoded_in_tens_of_milliseconds() -> None:
    interface = {
        "NetworkInterfaceId": "eni-0123456789abcdef0",
        "Attachment": {"AttachmentId": "eni-attach-1", "DeviceIndex": 1, "Status": "attached"},
        "Groups": [{"GroupId": "sg-1", "GroupName": "one"}, {"GroupId": "sg-2", "GroupName": "two"}],
        "PrivateIpAddresses": [{"PrivateIpAddress": f"10.0.0.{i}", "Primary": i == 1} for i in range(1, 5)],
        "TagSet": [{"Key": "Name", "Value": "x"}],
        **dict.fromkeys(("Description", "MacAddress", "OwnerId", "PrivateIpAddress", "SubnetId", "VpcId"), "value"),
    }
    encode = SERVICE.operation("DescribeNetworkInterfaces").encode
    result = {"NetworkInterfaces": [interface] * 1000}
    took = []
    for _ in range(5):
        start = time.perf_counter()
        encode(result, "the-id")
        took.append(time.perf_counter() - start)
    assert min(took) < 0.15  # some 25 ms with strict checking on an idle core; room for a busy one
