"""AWS's Signature Version 4 test suite: its requests to ``/``, each with the signature AWS publishes for it.

Source: "aws-sig-v4-test-suite" of the AWS General Reference. All were made with the key ``AKIDEXAMPLE`` on 30 August
2015 at 12:36:00 UTC for the service ``service`` in us-east-1. Left out: requests to other paths, which enid does not
serve, headers of several lines, which no HTTP parser of today takes, and session tokens, which no key of enid's has.
"""

from __future__ import annotations

from typing import NamedTuple

FORM = "application/x-www-form-urlencoded"


class Vector(NamedTuple):
    name: str
    method: str
    query: str
    headers: tuple[tuple[str, str], ...]
    """Signed beside ``Host`` and ``X-Amz-Date``."""
    body: bytes
    signature: str


GET = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
POST = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
POST_QUERY = "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

VECTORS = [
    Vector("get-vanilla", "GET", "", (), b"", GET),
    Vector(
        "get-vanilla-empty-query-key",
        "GET",
        "Param1=value1",
        (),
        b"",
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    Vector(
        "get-vanilla-query-order-key",
        "GET",
        "Param1=value2&Param1=Value1",
        (),
        b"",
        "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
    ),
    Vector(
        "get-vanilla-query-order-key-case",
        "GET",
        "Param2=value2&Param1=value1",
        (),
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    Vector(
        "get-vanilla-query-order-value",
        "GET",
        "Param1=value2&Param1=value1",
        (),
        b"",
        "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
    ),
    Vector(
        "get-vanilla-query-unreserved",
        "GET",
        f"{UNRESERVED}={UNRESERVED}",
        (),
        b"",
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    Vector(
        "get-vanilla-utf8-query",
        "GET",
        "%E1%88%B4=bar",
        (),
        b"",
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    Vector(
        "get-header-key-duplicate",
        "GET",
        "",
        (("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")),
        b"",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    Vector(
        "get-header-value-order",
        "GET",
        "",
        tuple(("My-Header1", f"value{number}") for number in (4, 1, 3, 2)),
        b"",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    Vector(
        "get-header-value-trim",
        "GET",
        "",
        (("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')),
        b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    Vector("post-vanilla", "POST", "", (), b"", POST),
    Vector("post-vanilla-query", "POST", "Param1=value1", (), b"", POST_QUERY),
    Vector("post-header-key-case", "POST", "", (), b"", POST),
    Vector(
        "post-header-key-sort",
        "POST",
        "",
        (("My-Header1", "value1"),),
        b"",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    Vector(
        "post-header-value-case",
        "POST",
        "",
        (("My-Header1", "VALUE1"),),
        b"",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    Vector(
        "post-x-www-form-urlencoded",
        "POST",
        "",
        (("Content-Type", FORM),),
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    Vector(
        "post-x-www-form-urlencoded-parameters",
        "POST",
        "",
        (("Content-Type", f"{FORM}; charset=utf8"),),
        b"Param1=value1",
        "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
    ),
]
