"""The folder tree is the architecture: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "enid"

ALLOWED = {
    "wire": {"ec2", "store"},
    "ec2": {"store", "topology"},
    "store": {"topology"},
    "topology": set(),
    "reconcile": {"store", "topology", "fabric", "guest"},
    "fabric": {"topology", "netlink", "bpf"},
    "guest": {"topology", "netlink"},
    "services": {"ec2", "store", "topology"},
    "flowlogs": {"store", "fabric", "netlink"},
    "vpn": {"store", "topology", "fabric", "netlink", "guest"},
    "netlink": set(),
    "bpf": set(),
    "supervisor": {"store", "wire", "reconcile", "fabric", "guest", "services", "flowlogs", "vpn"},
    "scenarios": {"store", "topology", "guest", "supervisor", "cli"},
    "cli": {"ec2", "store", "topology", "fabric", "guest", "netlink", "flowlogs", "vpn", "supervisor", "scenarios"},
}
"""Beside these, every layer may use the top-level modules (settings, clock, whole_file)."""


def imports(path: Path) -> set[str]:
    """The layers a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {name.split(".")[1] for name in names if name.startswith("enid.")}
    return found


@pytest.mark.parametrize("layer", sorted(ALLOWED))
def test_a_layer_imports_only_what_it_may(layer: str) -> None:
    for path in (SOURCE / layer).rglob("*.py"):
        forbidden = (imports(path) & set(ALLOWED)) - ALLOWED[layer] - {layer}
        assert not forbidden, f"{path.relative_to(SOURCE)} imports {sorted(forbidden)}"


def test_every_package_is_a_known_layer() -> None:
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(ALLOWED)
