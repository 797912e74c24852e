"""Importing this module registers every operation: each module of the package does so when it is imported."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import enid.ec2

for _module in pkgutil.iter_modules(enid.ec2.__path__):
    import_module(f"enid.ec2.{_module.name}")
