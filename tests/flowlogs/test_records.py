"""Lines of a flow log: every field, the interface's own end, and records without a flow."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from flows import INTERFACE, log
from hypothesis import given
from hypothesis import strategies as st

from enid import flow_log_format
from enid.flowlogs import delivery, record
from enid.flowlogs.header import Header
from enid.flowlogs.window import Count, Sighting, Window, sightings

EVERY = log(fields=tuple(flow_log_format.VERSIONS))
COUNT = Count(3, 180, 1000, 1010, 18)


def seen(source: str, destination: str, *, egress: bool = False, accepted: bool = True, path: str = "-") -> Sighting:
    return Sighting("a1", egress, accepted, path, *(ip_address(end).packed for end in (source, destination)), 40, 80, 6)


def line(sighting: Sighting, each=EVERY) -> dict[str, str]:
    words = record.flow(each, INTERFACE, sighting, COUNT, "us-east-1").split(" ")
    return dict(zip(each.fields, words, strict=True))


def test_the_default_format_is_aws_s_version_2() -> None:
    words = record.flow(log(), INTERFACE, seen("10.0.2.7", "10.0.1.5"), COUNT, "us-east-1")
    assert words == "2 111111111111 eni-1 10.0.2.7 10.0.1.5 40 80 6 3 180 1000 1010 ACCEPT OK"


def test_every_field_has_its_value() -> None:
    found = line(seen("10.0.1.99", "10.0.2.7", egress=True, accepted=False, path="8"))
    nothing = {name for name in found if name.startswith(("ecs-", "sublocation-")) or name.endswith("-aws-service")}
    assert {name for name, value in found.items() if value == "-"} == nothing | {"reject-reason"}
    assert {name: found[name] for name in found if name not in nothing} == {
        "version": "8",
        "account-id": "111111111111",
        "interface-id": "eni-1",
        "srcaddr": "10.0.1.5",
        "dstaddr": "10.0.2.7",
        "srcport": "40",
        "dstport": "80",
        "protocol": "6",
        "packets": "3",
        "bytes": "180",
        "start": "1000",
        "end": "1010",
        "action": "REJECT",
        "log-status": "OK",
        "vpc-id": "vpc-1",
        "subnet-id": "subnet-1",
        "instance-id": "i-1",
        "tcp-flags": "18",
        "type": "IPv4",
        "pkt-srcaddr": "10.0.1.99",
        "pkt-dstaddr": "10.0.2.7",
        "region": "us-east-1",
        "az-id": "use1-az1",
        "flow-direction": "egress",
        "traffic-path": "8",
        "reject-reason": "-",
    }


@pytest.mark.parametrize(
    ("sighting", "shown", "real"),
    [
        (seen("10.0.2.7", "10.0.1.99"), ("10.0.2.7", "10.0.1.5"), ("10.0.2.7", "10.0.1.99")),
        (seen("10.0.9.9", "8.8.8.8", egress=True), ("10.0.1.5", "8.8.8.8"), ("10.0.9.9", "8.8.8.8")),
        (seen("2001:db8::6", "2001:db8::7", egress=True), ("2001:db8::6", "2001:db8::7"), None),
        (seen("2001:db8::9", "2001:db8::7", egress=True), ("2001:db8::5", "2001:db8::7"), None),
    ],
)
def test_the_interface_s_own_end_is_its_primary_address(
    sighting: Sighting, shown: tuple[str, str], real: tuple[str, str] | None
) -> None:
    found = line(sighting)
    assert (found["srcaddr"], found["dstaddr"]) == shown
    if real:
        assert (found["pkt-srcaddr"], found["pkt-dstaddr"]) == real


@given(st.permutations(list(flow_log_format.VERSIONS)), st.integers(1, 30))
def test_any_format_gives_its_fields_in_its_order(names: list[str], count: int) -> None:
    fields = tuple(names[:count])
    assert flow_log_format.parse(flow_log_format.text(fields)) == fields
    every = line(seen("10.0.2.7", "10.0.1.5"))
    some = line(seen("10.0.2.7", "10.0.1.5"), log(fields=fields))
    assert list(some) == list(fields)
    assert {name: value for name, value in some.items() if name != "version"} == {
        name: every[name] for name in fields if name != "version"
    }


@given(st.text(max_size=40))
def test_any_text_is_a_format_or_refused(given: str) -> None:
    try:
        fields = flow_log_format.parse(given)
    except ValueError:
        return
    assert flow_log_format.text(fields).split() == given.split()


def test_nothing_and_skipped() -> None:
    words = record.nothing(log(), INTERFACE, "us-east-1", 1000, 1060, record.NODATA)
    assert words == "2 111111111111 eni-1 - - - - - - - 1000 1060 - NODATA"


HEADER = Header(b"\n\0\0\1", b"\n\0\0\2", 40, 80, 6, 0, 60, 40)


@pytest.mark.parametrize(
    ("letter", "source", "destination", "expected"),
    [
        ("A", "a1", "a2", [("a1", True, True, "1"), ("a2", False, True, "-")]),
        ("I", "a1", "a2", [("a1", True, True, "1"), ("a2", False, False, "-")]),
        ("L", "a1", "a2", [("a1", True, False, "1")]),
        ("A", "a1", "internet", [("a1", True, True, "8")]),
        ("A", "a1", "n1", [("a1", True, True, "3")]),
        ("A", "a1", "p1", [("a1", True, True, "4")]),
        ("A", "p1", "a2", [("a2", False, True, "-")]),
        ("I", "p1", "a2", [("a2", False, False, "-")]),
        ("A", "internet", "a2", [("a2", False, True, "-")]),
        ("I", "internet", "a2", [("a2", False, False, "-")]),
        ("L", "n1", "a2", [("a2", False, False, "-")]),
    ],
)
def test_who_sees_a_packet_and_what_became_of_it(
    letter: str, source: str, destination: str, expected: list[tuple[str, bool, bool, str]]
) -> None:
    assert [one[:4] for one in sightings(letter, source, destination, HEADER)] == expected


def test_a_window_s_memory_is_bounded_and_what_is_left_out_is_told() -> None:
    window = Window(0, most=2)
    for host in range(3):
        window.add(seen(f"10.0.2.{host}", "10.0.1.5"), 1, 60, 2, 100)
        window.add(seen("10.0.2.0", "10.0.1.5"), 1, 60, 16, 101)
    counted = [count for _, count in window.flows()]
    assert [count.packets for count in counted] == [4, 1]
    assert (counted[0].first, counted[0].last, counted[0].flags, counted[0].bytes) == (100, 101, 18, 240)
    assert window.skipped == {"a1"}


MOMENT = 1_700_000_123
"""2023-11-14 22:15:23 UTC."""


def test_where_a_bucket_s_files_are() -> None:
    folder = "s3/traffic/office/AWSLogs/111111111111/vpcflowlogs/us-east-1/2023/11/14"
    path = delivery.path(log(destination="traffic/office"), "eni-1", "us-east-1", MOMENT)
    assert str(path.parent) == folder
    assert path.name.startswith("111111111111_vpcflowlogs_us-east-1_fl-1_20231114T2215Z_")
    hourly = delivery.path(log(destination="traffic/office", hourly=True), "eni-1", "us-east-1", MOMENT)
    assert str(hourly.parent) == f"{folder}/22"
    hive = delivery.path(log(hive=True, hourly=True), "eni-1", "us-east-1", MOMENT)
    assert str(hive.parent) == (
        "s3/traffic/AWSLogs/aws-account-id=111111111111/aws-service=vpcflowlogs/aws-region=us-east-1"
        "/year=2023/month=11/day=14/hour=22"
    )


def test_where_a_group_s_streams_are() -> None:
    each = log(destination_type="cloud-watch-logs", destination="/vpc/traffic", traffic_type="REJECT")
    path = delivery.path(each, "eni-1", "us-east-1", MOMENT)
    assert str(path) == "cloud-watch-logs/111111111111/vpc/traffic/eni-1-reject"


NAMES = st.text(alphabet="./ab%", max_size=12)


@given(NAMES, NAMES, NAMES, NAMES, st.sampled_from(("s3", "cloud-watch-logs")), st.booleans())
def test_no_name_leads_out_of_the_folder(
    name: str, account: str, id_: str, interface: str, kind: str, hive: bool
) -> None:
    """Not even one that only a hand in the store could have written."""
    each = log(id=id_, account_id=account, destination_type=kind, destination=name, hive=hive)
    path = delivery.path(each, interface, "us-east-1", MOMENT)
    assert not path.is_absolute()
    assert not {".", ".."} & set(path.parts)
    assert path.parts[0] == kind


def test_files_are_appended_to_and_a_bucket_s_name_their_fields(tmp_path: Path) -> None:
    for each, head in (
        (log(fields=("start", "end")), "start end\n"),
        (log(destination_type="cloud-watch-logs"), ""),
    ):
        file = Path(each.destination_type) / "file"
        delivery.append(tmp_path, each, {file: ["1 2"]})
        delivery.append(tmp_path, each, {file: ["3 4", "5 6"]})
        assert (tmp_path / file).read_text() == f"{head}1 2\n3 4\n5 6\n"
