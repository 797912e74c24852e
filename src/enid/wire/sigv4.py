"""AWS Signature Version 4, the server's side: is this request from the holder of the key, whole, meant for us, and now?

Both forms: the ``Authorization`` header and the presigned query string. Everything that decides what a request means is
covered: method, parameters, host, body (always its real hash: what a client *says* of its body counts for nothing),
and every ``x-amz-`` header. Source of the algorithm: the AWS General Reference, "Signature Version 4 signing process".

Pure functions; who holds which key is :mod:`enid.wire.keys`' to know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from enid.ec2.errors import AwsError
from enid.wire.request import Pairs, Request

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICES = frozenset(("ec2", "sts"))
SKEW = timedelta(minutes=5)
_LONGEST_EXPIRY = 604_800  # seconds: seven days

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([^,\s]+)", re.ASCII
)
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_HEADER_NAMES = re.compile(r"[a-z0-9_-]+(?:;[a-z0-9_-]+)*", re.ASCII)  # nothing that could forge a canonical line
_EXPIRES = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signer; believed only after :func:`check`."""

    access_key_id: str
    date: str
    region: str
    service: str
    timestamp: str
    signed_headers: str
    signature: str
    expires: timedelta | None
    """How long a presigned request is good; ``None`` for the header form."""
    has_token: bool


def read(request: Request) -> Claim:
    """The claim in ``request``'s header or query string.

    :raises AwsError: ``MissingAuthenticationToken``, ``IncompleteSignature``
    """
    if authorization := request.header_values(b"authorization"):
        return _from_header(request, authorization)
    query = dict(request.query_pairs)
    if "X-Amz-Signature" in query or "X-Amz-Credential" in query:
        return _from_query(query)
    message = "The request must contain a valid (registered) AWS access key ID."
    raise AwsError("MissingAuthenticationToken", message, 403)


def check(
    request: Request, claim: Claim, secret: str | None, region: str, now: datetime, services: frozenset[str] = SERVICES
) -> None:
    """Return when ``claim`` holds for ``request``.

    :param secret: of the claimed key; ``None`` when there is no such key
    :param region: the one we are
    :raises AwsError: ``AuthFailure`` (EC2), ``InvalidClientTokenId`` or ``SignatureDoesNotMatch`` (STS),
        ``RequestExpired``
    """
    if secret is None:
        raise _no_such_key(claim.service)
    if claim.has_token:
        raise _no_such_key(claim.service, "The access key is a lasting one and takes no session token.")
    if claim.service not in services:
        raise _mismatch(claim.service, f"The credential should be scoped to one of the services {sorted(services)}.")
    if claim.region != region or claim.date != claim.timestamp[:8]:
        raise _mismatch(claim.service, f"The credential should be scoped to region {region} and the day of signing.")
    _check_headers(request, claim)
    _check_time(claim, now)
    text = "\n".join((ALGORITHM, claim.timestamp, _scope(claim), _sha256(canonical(request, claim))))
    key = _signing_key(secret, claim.date, claim.region, claim.service)
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise _mismatch(claim.service)


def canonical(request: Request, claim: Claim) -> bytes:
    """The canonical request. The path is always ``/``: nothing else is served to signed calls."""
    names = claim.signed_headers.split(";")
    lines = [f"{name}:{_header(request, name)}\n" for name in names]
    pairs = request.query_pairs
    if claim.expires is not None:
        pairs = [pair for pair in pairs if pair[0] != "X-Amz-Signature"]
    parts = (request.method, "/", _query(pairs), "".join(lines), claim.signed_headers)
    return "\n".join((*parts, _sha256(request.body))).encode("latin-1")


def _from_header(request: Request, values: list[bytes]) -> Claim:
    match = _AUTHORIZATION.fullmatch(values[0].decode("latin-1"))
    if match is None or len(values) > 1:
        raise _incomplete("Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.")
    credential, signed_headers, signature = match.groups()
    timestamp = b",".join(request.header_values(b"x-amz-date")).decode("latin-1")
    has_token = bool(request.header_values(b"x-amz-security-token"))
    return _claim(credential, timestamp, signed_headers, signature, None, has_token)


