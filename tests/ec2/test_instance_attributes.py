"""Attributes of an instance, one at a time, in both spellings of the request."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from machines import Machines

from accounts import Account, model


@pytest.fixture
def machines(call: Account) -> Machines:
    return Machines(call)


def _shown(machines: Machines, id_: str, attribute: str) -> Any:
    answer = machines.call("DescribeInstanceAttribute", InstanceId=id_, Attribute=attribute)
    assert answer.pop("InstanceId") == id_
    (value,) = answer.values() or [None]
    return value


def _modify(machines: Machines, id_: str, **change: Any) -> None:
    machines.call("ModifyInstanceAttribute", InstanceId=id_, **change)


def _refused(machines: Machines, id_: str, **change: Any) -> tuple[str, str]:
    error = machines.call.refused("ModifyInstanceAttribute", InstanceId=id_, **change)
    return error.code, error.message


def test_every_attribute_of_the_model_can_be_described(machines: Machines) -> None:
    id_ = machines.running()
    names = model("ec2").shape_for("InstanceAttributeName").enum
    for name in names:
        machines.call("DescribeInstanceAttribute", InstanceId=id_, Attribute=name)
    assert machines.call.refused("DescribeInstanceAttribute", InstanceId=id_, Attribute="colour").code == (
        "InvalidParameterValue"
    )


def test_what_a_new_instance_has(machines: Machines) -> None:
    id_ = machines.running()
    assert _shown(machines, id_, "instanceType") == {"Value": "t3.small"}
    assert _shown(machines, id_, "disableApiTermination") == {"Value": False}
    assert _shown(machines, id_, "disableApiStop") == {"Value": False}
    assert _shown(machines, id_, "instanceInitiatedShutdownBehavior") == {"Value": "stop"}
    assert _shown(machines, id_, "sourceDestCheck") == {"Value": True}
    assert _shown(machines, id_, "rootDeviceName") == {"Value": "/dev/sda1"}
    assert _shown(machines, id_, "userData") == {}
    assert [group["GroupName"] for group in _shown(machines, id_, "groupSet")] == ["default"]


@pytest.mark.parametrize("attribute", ["disableApiTermination", "disableApiStop", "ebsOptimized", "sourceDestCheck"])
@pytest.mark.parametrize("spelling", ["own member", "attribute and value"])
def test_flags(machines: Machines, attribute: str, spelling: str) -> None:
    id_ = machines.running()
    value = not _shown(machines, id_, attribute)["Value"]
    if spelling == "own member":
        _modify(machines, id_, **{attribute[0].upper() + attribute[1:]: {"Value": value}})
    else:
        _modify(machines, id_, Attribute=attribute, Value=str(value).lower())
    assert _shown(machines, id_, attribute) == {"Value": value}


def test_the_source_dest_check_is_the_interface_s_and_the_agent_is_told(machines: Machines) -> None:
    id_ = machines.running()
    _modify(machines, id_, SourceDestCheck={"Value": False})
    told = machines.call.changed
    shown = machines.shown(id_)
    interface = shown["NetworkInterfaces"][0]
    assert (shown["SourceDestCheck"], interface["SourceDestCheck"]) == (False, False)
    assert told == [("network_interface", interface["NetworkInterfaceId"])]
    machines.call("ResetInstanceAttribute", InstanceId=id_, Attribute="sourceDestCheck")
    assert machines.shown(id_)["SourceDestCheck"] is True


def test_groups_are_replaced(machines: Machines) -> None:
    id_, network = machines.running(), machines.network
    interface = machines.shown(id_)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    _modify(machines, id_, Groups=[network.web, network.db])
    assert machines.call.changed == [("network_interface", interface)]
    assert [group["GroupId"] for group in machines.shown(id_)["SecurityGroups"]] == [network.web, network.db]
    assert _refused(machines, id_, Groups=["sg-0123456789abcdef0"]) == (
        "InvalidGroup.NotFound",
        "The security group 'sg-0123456789abcdef0' does not exist",
    )


def test_shutdown_behavior(machines: Machines) -> None:
    id_ = machines.running()
    _modify(machines, id_, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    assert _shown(machines, id_, "instanceInitiatedShutdownBehavior") == {"Value": "terminate"}
    assert _refused(machines, id_, InstanceInitiatedShutdownBehavior={"Value": "explode"})[0] == (
        "InvalidParameterValue"
    )


# --- only while stopped -----------------------------------------------------------------------------------------------


def test_type_and_user_data_are_changed_while_stopped(machines: Machines) -> None:
    id_ = machines.stopped()
    _modify(machines, id_, InstanceType={"Value": "t3.large"})
    _modify(machines, id_, UserData={"Value": b"#!/bin/sh\n"})
    assert machines.shown(id_)["InstanceType"] == "t3.large"
    assert _shown(machines, id_, "userData") == {"Value": b64encode(b"#!/bin/sh\n").decode()}
    _modify(machines, id_, Attribute="userData", Value=b64encode(b"other").decode())
    assert _shown(machines, id_, "userData") == {"Value": b64encode(b"other").decode()}


@pytest.mark.parametrize("change", [{"InstanceType": {"Value": "t3.large"}}, {"UserData": {"Value": b"x"}}])
def test_a_running_instance_keeps_type_and_user_data(machines: Machines, change: dict[str, Any]) -> None:
    id_ = machines.running()
    assert _refused(machines, id_, **change) == (
        "IncorrectInstanceState",
        f"The instance '{id_}' is not in the 'stopped' state.",
    )


def test_a_type_must_have_room_for_what_the_instance_has(machines: Machines) -> None:
    id_ = machines.stopped()
    for index in (1, 2):
        machines.network.attach(machines.network.interface(), id_, index)
    assert _refused(machines, id_, InstanceType={"Value": "t3.micro"}) == (
        "AttachmentLimitExceeded",
        "Interface count 3 exceeds the limit for t3.micro",
    )
    crowded = machines.stopped(
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": machines.network.subnet, "SecondaryPrivateIpAddressCount": 3}]
    )
    assert _refused(machines, crowded, InstanceType={"Value": "t3.micro"})[0] == "PrivateIpAddressLimitExceeded"


def test_an_unknown_type_and_one_of_another_architecture(machines: Machines) -> None:
    id_ = machines.stopped()
    assert _refused(machines, id_, InstanceType={"Value": "t3.enormous"}) == (
        "InvalidParameterValue",
        "Invalid value 't3.enormous' for InstanceType.",
    )
    assert _refused(machines, id_, InstanceType={"Value": "t4g.small"})[0] == "InvalidParameterValue"


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["source check", "groups", "describe", "reset"])
def test_with_several_interfaces_the_interface_must_be_named(machines: Machines, action: str) -> None:
    id_ = machines.running()
    machines.network.attach(machines.network.interface(), id_)
    request: dict[str, tuple[str, dict[str, Any]]] = {
        "source check": ("ModifyInstanceAttribute", {"SourceDestCheck": {"Value": False}}),
        "groups": ("ModifyInstanceAttribute", {"Groups": [machines.network.web]}),
        "describe": ("DescribeInstanceAttribute", {"Attribute": "groupSet"}),
        "reset": ("ResetInstanceAttribute", {"Attribute": "sourceDestCheck"}),
    }
    operation, params = request[action]
    error = machines.call.refused(operation, InstanceId=id_, **params)
    assert (error.code, error.message) == (
        "InvalidInstanceID",
        f"There are multiple interfaces attached to instance '{id_}'. "
        "Please specify an interface ID for the operation instead.",
    )


def test_one_attribute_a_call(machines: Machines) -> None:
    id_ = machines.running()
    assert _refused(machines, id_) == ("InvalidParameterCombination", "No attributes specified.")
    assert _refused(machines, id_, DisableApiStop={"Value": True}, EbsOptimized={"Value": True}) == (
        "InvalidParameterCombination",
        "Fields for multiple attribute types specified.",
    )


@pytest.mark.parametrize("attribute", ["kernel", "ramdisk", "sriovNetSupport", "blockDeviceMapping"])
def test_what_cannot_be_modified(machines: Machines, attribute: str) -> None:
    id_ = machines.running()
    assert _refused(machines, id_, Attribute=attribute, Value="x")[0] == "UnsupportedOperation"


def test_the_dead_are_not_modified(machines: Machines) -> None:
    id_ = machines.running()
    machines.call("TerminateInstances", InstanceIds=[id_])
    assert _refused(machines, id_, DisableApiTermination={"Value": True})[0] == "IncorrectInstanceState"


# --- metadata options and credits -------------------------------------------------------------------------------------


def test_metadata_options_change_one_by_one(machines: Machines) -> None:
    id_ = machines.running()
    machines.call("ModifyInstanceMetadataOptions", InstanceId=id_, HttpTokens="required")
    answer = machines.call("ModifyInstanceMetadataOptions", InstanceId=id_, HttpPutResponseHopLimit=3)
    assert answer["InstanceMetadataOptions"] == {
        "State": "applied",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 3,
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "disabled",
    }
    assert machines.shown(id_)["MetadataOptions"] == answer["InstanceMetadataOptions"]
    assert machines.call.refused("ModifyInstanceMetadataOptions", InstanceId=id_, HttpPutResponseHopLimit=65).code == (
        "InvalidParameterValue"
    )


@pytest.mark.parametrize(("type_", "credits"), [("t2.micro", "standard"), ("t3.micro", "unlimited")])
def test_cpu_credits(machines: Machines, type_: str, credits: str) -> None:
    id_ = machines.running(InstanceType=type_)
    described = machines.call("DescribeInstanceCreditSpecifications", InstanceIds=[id_])
    assert described["InstanceCreditSpecifications"] == [{"InstanceId": id_, "CpuCredits": credits}]
    listed = machines.call("DescribeInstanceCreditSpecifications")["InstanceCreditSpecifications"]
    assert bool(listed) is (credits == "unlimited")
    other = {"standard": "unlimited", "unlimited": "standard"}[credits]
    machines.call(
        "ModifyInstanceCreditSpecification",
        InstanceCreditSpecifications=[{"InstanceId": id_, "CpuCredits": other}],
    )
    described = machines.call("DescribeInstanceCreditSpecifications", InstanceIds=[id_])
    assert described["InstanceCreditSpecifications"] == [{"InstanceId": id_, "CpuCredits": other}]


def test_credits_of_an_instance_that_has_none(machines: Machines) -> None:
    id_ = machines.running(InstanceType="m5.large")
    assert machines.call.refused("DescribeInstanceCreditSpecifications", InstanceIds=[id_]).code == (
        "UnsupportedOperation"
    )
    assert machines.refused(InstanceType="m5.large", CreditSpecification={"CpuCredits": "standard"})[0] == (
        "InvalidParameterCombination"
    )


# --- what Terraform asks of every instance ----------------------------------------------------------------------------


def test_there_are_no_volumes_and_no_profiles(machines: Machines) -> None:
    id_ = machines.running()
    attached = [{"Name": "attachment.instance-id", "Values": [id_]}]
    assert machines.call("DescribeVolumes", Filters=attached) == {"Volumes": []}
    profile = [{"Name": "instance-id", "Values": [id_]}]
    answer = machines.call("DescribeIamInstanceProfileAssociations", Filters=profile)
    assert answer == {"IamInstanceProfileAssociations": []}
    assert machines.call.refused("DescribeVolumes", VolumeIds=["vol-1"]).code == "InvalidVolume.NotFound"
