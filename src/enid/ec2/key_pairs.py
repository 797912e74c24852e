"""Key pairs: made here or imported. Only the public half is kept; the private one is shown once and forgotten.

Fingerprints are AWS's: SHA-1 of the PKCS#8 private key for RSA pairs made here, MD5 of the public key for imported RSA
keys, SHA-256 as OpenSSH has it for ED25519
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html).
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_ssh_public_key,
)
from sqlalchemy import ColumnElement, Row, delete, insert, select

from enid.ec2 import filters, tags
from enid.ec2.context import Context, Params, Result
from enid.ec2.describe import describe
from enid.ec2.errors import AwsError, invalid_parameter_value, missing_parameter, not_found, unsupported
from enid.ec2.registry import operation
from enid.store.ids import new_id
from enid.store.tables import key_pairs

PublicKey = RSAPublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class _Pair:
    """A key pair about to be stored."""

    type: str
    fingerprint: str
    public_key: str
    """OpenSSH: type and base64."""


def require(ctx: Context, name: str) -> None:
    """The account has a key pair of this name.

    :raises AwsError: ``InvalidKeyPair.NotFound``.
    """
    _require_names(ctx, [name])


@operation("CreateKeyPair")
def create_key_pair(ctx: Context, params: Params) -> Result:
    """Answers the private key: RSA as PKCS#1 PEM, ED25519 in OpenSSH's own format, as AWS does."""
    type_ = params.get("KeyType", "rsa")
    if type_ not in ("rsa", "ed25519"):
        raise invalid_parameter_value(f"Value ({type_}) for parameter KeyType is invalid.")
    if params.get("KeyFormat", "pem") != "pem":
        raise unsupported("Only the key format 'pem' is supported.")
    _check_name(ctx, params)
    pair, material = _generate_rsa() if type_ == "rsa" else _generate_ed25519()
    return _store(ctx, params, pair) | {"KeyMaterial": material}


@operation("ImportKeyPair")
def import_key_pair(ctx: Context, params: Params) -> Result:
    """Takes an OpenSSH public key, its base64 DER, or an RFC 4716 file.

    :raises AwsError: ``InvalidKey.Format``: none of these, or neither RSA nor ED25519.
    """
    _check_name(ctx, params)
    return _store(ctx, params, _imported(params.get("PublicKeyMaterial", b"")))


@operation("DeleteKeyPair")
def delete_key_pair(ctx: Context, params: Params) -> Result:
    """By name or by id; a pair that is not there is deleted already."""
    if "KeyPairId" in params:
        condition = key_pairs.c.id == params["KeyPairId"]
    elif "KeyName" in params:
        condition = key_pairs.c.name == params["KeyName"]
    else:
        raise missing_parameter("KeyName")
    statement = delete(key_pairs).where(key_pairs.c.account_id == ctx.account_id, condition)
    id_ = ctx.db.execute(statement.returning(key_pairs.c.id)).scalar_one_or_none()
    tags.forget(ctx, [id_] if id_ else [])
    return {"Return": True, "KeyPairId": id_}


_FILTERS = {
    "fingerprint": filters.text(key_pairs.c.fingerprint),
    "key-name": filters.text(key_pairs.c.name),
    "key-pair-id": filters.text(key_pairs.c.id),
}


@operation("DescribeKeyPairs")
def describe_key_pairs(ctx: Context, params: Params) -> Result:
    names = list(params.get("KeyNames", ()))
    _require_names(ctx, names)
    condition: ColumnElement[bool] | None = key_pairs.c.name.in_(names) if names else None
    rows, _ = describe(ctx, params, "key", _FILTERS, "KeyPairIds", condition=condition)
    shown = tags.shown(ctx, [row.id for row in rows])
    return {"KeyPairs": [_info(row, shown[row.id], params.get("IncludePublicKey", False)) for row in rows]}


