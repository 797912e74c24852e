"""Key pairs: keys that work, fingerprints that are AWS's, and the private key shown once."""

from __future__ import annotations

import hashlib
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from accounts import Account
from enid.ec2.errors import AwsError
from enid.ec2.key_pairs import _imported


def _openssh(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("type_", ["rsa", "ed25519"])
def test_a_created_pair_belongs_together(call: Account, tmp_path: Path, type_: str) -> None:
    created = call("CreateKeyPair", KeyName="mine", KeyType=type_)
    file = tmp_path / "key.pem"
    file.touch(mode=0o600)
    file.write_text(created["KeyMaterial"])
    public = subprocess.run(["ssh-keygen", "-y", "-f", file], capture_output=True, check=True, text=True).stdout
    (shown,) = call("DescribeKeyPairs", IncludePublicKey=True)["KeyPairs"]
    assert shown["PublicKey"].split()[:2] == public.split()[:2]
    assert shown["PublicKey"].split()[2] == "mine"
    assert shown["KeyType"] == type_


def test_the_default_is_rsa_in_the_old_pem_form(call: Account) -> None:
    created = call("CreateKeyPair", KeyName="mine")
    assert created["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert created["KeyPairId"].startswith("key-")


def test_fingerprint_of_a_created_rsa_pair_is_sha1_of_the_private_key(call: Account) -> None:
    created = call("CreateKeyPair", KeyName="mine")
    key = s.load_pem_private_key(created["KeyMaterial"].encode(), None)
    der = key.private_bytes(s.Encoding.DER, s.PrivateFormat.PKCS8, s.NoEncryption())
    assert created["KeyFingerprint"] == hashlib.sha1(der).digest().hex(":")


def test_fingerprint_of_an_ed25519_pair_is_openssh_s(call: Account) -> None:
    created = call("CreateKeyPair", KeyName="mine", KeyType="ed25519")
    (shown,) = call("DescribeKeyPairs", IncludePublicKey=True)["KeyPairs"]
    digest = hashlib.sha256(b64decode(shown["PublicKey"].split()[1])).digest()
    assert created["KeyFingerprint"] == b64encode(digest).decode()


def test_fingerprint_of_an_imported_rsa_key_is_md5_of_the_public_key(call: Account, rsa_key: rsa.RSAPrivateKey) -> None:
    imported = call("ImportKeyPair", KeyName="mine", PublicKeyMaterial=_openssh(rsa_key) + b" me@home")
    der = rsa_key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    assert imported["KeyFingerprint"] == hashlib.md5(der).digest().hex(":")


def test_the_forms_of_a_public_key_are_one_key(call: Account, rsa_key: rsa.RSAPrivateKey) -> None:
    openssh = _openssh(rsa_key)
    der = rsa_key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    rfc4716 = b"---- BEGIN SSH2 PUBLIC KEY ----\nComment: two\\\n lines\n%b\n---- END SSH2 PUBLIC KEY ----\n"
    forms = [openssh, b64encode(der), rfc4716 % openssh.split()[1]]
    prints = {
        call("ImportKeyPair", KeyName=f"form {index}", PublicKeyMaterial=form)["KeyFingerprint"]
        for index, form in enumerate(forms)
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    "material",
    [
        b"",
        b"ssh-rsa",
        b"ssh-rsa not-base64",
        b"ssh-ed25519 AAAA",
        b"AAAA",
        _openssh(ec.generate_private_key(ec.SECP256R1())),
        b"---- BEGIN SSH2 PUBLIC KEY ----\n---- END SSH2 PUBLIC KEY ----",
    ],
)
def test_what_is_no_key_is_refused(call: Account, material: bytes) -> None:
    error = call.refused("ImportKeyPair", KeyName="mine", PublicKeyMaterial=material)
    assert (error.code, error.message) == ("InvalidKey.Format", "Key is not in valid OpenSSH public key format")


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: b"ssh-rsa " + text.encode()))
def test_any_bytes_are_either_a_key_or_refused(material: bytes) -> None:
    with pytest.raises(AwsError, match=r"InvalidKey\.Format"):
        _imported(material)


def test_a_name_is_used_once_per_account(call: Account, second_account: Account) -> None:
    call("CreateKeyPair", KeyName="mine", KeyType="ed25519")
    error = call.refused("CreateKeyPair", KeyName="mine", KeyType="ed25519")
    assert (error.code, error.message) == ("InvalidKeyPair.Duplicate", "The keypair 'mine' already exists.")
    second_account("CreateKeyPair", KeyName="mine", KeyType="ed25519")
    assert len(call("DescribeKeyPairs")["KeyPairs"]) == 1


def test_ppk_is_refused_and_not_something_else_given(call: Account) -> None:
    assert call.refused("CreateKeyPair", KeyName="mine", KeyFormat="ppk").code == "UnsupportedOperation"


def test_describe_by_name_id_filter_and_tag(call: Account) -> None:
    tags = [{"ResourceType": "key-pair", "Tags": [{"Key": "team", "Value": "blue"}]}]
    one = call("CreateKeyPair", KeyName="one", KeyType="ed25519", TagSpecifications=tags)
    call("CreateKeyPair", KeyName="two", KeyType="ed25519")
    for request in (
        {"KeyNames": ["one"]},
        {"KeyPairIds": [one["KeyPairId"]]},
        {"Filters": [{"Name": "key-name", "Values": ["on?"]}]},
        {"Filters": [{"Name": "key-pair-id", "Values": [one["KeyPairId"]]}]},
        {"Filters": [{"Name": "fingerprint", "Values": [one["KeyFingerprint"]]}]},
        {"Filters": [{"Name": "tag:team", "Values": ["blue"]}]},
    ):
        (shown,) = call("DescribeKeyPairs", **request)["KeyPairs"]
        assert shown["KeyName"] == "one"
        assert shown["Tags"] == tags[0]["Tags"]
        assert "PublicKey" not in shown
    assert call.statements < 6


def test_names_and_ids_that_are_not_there_are_named(call: Account) -> None:
    error = call.refused("DescribeKeyPairs", KeyNames=["nobody"])
    assert (error.code, error.message) == ("InvalidKeyPair.NotFound", "The key pair 'nobody' does not exist")
    missing = "key-0123456789abcdef0"
    assert call.refused("DescribeKeyPairs", KeyPairIds=[missing]).code == "InvalidKeyPair.NotFound"


def test_delete_by_name_or_id_and_again(call: Account) -> None:
    first = call("CreateKeyPair", KeyName="one", KeyType="ed25519")["KeyPairId"]
    second = call("CreateKeyPair", KeyName="two", KeyType="ed25519")["KeyPairId"]
    assert call("DeleteKeyPair", KeyName="one") == {"Return": True, "KeyPairId": first}
    assert call("DeleteKeyPair", KeyPairId=second) == {"Return": True, "KeyPairId": second}
    assert call("DeleteKeyPair", KeyName="one") == {"Return": True}
    assert call.refused("DeleteKeyPair").code == "MissingParameter"


def test_another_account_s_pair_is_not_deleted(call: Account, second_account: Account) -> None:
    id_ = call("CreateKeyPair", KeyName="mine", KeyType="ed25519")["KeyPairId"]
    second_account("DeleteKeyPair", KeyPairId=id_)
    assert len(call("DescribeKeyPairs")["KeyPairs"]) == 1
