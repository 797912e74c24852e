"""The envelope a refusal travels in: EC2's, or STS's."""

from __future__ import annotations

from enid.ec2.errors import AwsError
from enid.wire.encode import escape
from enid.wire.model import STS_VERSION


def envelope(service: str, error: AwsError, request_id: str) -> str:
    """The XML document for ``error`` as ``service`` (``ec2`` or ``sts``) writes it."""
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if service == "sts":
        kind = "Receiver" if error.status >= 500 else "Sender"
        return (
            f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/{STS_VERSION}/">'
            f"<Error><Type>{kind}</Type>{inner}</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{escape(request_id)}</RequestID></Response>"
    )
