"""Parameters become the typed members a client's SDK was given."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_shapes import ec2_model, parameters

from enid.ec2.errors import AwsError
from enid.wire.decode import compile_input


def decode(action: str, flat: dict[str, str]) -> dict[str, Any]:
    return compile_input(ec2_model().operation_model(action).input_shape)(flat)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_what_botocore_serializes_is_decoded_to_the_same(data: st.DataObject) -> None:
    model = ec2_model().operation_model(data.draw(st.sampled_from(ec2_model().operation_names)))
    given_ = data.draw(parameters(model.input_shape))
    body = create_serializer("ec2", include_validation=False).serialize_to_request(given_, model)["body"]
    flat = {name: str(value) for name, value in body.items() if name not in ("Action", "Version")}
    assert compile_input(model.input_shape)(flat) == given_


def test_every_operation_of_the_model_compiles() -> None:
    for action in ec2_model().operation_names:
        assert compile_input(ec2_model().operation_model(action).input_shape) is not None


def test_elements_come_in_the_order_of_their_numbers_and_gaps_close() -> None:
    flat = {"VpcId.10": "c", "VpcId.2": "b", "VpcId.1": "a"}
    assert decode("DescribeVpcs", flat) == {"VpcIds": ["a", "b", "c"]}


def test_an_empty_list_as_some_sdks_write_it_is_no_list() -> None:
    assert decode("DescribeVpcs", {"VpcId": ""}) == {}
    assert decode("DescribeVpcs", {"VpcId": "", "VpcId.1": "a"}) == {"VpcIds": ["a"]}
    assert decode("DescribeVpcs", {"VpcId.1": "a", "VpcId": ""}) == {"VpcIds": ["a"]}


def test_values_that_the_documentation_names_and_the_model_does_not() -> None:
    flat = {"SubnetId": "subnet-1", "InterfaceType": "interface"}
    assert decode("CreateNetworkInterface", flat)["InterfaceType"] == "interface"
    asked = decode("DescribeAccountAttributes", {"AttributeName.1": "max-elastic-ips"})
    assert asked == {"AttributeNames": ["max-elastic-ips"]}
    path = {"Source": "i-1", "Protocol": "TCP", "ClientToken": "x"}
    assert decode("CreateNetworkInsightsPath", path) == path


def test_an_empty_text_is_a_value() -> None:
    flat = {"NetworkInterfaceId": "eni-1", "Description.Value": ""}
    assert decode("ModifyNetworkInterfaceAttribute", flat)["Description"] == {"Value": ""}


@pytest.mark.parametrize(
    ("action", "flat", "code", "names"),
    [
        ("DescribeVpcs", {"Vpc": "x"}, "UnknownParameter", "The parameter Vpc is not recognized"),
        ("DescribeVpcs", {"Filter.1.Nmae": "x"}, "UnknownParameter", "Filter.1.Nmae"),
        ("DescribeVpcs", {"DryRun.X": "true"}, "UnknownParameter", "DryRun.X"),
        ("DescribeVpcs", {"": "x"}, "UnknownParameter", "The parameter  is"),
        ("DescribeVpcs", {"a" + ".a" * 1000: "x"}, "UnknownParameter", "a.a"),
        ("DescribeVpcs", {"VpcId": "vpc-1"}, "InvalidParameterValue", "VpcId.1"),
        ("DescribeVpcs", {"VpcId.x": "vpc-1"}, "InvalidParameterValue", "Value (x) for parameter VpcId"),
        ("DescribeVpcs", {"VpcId.²": "vpc-1"}, "InvalidParameterValue", "VpcId"),
        ("DescribeVpcs", {"Filter.1": "x"}, "InvalidParameterValue", "Filter.1"),
        ("DescribeVpcs", {"VpcId.1": "a", "VpcId.1.b": "c"}, "MalformedQueryString", "VpcId.1"),
        ("DescribeVpcs", {"VpcId.1.b": "c", "VpcId.1": "a"}, "MalformedQueryString", "VpcId.1"),
        ("DescribeVpcs", {"DryRun": "yes"}, "InvalidParameterValue", "Value (yes) for parameter DryRun is invalid."),
        ("DescribeVpcs", {"MaxResults": "5x"}, "InvalidParameterValue", "Value (5x) for parameter MaxResults"),
        ("DescribeVpcs", {"MaxResults": "2147483648"}, "InvalidParameterValue", "MaxResults"),
        ("DescribeVpcs", {"MaxResults": "٣"}, "InvalidParameterValue", "MaxResults"),
        ("DescribeVpcs", {"MaxResults": "9" * 5000}, "InvalidParameterValue", "MaxResults"),
        ("DescribeVpcs", {"NextToken": "a\x00b"}, "InvalidParameterValue", "NextToken"),
        ("DeleteNetworkInterface", {}, "MissingParameter", "must contain the parameter NetworkInterfaceId"),
        ("CreateTags", {"ResourceId.1": "x"}, "MissingParameter", "must contain the parameter Tag"),
        ("ImportKeyPair", {"KeyName": "k", "PublicKeyMaterial": "!"}, "InvalidParameterValue", "PublicKeyMaterial"),
        ("ImportKeyPair", {"KeyName": "k", "PublicKeyMaterial": "é"}, "InvalidParameterValue", "PublicKeyMaterial"),
        (
            "RunInstances",
            {"InstanceType": "t9.big"},
            "InvalidParameterValue",
            "Invalid value 't9.big' for InstanceType.",
        ),
        (
            "DescribeNetworkInterfaceAttribute",
            {"NetworkInterfaceId": "eni-1", "Attribute": "colour"},
            "InvalidParameterValue",
            "Value (colour) for parameter Attribute is invalid.",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_aws_words(action: str, flat: dict[str, str], code: str, names: str) -> None:
    with pytest.raises(AwsError) as refusal:
        decode(action, flat)
    assert refusal.value.code == code
    assert names in refusal.value.message


def test_times_have_a_zone_and_nonsense_is_no_time() -> None:
    shape = {"InstanceId.1": "i-1", "Status": "ok", "ReasonCode.1": "other"}
    at = decode("ReportInstanceStatus", {**shape, "StartTime": "2024-05-01T10:00:00"})["StartTime"]
    assert at.isoformat() == "2024-05-01T10:00:00+00:00"
    for bad in ("yesterday", "0001-01-01T00:00:00+14:00", "2024-13-01", ""):
        with pytest.raises(AwsError, match="StartTime"):
            decode("ReportInstanceStatus", {**shape, "StartTime": bad})
