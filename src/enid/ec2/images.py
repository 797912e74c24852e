"""The one image there is: the sandbox, an overlay over a root file system of the machine enid runs on.

Its root device is shown as ``ebs`` because the disk behaves as an EBS volume's does: it survives stop and start. It is
everyone's, and nobody's to change, so there is no row for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import check_id, not_found
from enid.ec2.list_filters import keep
from enid.ec2.registry import operation

OWNER_ID = "000000000000"
"""No account of a user: the image comes with enid."""
ROOT_DEVICE_NAME = "/dev/sda1"

Image = Mapping[str, Any]

SANDBOX: Image = {
    "ImageId": "ami-0e1d5a9db0c0ffee0",
    "ImageLocation": "amazon/enid/sandbox",
    "ImageOwnerAlias": "amazon",
    "ImageType": "machine",
    "Name": "enid/sandbox",
    "Description": "A Linux sandbox: namespaces over an overlay of a root file system",
    "OwnerId": OWNER_ID,
    "Public": True,
    "State": "available",
    "Architecture": "x86_64",
    "VirtualizationType": "hvm",
    "Hypervisor": "xen",
    "RootDeviceType": "ebs",
    "RootDeviceName": ROOT_DEVICE_NAME,
    "BlockDeviceMappings": [],
    "CreationDate": "2026-01-01T00:00:00.000Z",
    "EnaSupport": True,
    "PlatformDetails": "Linux/UNIX",
    "UsageOperation": "RunInstances",
    "ImageAllowed": True,
    "FreeTierEligible": True,
}
IMAGES: Mapping[str, Image] = {SANDBOX["ImageId"]: SANDBOX}


def fetch(image_id: str) -> Image:
    """The image of this id.

    :raises AwsError: ``InvalidAMIID.Malformed`` or ``InvalidAMIID.NotFound``.
    """
    image = IMAGES.get(check_id("ami", image_id))
    if image is None:
        raise not_found("ami", image_id)
    return image


def _shown(member: str) -> Callable[[Image], Sequence[str]]:
    def texts(image: Image) -> Sequence[str]:
        value = image[member]
        return [str(value).lower() if isinstance(value, bool) else value]

    return texts


def _never(_image: Image) -> Sequence[str]:
    return ()


_MEMBERS = {
    "architecture": "Architecture",
    "creation-date": "CreationDate",
    "description": "Description",
    "ena-support": "EnaSupport",
    "free-tier-eligible": "FreeTierEligible",
    "hypervisor": "Hypervisor",
    "image-allowed": "ImageAllowed",
    "image-id": "ImageId",
    "image-type": "ImageType",
    "is-public": "Public",
    "manifest-location": "ImageLocation",
    "name": "Name",
    "owner-alias": "ImageOwnerAlias",
    "owner-id": "OwnerId",
    "root-device-name": "RootDeviceName",
    "root-device-type": "RootDeviceType",
    "state": "State",
    "virtualization-type": "VirtualizationType",
}
_SEVERITIES = ("informational", "low", "medium", "high", "critical")
_ABSENT = (
    *(f"block-device-mapping.{name}" for name in ("delete-on-termination", "device-name", "snapshot-id")),
    *(f"block-device-mapping.{name}" for name in ("volume-size", "volume-type", "encrypted")),
    *(f"image-watermark.source-image-{name}" for name in ("creation-time", "id", "region")),
    *(f"image-watermark.watermark-{name}" for name in ("creation-time", "key")),
    *(f"instance-type-specification.{name}-instance-type" for name in ("supported", "unsupported")),
    *(f"scan-result.{name}-fix-available-since" for name in _SEVERITIES),
    *("scan-result.finding-scan-date", "scan-result.highest-finding-severity-label"),
    *("boot-mode", "kernel-id", "platform", "product-code", "product-code.type", "public-ssm-parameter-name"),
    *("ramdisk-id", "source-image-id", "source-image-region", "source-instance-id", "sriov-net-support"),
    *("state-reason-code", "state-reason-message", "tag-key", "tag-value"),
)
"""What no image here has: such a filter selects nothing."""
_FILTERS: dict[str, Callable[[Image], Sequence[str]]] = {
    **{name: _shown(member) for name, member in _MEMBERS.items()},
    **dict.fromkeys(_ABSENT, _never),
}


@operation("DescribeImages")
def describe_images(ctx: Context, params: Params) -> Result:
    """By id, owner (``self``, ``amazon``, an account) and filter."""
    chosen = [fetch(id_) for id_ in dict.fromkeys(params.get("ImageIds", ()))] or list(IMAGES.values())
    owners, users = params.get("Owners", ()), params.get("ExecutableUsers", ())
    chosen = [image for image in chosen if _owned(ctx, image, owners) and (not users or "all" in users)]
    filters = params.get("Filters", ())
    tagged = {item.get("Name", ""): _never for item in filters if item.get("Name", "").startswith("tag:")}
    page, token = slice_page(params, keep(chosen, filters, _FILTERS | tagged), (1, 1000))
    return {"Images": [dict(image) for image in page], "NextToken": token}


def _owned(ctx: Context, image: Image, owners: Sequence[str]) -> bool:
    wanted = {ctx.account_id if owner == "self" else owner for owner in owners}
    return not wanted or bool(wanted & {image["OwnerId"], image["ImageOwnerAlias"]})
