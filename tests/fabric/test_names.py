"""Names fit the kernel and keep things apart."""

from __future__ import annotations

from enid.fabric.linux import names


def test_link_names_fit_fifteen_letters() -> None:
    made = [
        names.port_link("eni-attach-0123456789abcdef0"),
        names.vpn_link("vpn-0123456789abcdef0"),
        names.vpc_link("vpc-0123456789abcdef0"),
        names.site_link("a site with a long name"),
    ]
    assert made[0] == "a3456789abcdef0"
    assert all(len(name) == 15 for name in made)


def test_macs_are_local_unicast_and_differ() -> None:
    one, two = names.mac("vpc-1"), names.mac("vpc-2")
    assert one != two
    assert int(one[:2], 16) & 3 == 2
    assert names.wire_mac("x", "upper") != names.wire_mac("x", "lower")


def test_a_mark_leaves_the_transit_bit_free() -> None:
    marks = {names.mark(f"rtb-{number}") for number in range(1000)}
    assert len(marks) == 1000
    assert all(255 < mark < names.TRANSIT for mark in marks)


def test_a_combinations_number_is_no_gateways() -> None:
    assert int.from_bytes(names.combination(("sg-a",)), "little") >= 0x80000000
    assert names.combination(("sg-a", "sg-b")) != names.combination(("sg-a",))
