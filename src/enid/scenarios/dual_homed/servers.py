"""Step two: two web servers; a management interface is plugged into each while its service is in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enid.scenarios.cloud import tagged, until
from enid.scenarios.dual_homed import plan
from enid.scenarios.dual_homed.network import Network
from enid.scenarios.dual_homed.user_data import user_data
from enid.scenarios.lab import Lab
from enid.scenarios.vantage import Task


@dataclass(frozen=True, slots=True)
class Groups:
    """Security groups, by what they are for."""

    web: str
    management: str
    echo: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A running server."""

    server: plan.Server
    id: str
    eth0: str
    elastic_ip: str


@dataclass(frozen=True, slots=True)
class Machines:
    """Both servers by name, their neighbour, and what opens them."""

    by_name: Mapping[str, Machine]
    peer: str
    groups: Groups
    key_file: str


def launch(lab: Lab, net: Network) -> Machines:
    """Security groups, a key pair, three instances, an Elastic IP for each server; returns when both sites answer."""
    lab.report.step("Two web servers, and a management network plugged in while they serve")
    groups = _make_groups(lab, net)
    key_file = _make_key(lab)
    image = lab.cloud.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ids = {server.name: _run(lab, net, groups, image, server) for server in plan.SERVERS}
    peer = _run_peer(lab, net, image)
    for id_ in (*ids.values(), peer):
        lab.cloud.await_state(id_, "running")
    by_name = {server.name: _publish(lab, server, ids[server.name]) for server in plan.SERVERS}
    lab.report.did(f"web-1, web-2 and their neighbour run; {len(plan.SERVERS)} Elastic IPs")
    lab.look_from(client="site/client", corporate="site/corporate", peer=peer, **ids)
    for machine in by_name.values():
        _await_service(lab, machine)
    return Machines(by_name, peer, groups, key_file)


def _make_groups(lab: Lab, net: Network) -> Groups:
    web = _group(lab, net.vpc, "web", "tcp", plan.HTTP, "0.0.0.0/0")
    management = _group(lab, net.vpc, "management", "tcp", plan.SSH, plan.CORPORATE_BLOCK)
    echo = _group(lab, net.vpc, "echo", "udp", plan.ECHO, "0.0.0.0/0")
    lab.report.did(f"group web: tcp {plan.HTTP} from anywhere; echo: udp {plan.ECHO}, for the measurements")
    lab.report.did(f"group management: tcp {plan.SSH} from {plan.CORPORATE_BLOCK}")
    return Groups(web, management, echo)


