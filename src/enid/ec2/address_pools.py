"""Pools of addresses an account has brought along or been given: there are none, and asking is answered so.

Public IPv4 addresses come from Amazon's pool, and so do IPv6 blocks; AWS lists neither among an account's pools.
"""

from __future__ import annotations

from enid.ec2 import filters
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import slice_page
from enid.ec2.errors import AwsError
from enid.ec2.registry import operation