def _from_query(query: dict[str, str]) -> Claim:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise _incomplete(f"X-Amz-Algorithm must be {ALGORITHM}.")
    try:
        credential, timestamp, signed_headers, signature, expires = (
            query[f"X-Amz-{name}"] for name in ("Credential", "Date", "SignedHeaders", "Signature", "Expires")
        )
    except KeyError as error:
        raise _incomplete(f"The query string must contain {error.args[0]}.") from None
    if not _EXPIRES.fullmatch(expires) or not 1 <= int(expires) <= _LONGEST_EXPIRY:
        raise _incomplete(f"X-Amz-Expires must be between 1 and {_LONGEST_EXPIRY} seconds.")
    lifetime = timedelta(seconds=int(expires))
    return _claim(credential, timestamp, signed_headers, signature, lifetime, "X-Amz-Security-Token" in query)


def _claim(
    credential: str, timestamp: str, signed_headers: str, signature: str, expires: timedelta | None, has_token: bool
) -> Claim:
    scope = credential.split("/")
    if len(scope) != 5 or scope[4] != "aws4_request":
        raise _incomplete("Credential must have the form key-id/date/region/service/aws4_request.")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise _incomplete("X-Amz-Date must be given as YYYYMMDD'T'HHMMSS'Z'.")
    if not _HEADER_NAMES.fullmatch(signed_headers):
        raise _incomplete("SignedHeaders must be header names in lower case, separated by semicolons.")
    if not (credential + signature).isascii():
        raise _incomplete("The signature's parts must be ASCII.")
    key_id, date, region, service, _ = scope
    return Claim(key_id, date, region, service, timestamp, signed_headers, signature, expires, has_token)


def _check_headers(request: Request, claim: Claim) -> None:
    """``host`` and every ``x-amz-`` header must be signed, or somebody on the way could change them."""
    names = claim.signed_headers.split(";")
    if "host" not in names or len(request.header_values(b"host")) != 1:
        raise _mismatch(claim.service, "'Host' must be a signed header.")
    for key, _ in request.headers:
        if key.startswith(b"x-amz-") and key.decode("latin-1") not in names:
            raise _mismatch(claim.service, f"'{key.decode('latin-1')}' must be a signed header.")


def _check_time(claim: Claim, now: datetime) -> None:
    try:
        signed = datetime.fromisoformat(claim.timestamp)
    except ValueError:
        raise _incomplete("X-Amz-Date is no date.") from None
    # Compared as distances from now: adding to a date near year 9999 would overflow.
    age = now - signed
    if not -SKEW <= age <= (claim.expires if claim.expires is not None else SKEW):
        dates = f"it is dated {claim.timestamp}, the time here is {now:%Y%m%dT%H%M%SZ}"
        raise AwsError("RequestExpired", f"Request has expired: {dates}.")


def _header(request: Request, name: str) -> str:
    values = request.header_values(name.encode("latin-1"))
    return b",".join(b" ".join(value.split()) for value in values).decode("latin-1")


def _query(pairs: Pairs) -> str:
    encoded = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in pairs)
    return "&".join(f"{key}={value}" for key, value in encoded)


def _scope(claim: Claim) -> str:
    return f"{claim.date}/{claim.region}/{claim.service}/aws4_request"


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteSignature", message)


def _no_such_key(service: str, hint: str = "") -> AwsError:
    if service == "sts":
        message = "The security token included in the request is invalid."
        return AwsError("InvalidClientTokenId", f"{message} {hint}".rstrip(), 403)
    return _mismatch(service, hint)


def _mismatch(service: str, hint: str = "") -> AwsError:
    if service == "sts":
        message = "The request signature we calculated does not match the signature you provided."
        return AwsError("SignatureDoesNotMatch", f"{message} {hint}".rstrip(), 403)
    message = "AWS was not able to validate the provided access credentials"
    return AwsError("AuthFailure", f"{message}. {hint}" if hint else message, 401)
