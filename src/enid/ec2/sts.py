"""STS, as far as every tool needs it: who am I? Answered on the same endpoint as EC2."""

from __future__ import annotations

from enid.ec2.context import Context, Params, Result
from enid.ec2.registry import operation


@operation("GetCallerIdentity", service="sts")
def get_caller_identity(context: Context, _params: Params) -> Result:
    """The account. Access keys belong to accounts, not to users, so the caller is the account's root."""
    return {
        "Account": context.account_id,
        "Arn": f"arn:aws:iam::{context.account_id}:root",
        "UserId": context.user_id or context.account_id,
    }
