"""The picture: what is in it, that it keeps its width, and that Graphviz accepts it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import (
    DUAL_HOMED,
    NAT_GATEWAY,
    VPC,
    WEB_PUBLIC,
    but,
    out_only,
    port,
    subnet,
    table,
    to_internet,
    to_port,
    world,
)

from enid.topology.canvas import HEAVY, Canvas, shorten
from enid.topology.picture import Labels, Picture, picture
from enid.topology.picture_dot import dot
from enid.topology.picture_json import document
from enid.topology.picture_text import draw
from enid.topology.records import Peering, Route, TargetKind, Vpc, World

NAMES = Labels({"vpc-1": "demo", "i-web": "web-1", "sg-web": "web"}, {"subnet-public": "us-east-1a"})


def text(drawn: Picture, width: int = 100) -> list[str]:
    return ["".join(word for word, _ in line) for line in draw(drawn, width)]


class TestTheModel:
    def test_subnets_that_share_an_instance_are_neighbours(self) -> None:
        """By address the private subnet would stand in the middle."""
        between = subnet("subnet-between", "10.0.1.128/25")
        wider = replace(VPC, subnets=(*VPC.subnets, between))
        order = [column.subnet.id for column in picture(but(DUAL_HOMED, wider), "vpc-1").columns]
        assert order.index("subnet-management") == order.index("subnet-public") + 1

    def test_an_empty_subnet_gets_its_table_from_outside(self) -> None:
        lonely = world(VPC, table("rtb-public", to_internet()))
        columns = picture(lonely, "vpc-1", tables={"subnet-public": "rtb-public"}).columns
        assert [len(column.routes) for column in columns] == [1, 0, 0]

    def test_other_vpcs_are_not_in_it(self) -> None:
        stranger = port("eni-x", "i-x", VPC.subnets[0], "rtb-public", "10.0.1.50", vpc="vpc-2")
        drawn = picture(but(DUAL_HOMED, stranger), "vpc-1")
        assert "i-x" not in [machine.id for machine in drawn.machines]

    def test_a_peer_is_called_by_its_name(self) -> None:
        peered = replace(VPC, peerings=(Peering("pcx-1", "vpc-9", (ip_network("10.9.0.0/16"),)),))
        way = Route(ip_network("10.9.0.0/16"), TargetKind.PEERING, "pcx-1")
        drawn = picture(but(DUAL_HOMED, peered, table("rtb-private", way)), "vpc-1", Labels({"vpc-9": "shared"}))
        assert drawn.target(way) == "peer shared"
        assert any("10.9.0.0/16 → peer shared" in line for line in text(drawn))
        assert "peer shared" in dot(drawn)

    def test_a_vpc_that_is_not(self) -> None:
        with pytest.raises(KeyError):
            picture(DUAL_HOMED, "vpc-9")


class TestTheTerminal:
    def test_an_instance_lies_across_its_subnets(self) -> None:
        lines = text(picture(DUAL_HOMED, "vpc-1", NAMES))
        (upper,) = [line for line in lines if "web-1" in line]
        assert upper.index("┏") < upper.index("┿") < upper.index("┓")
        (inside,) = [line for line in lines if "10.0.1.10" in line]
        assert "eth1  10.0.2.10" in inside

    def test_gateways_lead_to_the_subnets_that_use_them(self) -> None:
        lines = text(picture(DUAL_HOMED, "vpc-1", NAMES))
        (titles,) = [line for line in lines if "╭─ subnet-public" in line]
        public, management, private = titles.split("╮")[:3]
        assert "┴" in public
        assert "┴" in management
        assert "┴" not in private

    def test_it_shows_what_matters(self) -> None:
        whole = "\n".join(text(picture(DUAL_HOMED, "vpc-1", NAMES)))
        for word in ("demo", "vpc-1", "10.0.0.0/16", "us-east-1a", "client", "203.0.113.77", "192.168.0.0/16", "vpn-1"):
            assert word in whole
        for word in ("⇄ 198.18.0.5", "no source check", "0.0.0.0/0 → eni-nat", "VPN corp", "eni-web1", "i-app"):
            assert word in whole

    def test_routes_to_gateways_name_them(self) -> None:
        ways = table("rtb-private", to_port("0.0.0.0/0", "eni-natgw", "10.0.1.98"), out_only())
        whole = "\n".join(text(picture(but(DUAL_HOMED, NAT_GATEWAY, ways), "vpc-1", NAMES)))
        for word in ("0.0.0.0/0 → nat-1", "→ internet, egr", "NAT gateway", "⇄ 198.18.0.8"):
            assert word in whole

    def test_narrow_terminals_get_the_subnets_below_each_other(self) -> None:
        lines = text(picture(DUAL_HOMED, "vpc-1", NAMES), 60)
        starts = [line for line in lines if "╭─ subnet-" in line]
        assert len(starts) == 3
        assert any("in subnet-management" in line for line in lines)

    def test_roles_colour_and_change_nothing(self) -> None:
        drawn = draw(picture(DUAL_HOMED, "vpc-1", NAMES))
        roles = {role for line in drawn for word, role in line if word.strip()}
        assert {"internet", "site", "vpc", "subnet", "instance", "address", "public", "group", "id"} <= roles


@st.composite
def networks(draw_: st.DrawFn) -> World:
    """A VPC with up to seven subnets and instances with interfaces anywhere."""
    subnets = [subnet(f"subnet-{n:017x}", f"10.0.{n}.0/24") for n in range(draw_(st.integers(0, 7)))]
    records = [Vpc("vpc-1", (ip_network("10.0.0.0/16"),), tuple(subnets), draw_(st.booleans()))]
    enis = draw_(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(subnets)), max_size=8)) if subnets else []
    plugged = [
        port(f"eni-{n:017x}", f"i-{machine:017x}", where, "rtb-1", f"10.0.{where.id[-1]}.{n + 10}", index=n)
        for n, (machine, where) in enumerate(enis)
    ]
    return world(*records, *plugged, table("rtb-1", to_internet()))


@given(networks(), st.integers(60, 140))
def test_any_network_fits_any_width(of: World, width: int) -> None:
    lines = text(picture(of, "vpc-1"), width)
    assert {len(line) for line in lines if line.startswith(("│", "╰"))} <= {width}
    assert max(map(len, lines)) <= width


@given(networks())
def test_everything_is_in_the_picture_once(of: World) -> None:
    drawn = picture(of, "vpc-1")
    whole, graph = "\n".join(text(drawn)), dot(drawn)
    for record in of.values():
        if record.id.startswith("eni-"):
            assert whole.count(record.id) == 1
            assert f'"{record.id}" [label=' in graph
    for column in drawn.columns:
        assert whole.count(f"╭─ {column.subnet.id}") == 1


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_accepts_it_whatever_the_names() -> None:
    nasty = Labels({"i-web": 'a "b" <c> & \\', "vpc-1": '"}', "eni-web0": "<B>", "subnet-public": "ü\\n"})
    with_ipv6 = replace(WEB_PUBLIC, device_index=0, groups=())
    graph = dot(picture(but(DUAL_HOMED, with_ipv6), "vpc-1", nasty))
    result = subprocess.run(["dot", "-Tsvg"], input=graph, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "&lt;c&gt; &amp;" in result.stdout


class TestForScripts:
    def test_what_is_drawn_is_told(self) -> None:
        told = document(picture(DUAL_HOMED, "vpc-1", NAMES))
        assert (told["id"], told["name"]) == ("vpc-1", "demo")
        (public,) = [subnet for subnet in told["subnets"] if subnet["id"] == "subnet-public"]
        assert (public["zone"], public["route_table"]["id"]) == ("us-east-1a", "rtb-public")
        (way,) = public["routes"]
        assert (way["destination"], way["kind"], way["says"]) == ("0.0.0.0/0", "internet", "internet")
        (web,) = [machine for machine in told["instances"] if machine["name"] == "web-1"]
        eth0, eth1 = web["interfaces"]
        assert (eth0["device"], eth0["subnet"], eth1["subnet"]) == ("eth0", "subnet-public", "subnet-management")
        assert eth0["addresses"][0] == {"private": "10.0.1.10", "public": str(WEB_PUBLIC.public[0][1])}
        assert eth0["groups"] == [{"id": "sg-web", "name": "web"}]
        sites = {site["name"]: site for site in told["sites"]}
        assert (sites["corp"]["network"], len(sites["corp"]["vpn"])) == ("192.168.0.0/16", 1)
        assert sites["client"]["vpn"] == []

    @given(networks())
    def test_any_network_can_be_written(self, any_world: World) -> None:
        drawn = picture(any_world, "vpc-1")
        assert len(json.loads(json.dumps(document(drawn)))["subnets"]) == len(drawn.columns)


class TestTheCanvas:
    def test_lines_join_where_they_meet(self) -> None:
        sheet = Canvas(5)
        sheet.box(0, 0, 5, 3, "")
        sheet.down(2, 0, 2, "")
        sheet.across(0, 4, 1, "")
        assert ["".join(word for word, _ in line) for line in sheet.lines()] == ["╭─┬─╮", "├─┼─┤", "╰─┴─╯"]

    def test_a_heavy_line_crosses_a_light_one(self) -> None:
        sheet = Canvas(3)
        sheet.down(1, 0, 2, "light")
        sheet.across(0, 2, 1, "heavy", HEAVY)
        assert sheet.lines()[1][0][0][1] == "┿"

    @given(st.text(min_size=1), st.integers(0, 20))
    def test_shortening(self, word: str, room: int) -> None:
        short = shorten(word, room)
        assert len(short) <= room
        assert short == word or len(word) > room
