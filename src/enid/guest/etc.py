"""Which files of the host's ``/etc`` an instance may see: an allow-list, so that what nobody thought of stays hidden.

Three sources: names that hold no secrets by their nature; packaged configuration files that are still byte for byte
what the distribution shipped (a host's own changes, and with them its secrets, stay at home); and files written here.
Only decides; :mod:`enid.guest.image` copies.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

PUBLIC = (
    "alternatives", "bash.bashrc", "bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies",
    "debian_version", "default/locale", "ethertypes", "fedora-release", "gai.conf", "host.conf", "inputrc", "iproute2",
    "issue", "issue.net", "java-17-openjdk", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias",
    "locale.conf", "localtime", "login.defs", "magic", "mime.types", "networks", "os-release", "pam.d", "perl",
    "pki/ca-trust", "pki/tls/cert.pem", "pki/tls/certs", "pki/tls/openssl.cnf", "profile", "profile.d", "protocols",
    "python3", "redhat-release", "rpc", "services", "shells", "skel", "ssh/moduli", "ssl/cert.pem", "ssl/certs",
    "ssl/openssl.cnf", "system-release", "terminfo", "timezone", "vim",
)  # fmt: skip
"""Relative to ``/etc``; directories with everything below them."""

NEVER = re.compile(r"(^|/)(g?shadow|passwd|group)-?$|opasswd|ssh_host_|\.key$|^ssl/private|^sudoers|^machine-id|^enid")
"""Not even when a source above names it."""

HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
NSSWITCH = "".join(
    f"{database}: {sources}\n"
    for database, sources in {
        "passwd": "files",
        "group": "files",
        "shadow": "files",
        "hosts": "files dns",
        "networks": "files",
        "protocols": "files",
        "services": "files",
        "ethers": "files",
        "rpc": "files",
    }.items()
)
ENVIRONMENT = 'PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
SUDOERS = (
    'Defaults env_reset\nDefaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
    "root ALL=(ALL:ALL) ALL\nec2-user ALL=(ALL:ALL) NOPASSWD:ALL\n"
)
SSHD_CONFIG = (
    "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
    "KbdInteractiveAuthentication no\nUsePAM no\nX11Forwarding no\nPrintMotd no\nUseDNS no\nAcceptEnv LANG LC_*\n"
    "Subsystem sftp internal-sftp\n"
)
"""No PAM: in a sandbox its session modules would ask for powers that are not there."""

USER = "ec2-user"
USER_ID = 1000


def generated(passwd: str, group: str) -> dict[str, tuple[str, int]]:
    """Files written for every instance: path below ``/etc`` → (content, mode). Takes the host's user database."""
    users, groups = _system_lines(passwd), _system_lines(group)
    names = [line.split(":")[0] for line in users] + [USER]
    return {
        "passwd": ("".join(f"{line}\n" for line in [*map(_no_login, users), _user_line()]), 0o644),
        "group": ("".join(f"{line}\n" for line in [*map(_no_members, groups), f"{USER}:x:{USER_ID}:"]), 0o644),
        "shadow": ("".join(f"{name}:*:19000:0:99999:7:::\n" for name in names), 0o600),
        "gshadow": ("".join(f"{line.split(':')[0]}:*::\n" for line in [*groups, USER]), 0o600),
        "nsswitch.conf": (NSSWITCH, 0o644),
        "hosts": (HOSTS, 0o644),
        "resolv.conf": ("", 0o644),
        "environment": (ENVIRONMENT, 0o644),
        "fstab": ("", 0o644),
        "machine-id": ("", 0o444),
        "sudoers": (SUDOERS, 0o440),
        "ssh/sshd_config": (SSHD_CONFIG, 0o644),
        "ssh/ssh_config": ("Host *\n    SendEnv LANG LC_*\n", 0o644),
    }


def _system_lines(text: str) -> list[str]:
    """Entries of system users or groups: people of the host are none of the instance's business."""
    lines = [line for line in text.splitlines() if len(line.split(":")) >= 4 and line[:1] not in "+-#"]
    return [line for line in lines if (number := int(line.split(":")[2])) < 1000 or number == 65534]


def _no_login(line: str) -> str:
    name, _, uid, gid, _, home, *_ = line.split(":")
    shell = "/usr/sbin/nologin" if uid != "0" else "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
    return f"{name}:x:{uid}:{gid}:{name}:{'/root' if uid == '0' else home}:{shell}"


def _no_members(line: str) -> str:
    name, _, gid, _ = line.split(":")
    return f"{name}:x:{gid}:"


def _user_line() -> str:
    shell = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
    return f"{USER}:x:{USER_ID}:{USER_ID}:EC2 user:/home/{USER}:{shell}"


def unmodified_conffiles(dpkg_status: str, etc: Path) -> Iterator[str]:
    """Packaged configuration files (paths below ``etc``) whose content is still the package's."""
    for path, digest in re.findall(r"^ /etc/(\S+) ([0-9a-f]{32})$", dpkg_status, re.MULTILINE):
        file = etc / path
        try:
            same = not file.is_symlink() and hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == digest
        except OSError:
            continue
        if same:
            yield path


def allowed(path: str) -> bool:
    """Whether a path below ``/etc`` may be copied at all."""
    return not NEVER.search(path)
