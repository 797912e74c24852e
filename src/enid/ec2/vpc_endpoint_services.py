"""The services of AWS that a VPC endpoint can be made for: their names and what kinds of endpoint they have.

None of them is here. The list is a selection: what networks in private subnets usually need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from enid.ec2 import list_filters
from enid.ec2.availability_zones import zone_ids
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import AwsError
from enid.ec2.registry import operation

GATEWAY, INTERFACE = "Gateway", "Interface"
WITH_GATEWAYS = ("dynamodb", "s3")
_INTERFACES = (
    "autoscaling",
    "cloudformation",
    "dynamodb",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "elasticloadbalancing",
    "events",
    "execute-api",
    "kinesis-streams",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "ssmmessages",
    "sts",
)


@dataclass(frozen=True, slots=True)
class Service:
    """A service and one kind of its endpoints: AWS lists S3 twice."""

    name: str
    """com.amazonaws.<region>.<service>"""
    kind: str

    @property
    def short(self) -> str:
        return self.name.split(".", 3)[3]


def of(ctx: Context) -> list[Service]:
    """All of them, by name."""
    pairs = [(GATEWAY, WITH_GATEWAYS), (INTERFACE, _INTERFACES)]
    found = [Service(f"com.amazonaws.{ctx.region}.{short}", kind) for kind, names in pairs for short in names]
    return sorted(found, key=lambda service: (service.name, service.kind))


def named(ctx: Context, name: str, kind: str) -> Service:
    """:raises AwsError: ``InvalidServiceName``; ``InvalidParameter`` for a kind the service does not have."""
    kinds = {service.kind: service for service in of(ctx) if service.name == name}
    if not kinds:
        raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    if kind not in kinds:
        raise AwsError(
            "InvalidParameter", f"Endpoint type ({kind}) does not match available service types ({list(kinds)})."
        )
    return kinds[kind]


_PROPERTIES: dict[str, Callable[[Service], Sequence[str]]] = {
    "owner": lambda service: ["amazon"],
    "service-name": lambda service: [service.name],
    "service-type": lambda service: [service.kind],
    "supported-ip-address-types": lambda service: ["ipv4"],
}


@operation("DescribeVpcEndpointServices")
def describe_vpc_endpoint_services(ctx: Context, params: Params) -> Result:
    found = of(ctx)
    wanted = params.get("ServiceNames", ())
    for name in wanted:
        if name not in {service.name for service in found}:
            raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    given = params.get("Filters", ())
    properties = {**_PROPERTIES, "service-region": lambda service: [ctx.region]}
    tagged = [name for filter_ in given if (name := filter_.get("Name", "")).startswith("tag")]
    properties |= dict.fromkeys(tagged, lambda service: [])
    chosen = list_filters.keep([one for one in found if not wanted or one.name in wanted], given, properties)
    page, token = slice_page(params, chosen, (1, 1000))
    return {
        "ServiceNames": sorted({service.name for service in page}),
        "ServiceDetails": [_shown(ctx, service) for service in page],
        "NextToken": token,
    }


def _shown(ctx: Context, service: Service) -> Result:
    return {
        "ServiceName": service.name,
        "ServiceType": [{"ServiceType": service.kind}],
        "ServiceRegion": ctx.region,
        "AvailabilityZones": list(ctx.settings.zone_names),
        "AvailabilityZoneIds": list(zone_ids(ctx.settings).values()),
        "Owner": "amazon",
        "BaseEndpointDnsNames": [f"{service.short}.{ctx.region}.vpce.amazonaws.com"],
        "VpcEndpointPolicySupported": True,
        "AcceptanceRequired": False,
        "ManagesVpcEndpoints": False,
        "SupportedIpAddressTypes": ["ipv4"],
        "Tags": [],
    }
