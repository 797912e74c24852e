"""The four answers about interfaces, compared: DescribeNetworkInterfaces, DescribeInstances, DescribeAddresses and
DescribeNetworkInterfaceAttribute tell one story."""

from __future__ import annotations

from typing import Any

from machines import Machines

from accounts import FIRST, Account

ON_INSTANCES = (
    "Description",
    "Groups",
    "InterfaceType",
    "Ipv6Addresses",
    "MacAddress",
    "OwnerId",
    "PrivateDnsName",
    "PrivateIpAddress",
    "SourceDestCheck",
    "Status",
    "SubnetId",
    "VpcId",
)
"""Members that both structures have."""


class Views:
    """The four answers about interfaces, compared."""

    def __init__(self, call: Account) -> None:
        self.call, self.machines = call, Machines(call)
        self.network = self.machines.network

    def agreed(self, interface: str) -> dict[str, Any]:
        """The interface as DescribeNetworkInterfaces shows it, once all the others have said the same."""
        shown = self.network.shown(interface)
        self._attributes(interface, shown)
        self._addresses(interface, shown)
        self._instances(interface, shown)
        return shown

    def _attributes(self, interface: str, shown: dict[str, Any]) -> None:
        def attribute(name: str) -> dict[str, Any]:
            answer = self.call("DescribeNetworkInterfaceAttribute", NetworkInterfaceId=interface, Attribute=name)
            assert answer.pop("NetworkInterfaceId") == interface
            return answer

        assert attribute("description") == {"Description": {"Value": shown["Description"]}}
        assert attribute("sourceDestCheck") == {"SourceDestCheck": {"Value": shown["SourceDestCheck"]}}
        assert attribute("groupSet") == {"Groups": shown["Groups"]}
        assert attribute("attachment") == {name: shown[name] for name in ("Attachment",) if name in shown}

    def _addresses(self, interface: str, shown: dict[str, Any]) -> None:
        here = [{"Name": "network-interface-id", "Values": [interface]}]
        told = {item["PrivateIpAddress"]: item for item in self.call("DescribeAddresses", Filters=here)["Addresses"]}
        mapped = {
            item["PrivateIpAddress"]: item["Association"]
            for item in shown["PrivateIpAddresses"]
            if "AllocationId" in item.get("Association", {})
        }
        assert told.keys() == mapped.keys()
        for private_ip, address in told.items():
            for member in ("AllocationId", "AssociationId", "PublicIp"):
                assert address[member] == mapped[private_ip][member]
            assert address["NetworkInterfaceOwnerId"] == mapped[private_ip]["IpOwnerId"] == shown["OwnerId"]
            assert address["SubnetId"] == shown["SubnetId"]
            assert address.get("InstanceId") == shown.get("Attachment", {}).get("InstanceId")

    def _instances(self, interface: str, shown: dict[str, Any]) -> None:
        everywhere = [
            (instance, item)
            for reservation in self.call("DescribeInstances")["Reservations"]
            for instance in reservation["Instances"]
            for item in instance["NetworkInterfaces"]
            if item["NetworkInterfaceId"] == interface
        ]
        if "Attachment" not in shown:
            assert everywhere == []
            return
        ((instance, item),) = everywhere
        assert instance["InstanceId"] == shown["Attachment"]["InstanceId"]
        assert {name: item.get(name) for name in ON_INSTANCES} == {name: shown.get(name) for name in ON_INSTANCES}
        place = {"InstanceId": instance["InstanceId"], "InstanceOwnerId": FIRST}
        assert item["Attachment"] | place == shown["Attachment"]
        assert item.get("Association") == _public_part(shown)
        assert item["PrivateIpAddresses"] == [
            {name: value for name, value in address.items() if name != "Association"}
            | ({"Association": _public_part(address)} if "Association" in address else {})
            for address in shown["PrivateIpAddresses"]
        ]
        if shown["Attachment"]["DeviceIndex"] == 0:
            assert instance["PrivateIpAddress"] == shown["PrivateIpAddress"]
            assert instance.get("PublicIpAddress") == shown.get("Association", {}).get("PublicIp")
            assert instance["SecurityGroups"] == shown["Groups"]


def _public_part(shown: dict[str, Any]) -> dict[str, Any] | None:
    """What an instance tells of an association."""
    if "Association" not in shown:
        return None
    return {name: shown["Association"][name] for name in ("IpOwnerId", "PublicDnsName", "PublicIp")}
