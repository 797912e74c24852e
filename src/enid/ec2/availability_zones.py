"""Availability zones and the region. Both come from the settings; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable

from enid.ec2 import list_filters
from enid.ec2.context import Context, Params, Result
from enid.ec2.errors import AwsError, invalid_parameter_value
from enid.ec2.registry import operation
from enid.settings import Settings

_DIRECTIONS = {
    "northeast": "ne",
    "northwest": "nw",
    "southeast": "se",
    "southwest": "sw",
}


def zone_ids(settings: Settings) -> dict[str, str]:
    """Zone name → zone id: ``us-east-1a`` → ``use1-az1``, ``ap-southeast-2b`` → ``apse2-az2``."""
    head, *middle = settings.region.split("-")
    region = head + "".join(_DIRECTIONS.get(word, word[:1]) for word in middle)
    return {name: f"{region}-az{number}" for number, name in enumerate(settings.zone_names, 1)}


def resolve(settings: Settings, name: str | None, id_: str | None) -> tuple[str, str]:
    """(name, id) of the zone a request names by one or the other; the first zone when it names none.

    :raises AwsError: ``InvalidParameterValue`` for an unknown zone, or a name and an id of different zones.
    """
    zones = zone_ids(settings)
    if name is not None and name not in zones:
        raise _unknown(name, "availabilityZone", zones)
    if id_ is not None and id_ not in zones.values():
        raise _unknown(id_, "availabilityZoneId", zones.values())
    if name is None:
        name = next((zone for zone, zone_id in zones.items() if zone_id == id_), next(iter(zones)))
    if id_ is not None and zones[name] != id_:
        raise invalid_parameter_value(f"The zone {name} does not have the ID {id_}.")
    return name, zones[name]


def _unknown(value: str, parameter: str, known: Iterable[str]) -> AwsError:
    return invalid_parameter_value(
        f"Value ({value}) for parameter {parameter} is invalid. "
        f"Subnets can currently only be created in the following availability zones: {', '.join(known)}."
    )


_ZONE_FILTERS = {
    "group-long-name": lambda zone: (zone["GroupLongName"],),
    "group-name": lambda zone: (zone["GroupName"],),
    "message": lambda zone: (),
    "opt-in-status": lambda zone: (zone["OptInStatus"],),
    "parent-zone-id": lambda zone: (),
    "parent-zone-name": lambda zone: (),
    "region-name": lambda zone: (zone["RegionName"],),
    "state": lambda zone: (zone["State"],),
    "zone-id": lambda zone: (zone["ZoneId"],),
    "zone-name": lambda zone: (zone["ZoneName"],),
    "zone-type": lambda zone: (zone["ZoneType"],),
}


@operation("DescribeAvailabilityZones")
def describe_availability_zones(ctx: Context, params: Params) -> Result:
    """All zones are ordinary ones, open to every account; ``AllAvailabilityZones`` therefore adds none."""
    zones = [_zone(ctx, name, id_) for name, id_ in zone_ids(ctx.settings).items()]
    for member, key in (("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")):
        if wanted := params.get(member):
            unknown = set(wanted) - {zone[key] for zone in zones}
            if unknown:
                raise invalid_parameter_value(f"Invalid availability zones: [{', '.join(sorted(unknown))}]")
            zones = [zone for zone in zones if zone[key] in wanted]
    return {"AvailabilityZones": list_filters.keep(zones, params.get("Filters", ()), _ZONE_FILTERS)}


def _zone(ctx: Context, name: str, id_: str) -> Result:
    return {
        "ZoneName": name,
        "ZoneId": id_,
        "RegionName": ctx.region,
        "State": "available",
        "ZoneType": "availability-zone",
        "OptInStatus": "opt-in-not-required",
        "GroupName": f"{ctx.region}-zg-1",
        "GroupLongName": f"{ctx.region} 1",
        "NetworkBorderGroup": ctx.region,
        "Messages": [],
    }


_REGION_FILTERS = {
    "endpoint": lambda region: (region["Endpoint"],),
    "opt-in-status": lambda region: (region["OptInStatus"],),
    "region-name": lambda region: (region["RegionName"],),
}


@operation("DescribeRegions")
def describe_regions(ctx: Context, params: Params) -> Result:
    """There is one region, and its endpoint is where this call was answered: enid never points a client at AWS."""
    settings = ctx.settings
    region = {
        "RegionName": ctx.region,
        "Endpoint": f"{settings.listen}:{settings.port}",
        "OptInStatus": "opt-in-not-required",
    }
    if unknown := set(params.get("RegionNames", ())) - {ctx.region}:
        raise invalid_parameter_value(f"Invalid region names: [{', '.join(sorted(unknown))}]")
    return {"Regions": list_filters.keep([region], params.get("Filters", ()), _REGION_FILTERS)}
