"""The two tunnels of a VPN connection: their addresses and keys, and the configuration for the far side. Pure.

Where a connection is IPsec, these are what its tunnels are made with, and what a device is configured with that is to
be at the far side. Where it is a plain link, they are what a client reads back, and nothing more.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from enid.ec2 import cidr
from enid.ec2.errors import AwsError, invalid_parameter_value, unsupported

Tunnel = dict[str, str]
"""``OutsideIpAddress``, ``TunnelInsideCidr``, ``PreSharedKey``."""

_OUTSIDE = (IPv4Network("198.51.100.0/24"), IPv4Network("203.0.113.0/24"))
"""One documentation network per tunnel: nothing real is ever there."""
_INSIDE = IPv4Network("169.254.0.0/16")
_RESERVED = {IPv4Network(f"169.254.{number}.0/30") for number in range(6)} | {IPv4Network("169.254.169.252/30")}
_LETTERS = string.ascii_letters + string.digits
_IKE = {
    "authentication_protocol": "sha1",
    "encryption_protocol": "aes-128-cbc",
    "lifetime": "28800",
    "perfect_forward_secrecy": "group2",
    "mode": "main",
}
_IPSEC = {
    "protocol": "esp",
    "authentication_protocol": "hmac-sha1-96",
    "encryption_protocol": "aes-128-cbc",
    "lifetime": "3600",
    "perfect_forward_secrecy": "group2",
    "mode": "tunnel",
    "clear_df_bit": "true",
    "fragmentation_before_encryption": "true",
    "tcp_mss_adjustment": "1360",
}
"""The least that any device can do, as AWS gives it; better is taken, too (:mod:`enid.vpn.strongswan`)."""
_BUILT = {"TunnelInsideCidr", "PreSharedKey"}


def build(options: Sequence[Mapping[str, Any]], used_outside: Collection[str], used: Collection[str]) -> list[Tunnel]:
    """Two tunnels: what ``options`` asks for, the rest free and random.

    :param used_outside: outside addresses of all other connections.
    :param used: inside blocks of the gateway's other tunnels.
    :raises AwsError: ``InvalidCidr.InUse``, ``InvalidParameterValue``, ``UnsupportedOperation``.
    """
    if len(options) > 2:
        raise invalid_parameter_value("A VPN connection has two tunnels.")
    taken, tunnels = set(used), []
    asked = [_checked(option) for option in [*options, {}, {}][:2]]
    taken_by_request = [option["TunnelInsideCidr"] for option in asked if "TunnelInsideCidr" in option]
    for block in taken_by_request:
        _refuse_taken(block, taken)
        taken.add(block)
    for option, pool in zip(asked, _OUTSIDE, strict=True):
        inside = option.get("TunnelInsideCidr") or next(block for block in _inside_blocks() if block not in taken)
        taken.add(inside)
        tunnels.append(
            {
                "OutsideIpAddress": _outside(pool, used_outside),
                "TunnelInsideCidr": inside,
                "PreSharedKey": option.get("PreSharedKey") or "".join(secrets.choice(_LETTERS) for _ in range(32)),
            }
        )
    return tunnels


def changed(tunnel: Tunnel, option: Mapping[str, Any], used: Collection[str]) -> Tunnel:
    """The tunnel with what ``option`` asks for; see :func:`build`.

    :param used: inside blocks of all tunnels of the gateway, this one's too.
    """
    asked = _checked(option)
    if "TunnelInsideCidr" in asked:
        _refuse_taken(asked["TunnelInsideCidr"], set(used) - {tunnel["TunnelInsideCidr"]})
    return tunnel | asked


def _refuse_taken(block: str, taken: Collection[str]) -> None:
    if block in taken:
        raise AwsError("InvalidCidr.InUse", f"The inside tunnel CIDR {block} is already in use.")


def _outside(pool: IPv4Network, used: Collection[str]) -> str:
    free = next((str(host) for host in pool.hosts() if str(host) not in used), None)
    if free is None:
        raise AwsError("InsufficientAddressCapacity", "There is no outside address left for a VPN tunnel.")
    return free


def _inside_blocks() -> Iterator[str]:
    while True:
        block = IPv4Network((int(_INSIDE.network_address) + 4 * secrets.randbelow(2**14), 30))
        if block not in _RESERVED:
            yield str(block)


def _checked(option: Mapping[str, Any]) -> dict[str, str]:
    if unbuilt := set(option) - _BUILT:
        raise unsupported(f"Tunnel options other than TunnelInsideCidr and PreSharedKey: {', '.join(sorted(unbuilt))}.")
    result: dict[str, str] = {}
    if text := option.get("TunnelInsideCidr"):
        block = cidr.ipv4(text, "tunnelInsideCidr")
        if block.prefixlen != 30 or not cidr.within(block, [_INSIDE]) or block in _RESERVED:
            raise invalid_parameter_value(f"The inside tunnel CIDR {text} is not a free /30 of 169.254.0.0/16.")
        result["TunnelInsideCidr"] = str(block)
    if key := option.get("PreSharedKey"):
        if not 8 <= len(key) <= 64 or key.startswith("0") or set(key) - set(_LETTERS + "._"):
            raise invalid_parameter_value(
                "A pre-shared key has 8 to 64 letters, digits, periods and underscores and does not start with 0."
            )
        result["PreSharedKey"] = key
    return result


def telemetry(
    tunnels: Sequence[Tunnel], states: Sequence[Mapping[str, Any]], trouble: str, routes: int
) -> list[dict[str, Any]]:
    """``VgwTelemetry``.

    :param states: ``up`` and ``since`` of each.
    :param trouble: what is said of one that is not up.
    """
    return [
        {
            "OutsideIpAddress": tunnel["OutsideIpAddress"],
            "Status": "UP" if state["up"] else "DOWN",
            "StatusMessage": "" if state["up"] else trouble,
            "AcceptedRouteCount": routes if state["up"] else 0,
            "LastStatusChange": state["since"],
        }
        for tunnel, state in zip(tunnels, states, strict=True)
    ]


def configuration(connection: Mapping[str, Any]) -> str:
    """The XML for the customer gateway's administrator, in the shape AWS's has.

    :param connection: ``id``, ``customer_gateway_id``, ``vpn_gateway_id``, ``ip_address`` of the customer gateway,
        ``bgp_asn``, ``amazon_side_asn`` and ``tunnels``.
    """
    root = Element("vpn_connection", id=connection["id"])
    _add(root, "customer_gateway_id", connection["customer_gateway_id"])
    _add(root, "vpn_gateway_id", connection["vpn_gateway_id"])
    _add(root, "vpn_connection_type", "ipsec.1")
    _add(root, "vpn_connection_attributes", "NoBGPVPNConnection")
    for tunnel in connection["tunnels"]:
        element = SubElement(root, "ipsec_tunnel")
        ours, theirs = list(IPv4Network(tunnel["TunnelInsideCidr"]).hosts())
        _side(element, "customer_gateway", connection["ip_address"], str(theirs), connection["bgp_asn"])
        _side(element, "vpn_gateway", tunnel["OutsideIpAddress"], str(ours), connection["amazon_side_asn"])
        _ike(element, tunnel["PreSharedKey"])
        _ipsec(element)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True)


def _ike(tunnel: Element, key: str) -> None:
    ike = SubElement(tunnel, "ike")
    for name, text in _IKE.items():
        _add(ike, name, text)
    _add(ike, "pre_shared_key", key)


def _ipsec(tunnel: Element) -> None:
    ipsec = SubElement(tunnel, "ipsec")
    for name, text in _IPSEC.items():
        _add(ipsec, name, text)
    detection = SubElement(ipsec, "dead_peer_detection")
    _add(detection, "interval", "10")
    _add(detection, "retries", "3")


def _side(tunnel: Element, name: str, outside: str, inside: str, asn: int) -> None:
    side = SubElement(tunnel, name)
    _add(SubElement(side, "tunnel_outside_address"), "ip_address", outside)
    address = SubElement(side, "tunnel_inside_address")
    _add(address, "ip_address", inside)
    _add(address, "network_mask", "255.255.255.252")
    _add(address, "network_cidr", "30")
    _add(SubElement(side, "bgp"), "asn", str(asn))


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