def _info(row: Row[Any], tag_list: tags.TagList, with_key: bool) -> Result:
    return {
        "KeyPairId": row.id,
        "KeyName": row.name,
        "KeyType": row.type,
        "KeyFingerprint": row.fingerprint,
        "PublicKey": row.public_key if with_key else None,
        "CreateTime": row.created_at,
        "Tags": tag_list,
    }


def _require_names(ctx: Context, names: Sequence[str]) -> None:
    if names:
        query = select(key_pairs.c.name).where(key_pairs.c.account_id == ctx.account_id, key_pairs.c.name.in_(names))
        found = set(ctx.db.execute(query).scalars())
        for name in names:
            if name not in found:
                raise not_found("key", name)


def _check_name(ctx: Context, params: Params) -> None:
    name = params["KeyName"]
    if not name.strip() or len(name) > 255 or not name.isascii():
        raise invalid_parameter_value("The key name must be 1 to 255 ASCII characters.")
    query = select(key_pairs.c.id).where(key_pairs.c.account_id == ctx.account_id, key_pairs.c.name == name)
    if ctx.db.execute(query).first() is not None:
        raise AwsError("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")


def _store(ctx: Context, params: Params, pair: _Pair) -> Result:
    id_, name = new_id("key"), params["KeyName"]
    row = {
        "id": id_,
        "account_id": ctx.account_id,
        "name": name,
        "fingerprint": pair.fingerprint,
        "type": pair.type,
        "public_key": f"{pair.public_key} {name}",
        "created_at": ctx.now,
    }
    ctx.db.execute(insert(key_pairs), row)
    tag_list = tags.on_creation(ctx, params, "key-pair", [id_])
    return {"KeyPairId": id_, "KeyName": name, "KeyFingerprint": pair.fingerprint, "Tags": tag_list}


# --- keys and fingerprints --------------------------------------------------------------------------------------------


def _generate_rsa() -> tuple[_Pair, str]:
    key: RSAPrivateKey = generate_private_key(public_exponent=65537, key_size=2048)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    fingerprint = _colons(hashlib.sha1(der, usedforsecurity=False))
    return _Pair("rsa", fingerprint, _openssh(key.public_key())), pem.decode()


def _generate_ed25519() -> tuple[_Pair, str]:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return _public_pair(key.public_key()), pem.decode()


def _public_pair(key: PublicKey) -> _Pair:
    """The pair of an ED25519 key, or of an imported RSA key."""
    text = _openssh(key)
    if isinstance(key, Ed25519PublicKey):
        digest = hashlib.sha256(b64decode(text.split()[1])).digest()
        return _Pair("ed25519", b64encode(digest).decode(), text)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _Pair("rsa", _colons(hashlib.md5(der, usedforsecurity=False)), text)


def _openssh(key: PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _colons(digest: Any) -> str:
    return str(digest.digest().hex(":"))


def _imported(material: bytes | str) -> _Pair:
    data = material.encode() if isinstance(material, str) else material
    try:
        key = _load(data.strip())
    except (ValueError, IndexError, UnsupportedAlgorithm, binascii.Error):
        key = None
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise AwsError("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    return _public_pair(key)


def _load(data: bytes) -> Any:
    if data.startswith(b"---- BEGIN SSH2 PUBLIC KEY ----"):
        data = _rfc4716(data.decode())
    if data.startswith((b"ssh-", b"ecdsa-")):
        return load_ssh_public_key(data)
    return load_der_public_key(b64decode(data, validate=True))


def _rfc4716(text: str) -> bytes:
    """The OpenSSH line of an RFC 4716 file: its body is the same base64; the type stands at its beginning."""
    lines = iter(text.splitlines()[1:-1])
    body = ""
    for line in lines:
        if ":" in line:
            while line.endswith("\\"):
                line = next(lines, "")
        else:
            body += line.strip()
    blob = b64decode(body, validate=True)
    length = int.from_bytes(blob[:4])
    return blob[4 : 4 + length] + b" " + body.encode()
