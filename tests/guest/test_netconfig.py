"""What a good guest configures for its interfaces."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from guest_ports import port
from hypothesis import given
from hypothesis import strategies as st

from enid.guest.netconfig import FIRST_TABLE, altnames, is_own_rule, wanted
from enid.netlink.routes import MAIN
from enid.netlink.rules import Rule

LEFT = port(0, "10.0.1.0/24", "10.0.1.10", "10.0.1.11")
RIGHT = port(1, "10.0.2.0/25", "10.0.2.10")
DUAL = port(2, "10.0.3.0/24", "10.0.3.10", "2001:db8:3::10", block6="2001:db8:3::/64")
DEVICES = {"eni-0": 2, "eni-1": 3, "eni-2": 4}


def test_the_primary_has_the_subnets_prefix_and_the_others_stand_alone() -> None:
    found = {str(each.interface) for each in wanted([LEFT, RIGHT, DUAL], DEVICES).addresses}
    assert found == {"10.0.1.10/24", "10.0.1.11/32", "10.0.2.10/25", "10.0.3.10/24", "2001:db8:3::10/128"}


def test_whatever_is_sent_from_an_address_is_looked_up_in_its_interfaces_table() -> None:
    rules = {(str(rule.source), rule.table) for rule in wanted([LEFT, RIGHT, DUAL], DEVICES).rules}
    assert rules == {
        ("10.0.1.10/32", 10000),
        ("10.0.1.11/32", 10000),
        ("10.0.2.10/32", 10001),
        ("10.0.3.10/32", 10002),
        ("2001:db8:3::10/128", 10002),
    }


def test_each_table_has_its_own_gateway() -> None:
    routes = wanted([LEFT, RIGHT, DUAL], DEVICES).routes
    defaults = {(r.table, str(r.gateway), r.device) for r in routes if r.table != MAIN and r.destination.prefixlen == 0}
    assert defaults == {
        (10000, "10.0.1.1", 2),
        (10001, "10.0.2.1", 3),
        (10002, "10.0.3.1", 4),
        (10002, "fe80::1", 4),
    }


def test_in_the_main_table_the_lowest_device_index_wins_whatever_the_order() -> None:
    routes = wanted([DUAL, RIGHT, LEFT], DEVICES).routes
    main = [route for route in routes if route.table == MAIN and route.destination == ip_network("0.0.0.0/0")]
    assert min(main, key=lambda route: route.metric).device == DEVICES["eni-0"]
    assert [route.metric for route in main] == [512, 513, 514]


def test_two_interfaces_of_one_subnet_do_not_collide() -> None:
    twin = port(1, "10.0.1.0/24", "10.0.1.20")
    routes = wanted([LEFT, twin], DEVICES).routes
    keys = [(route.destination, route.table, route.metric) for route in routes]
    assert len(set(keys)) == len(keys)


def test_places_on_different_network_cards_do_not_collide() -> None:
    places = [port(index, "10.0.1.0/24", card=card) for card in (0, 1, 31) for index in (0, 1, 99)]
    assert len({each.device for each in places}) == len({each.number for each in places}) == 9
    assert [each.device for each in places[:4]] == ["eth0", "eth1", "eth99", "eth100"]
    assert all(len(each.device) <= 15 for each in places), "the kernel's longest name"
    first, second = port(1, "10.0.1.0/24", "10.0.1.5"), port(1, "10.0.1.0/24", "10.0.1.6", card=1, eni="eni-2")
    found = wanted([first, second], {first.id: 2, second.id: 3})
    assert {rule.table for rule in found.rules} == {10001, 10101}
    assert all(is_own_rule(rule) for rule in found.rules)


def test_an_interface_can_be_found_by_its_id_and_number() -> None:
    assert altnames(RIGHT) == ("eni-1", "device-number-1")
    assert altnames(port(1, "10.0.2.0/24", "10.0.2.10", card=1)) == ("eni-1", "device-number-1.1")


def test_the_guests_own_rules_are_not_enids() -> None:
    assert not is_own_rule(Rule(4, 100, 10000, ip_network("10.0.0.1/32")))
    assert not is_own_rule(Rule(4, 32766, MAIN))
    assert not is_own_rule(Rule(4, FIRST_TABLE, FIRST_TABLE))


@given(st.lists(st.integers(2, 250), min_size=1, max_size=30, unique=True), st.integers(0, 15))
def test_every_address_is_configured_and_has_a_rule(last: list[int], index: int) -> None:
    addresses = [f"10.0.7.{number}" for number in last]
    another = port(index + 1, "10.0.8.0/24", "10.0.8.1")
    made = wanted([port(index, "10.0.7.0/24", *addresses), another], {f"eni-{index}": 9, another.id: 10})
    addresses.append("10.0.8.1")
    assert {str(each.interface.ip) for each in made.addresses} == set(addresses)
    assert {rule.source.network_address for rule in made.rules} == {ip_address(each) for each in addresses}
    assert all(is_own_rule(rule) for rule in made.rules)
    assert sum(each.interface.network.prefixlen == 24 for each in made.addresses) == 2


def test_a_lone_interface_needs_no_rule() -> None:
    made = wanted([LEFT], DEVICES)
    assert made.rules == ()
    assert (made.addresses, made.routes) != ((), ())
