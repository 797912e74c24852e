"""What an account may have, as old clients ask for it."""

from __future__ import annotations

from enid.ec2.context import Context, Params, Result
from enid.ec2.registry import operation


@operation("DescribeAccountAttributes")
def describe_account_attributes(ctx: Context, params: Params) -> Result:
    """VPC is the only platform, there is no default VPC, and the limits are the settings' quotas."""
    quotas = ctx.settings.quotas
    attributes = {
        "supported-platforms": "VPC",
        "default-vpc": "none",
        "max-instances": str(quotas.network_interfaces),  # each instance has at least one interface
        "max-elastic-ips": str(quotas.addresses),
        "vpc-max-elastic-ips": str(quotas.addresses),
        "vpc-max-security-groups-per-interface": str(quotas.security_groups_per_interface),
    }
    wanted = params.get("AttributeNames") or attributes
    return {
        "AccountAttributes": [
            {"AttributeName": name, "AttributeValues": [{"AttributeValue": value}]}
            for name, value in attributes.items()
            if name in wanted
        ]
    }