def _group(lab: Lab, vpc: str, name: str, protocol: str, port: int, source: str) -> str:
    ec2 = lab.cloud.ec2
    group = str(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"])
    permission = {"IpProtocol": protocol, "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    return group


def _make_key(lab: Lab) -> str:
    made = lab.cloud.ec2.create_key_pair(KeyName="administrator", KeyType="ed25519")
    path = lab.directory / "administrator.pem"
    path.touch(0o600)
    path.write_text(made["KeyMaterial"])
    return str(path)


def _run(lab: Lab, net: Network, groups: Groups, image: str, server: plan.Server) -> str:
    return _launch(
        lab,
        image,
        server.name,
        {"SubnetId": net.public, "PrivateIpAddress": server.public, "Groups": [groups.web, groups.echo]},
        KeyName="administrator",
        UserData=user_data(server),
    )


def _run_peer(lab: Lab, net: Network, image: str) -> str:
    return _launch(lab, image, "neighbour", {"SubnetId": net.public, "PrivateIpAddress": plan.PEER})


def _launch(lab: Lab, image: str, name: str, interface: dict[str, Any], **more: Any) -> str:
    reservation = lab.cloud.ec2.run_instances(
        ImageId=image,
        InstanceType=plan.INSTANCE_TYPE,
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[{"DeviceIndex": 0, **interface}],
        TagSpecifications=tagged("instance", name) + tagged("network-interface", f"{name}-public"),
        **more,
    )
    return str(reservation["Instances"][0]["InstanceId"])


def _publish(lab: Lab, server: plan.Server, instance_id: str) -> Machine:
    """An Elastic IP for eth0: unlike an automatic address it outlives a stop."""
    eth0 = lab.cloud.instance(instance_id)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    made = lab.cloud.ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", server.name))
    lab.cloud.ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=eth0)
    return Machine(server, instance_id, eth0, made["PublicIp"])


def _await_service(lab: Lab, machine: Machine) -> None:
    """Until user data has started the web server and the echo."""
    client = lab.vantages["client"]

    def answers() -> bool:
        got = client.ask("http", host=machine.elastic_ip, port=plan.HTTP, timeout=0.5)
        return bool(got["outcome"] == "open")

    until(answers, f"the web server of {machine.server.name}")
    until(lambda: _echoes(lab, machine), f"the echo of {machine.server.name}")


def _echoes(lab: Lab, machine: Machine) -> bool:
    probe = lab.vantages["client"].begin("udp-probe", host=machine.elastic_ip, port=plan.ECHO)
    return bool(probe.stop()["replies"])


# --- plugging the management network in -------------------------------------------------------------------------------


def plug_management(lab: Lab, net: Network, machines: Machines) -> None:
    """Make and attach eth1 of both, with a client at work on eth0 all the while."""
    client, before = lab.vantages["client"], _repeated(lab, machines)
    work: dict[str, tuple[Task, Task]] = {}
    for name, machine in machines.by_name.items():
        where: dict[str, Any] = {"host": machine.elastic_ip}
        requests = client.begin("http-loop", port=plan.HTTP, timeout=1.0, **where)
        work[name] = (requests, client.begin("udp-probe", port=plan.ECHO, **where))
    for machine in machines.by_name.values():
        _plug(lab, net, machines.groups, machine)
    for name, (requests, probes) in work.items():
        _judge(lab, name, requests.stop(), probes.stop())
    repeated = _repeated(lab, machines) - before
    lab.report.check("and no segment had to be sent twice, neither way", repeated == 0, f"{repeated} sent again")


def _repeated(lab: Lab, machines: Machines) -> int:
    """TCP segments that the client or a server has sent again: a packet that got lost, though nobody else noticed."""
    return sum(lab.vantages[place].ask("repeated")["segments"] for place in ("client", *machines.by_name))


def _plug(lab: Lab, net: Network, groups: Groups, machine: Machine) -> None:
    server = machine.server
    interface = lab.cloud.ec2.create_network_interface(
        SubnetId=net.management,
        PrivateIpAddress=server.management,
        Groups=[groups.management],
        Description=f"management of {server.name}",
        TagSpecifications=tagged("network-interface", f"{server.name}-management"),
    )["NetworkInterface"]["NetworkInterfaceId"]
    where = ("--network-interface-id", interface, "--instance-id", machine.id)
    lab.cloud.aws("attach-network-interface", *where, "--device-index", "1")
    shown = lab.cloud.network_interface(interface)
    lab.report.check(
        f"{server.name}: eth1 {server.management} plugged into the running instance",
        shown["Status"] == "in-use" and shown["Attachment"]["Status"] == "attached",
        f"{interface} {shown['Status']}",
    )


def _judge(lab: Lab, name: str, requests: dict[str, Any], probes: dict[str, Any]) -> None:
    answered, failures = requests["answered"], requests["failures"]
    lab.report.check(
        f"{name}: no request on eth0 failed meanwhile",
        answered > 0 and not failures,
        f"{answered} answered, {len(failures)} failed",
    )
    lost = probes["sent"] - len(probes["replies"])
    lab.report.check(
        f"{name}: not one reply was lost", probes["sent"] > 0 and lost == 0, f"{probes['sent']} sent, {lost} lost"
    )
