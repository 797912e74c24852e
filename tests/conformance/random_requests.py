"""Requests made up from botocore's model and from what a store holds: half of them nearly right.

Everything comes from one :class:`random.Random`, so that a seed makes the same requests again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any

from botocore.model import OperationModel, Shape
from plausible_calls import PLAUSIBLE
from requests_from_model import EXOTIC, LIKELY, NUMBERS, PREFIXES, WORDS

Flat = dict[str, str]
"""A request as the query protocol writes it."""

ID = re.compile(rb"\b((?:[a-z]+-)+0[0-9a-f]{16})\b")
IP = re.compile(rb"<(?:publicIp|ipv6Address|ipv6CidrBlock)>([0-9a-f.:/]+)<")
_PLACE = re.compile(r"<([a-z-]+?)(-1)?>")
_FOREIGN = ("ü", "日本", "\u202e", "𝕏", "\u0301", "\ufeff", "\x7f", "'", '"', "<&>", "%00", "\n", "-- ", "x" * 5000)
_ODD_NUMBERS = ("", "1e3", "0x10", "+1", "-0", "٣", "1.0", "9" * 30, "NaN", "true")
_MOST_IDS = 12
"""Of a kind: the newest, so that calls meet in the same few things."""


class Known:
    """What the answers have told so far."""

    def __init__(self, rng: Random, accounts: Sequence[str]) -> None:
        self._rng, self._accounts = rng, accounts
        self._ids: defaultdict[str, list[str]] = defaultdict(list)
        self._first: dict[str, str] = {}

    def learn(self, answer: bytes) -> None:
        for found in ID.findall(answer):
            self._add(found.decode().rpartition("-")[0], found.decode())
        for found in IP.findall(answer):
            self._add("ipv6" if b":" in found else "ip", found.decode())

    def _add(self, kind: str, value: str) -> None:
        self._first.setdefault(kind, value)
        if value not in self._ids[kind]:
            self._ids[kind].append(value)
            del self._ids[kind][:-_MOST_IDS]

    def id(self, kind: str, *, first: bool = False) -> str:
        if kind == "account":
            return self._rng.choice(self._accounts)
        if not self._ids[kind]:
            return f"{kind}-{self._rng.getrandbits(64):017x}"
        return self._first[kind] if first else self._rng.choice(self._ids[kind])

    def any_id(self) -> str:
        return self.id(self._rng.choice([kind for kind, ids in self._ids.items() if ids]))

    def filled(self, value: Any) -> Any:
        """A plausible request with its places filled in."""
        if isinstance(value, dict):
            return {name: self.filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if not isinstance(value, str):
            return value
        value = value.replace("<#>", str(self._rng.randrange(4, 14)))
        return _PLACE.sub(lambda match: self.id(match[1], first=bool(match[2])), value)


class Requests:
    def __init__(self, rng: Random, known: Known) -> None:
        self._rng, self._known = rng, known

    def of(self, model: OperationModel) -> dict[str, Any]:
        """Parameters under the model's member names: plausible, plausible but for a member or two, or anything."""
        shape, plausible = model.input_shape, PLAUSIBLE.get(model.name)
        if shape is None:
            return {}
        if not plausible or self._chance(0.3):
            return self._structure(shape, 0)
        params = dict(self._known.filled(self._rng.choice(plausible)))
        for _ in range(self._rng.choice((0, 0, 0, 1, 1, 2))):
            name = self._rng.choice(sorted(shape.members))
            if params and self._chance(0.2):
                params.pop(self._rng.choice(sorted(params)))
            elif name not in ("DryRun", "ClientToken"):
                params[name] = self._member(shape, name, 0)
        return params

    def spoilt(self, flat: Flat) -> Flat:
        """The same, with something about it that no client's library would write."""
        names = sorted(set(flat) - {"Action", "Version"})
        name = self._rng.choice(names) if names else "X"
        match self._rng.randrange(7):
            case 0:
                return {**flat, name: self._odd()}
            case 1:
                return {**flat, f"{name}.{self._rng.choice(('1', '0', 'x', '', '99999999999'))}": self._odd()}
            case 2:
                return {**flat, self._odd() or "Y": "1"}
            case 3:
                return {key: value for key, value in flat.items() if key != name}
            case 4:
                return {
                    **flat,
                    **{f"{name.rpartition('.')[0] or 'InstanceId'}.{n}": flat.get(name, "") for n in range(600)},
                }
            case 5:
                return {**flat, re.sub(r"\d+", lambda found: "0" * 5 + found[0], name): flat.get(name, "")}
            case _:
                return {**flat, name: self._rng.choice(_ODD_NUMBERS)}

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _structure(self, shape: Shape, depth: int) -> dict[str, Any]:
        names = [name for name in shape.required_members if not self._chance(0.03)]
        others = sorted(set(shape.members) - set(names) - {"DryRun"})
        if self._chance(0.9):
            others = [name for name in others if not EXOTIC.search(name)]
        names += self._rng.sample(others, min(len(others), self._rng.choice((0, 1, 1, 2, 3))))
        return {name: self._member(shape, name, depth) for name in names}

    def _member(self, shape: Shape, name: str, depth: int) -> Any:
        member = shape.members[name]
        return self._filters(member) if name == "Filters" else self._value(name, member, depth + 1)

    def _filters(self, shape: Shape) -> list[dict[str, Any]]:
        documented = re.findall(r"<code>([a-z0-9.:-]+)</code>", shape.documentation) or ["state"]
        return [
            {
                "Name": self._rng.choice(documented if self._chance(0.9) else WORDS),
                "Values": [self._text("") for _ in range(self._rng.choice((0, 1, 1, 1, 2, 201)))],
            }
            for _ in range(self._rng.choice((0, 1, 1, 2)))
        ]

    def _value(self, name: str, shape: Shape, depth: int) -> Any:
        match shape.type_name:
            case "structure":
                return self._structure(shape, depth) if depth < 7 else {}
            case "list":
                values = [self._value(name, shape.member, depth) for _ in range(self._rng.choice((0, 1, 1, 1, 2, 3)))]
                repeat = self._chance(0.1) and depth < 3
                return values * self._rng.choice((2, 2, 60)) if repeat else values
            case "string":
                enum = getattr(shape, "enum", None)
                return self._rng.choice(enum) if enum and self._chance(0.95) else self._text(name)
            case "boolean":
                return self._chance(0.5)
            case "integer" | "long":
                return self._rng.choice(NUMBERS) if self._chance(0.8) else self._rng.randrange(-(2**63), 2**63)
            case "float" | "double":
                return self._rng.choice((0.0, -1.5, 1e300, float("inf"), float("nan")))
            case "blob":
                return self._rng.randbytes(self._rng.choice((0, 3, 40, 20_000)))
            case _:
                return datetime(self._rng.choice((1, 1970, 2026, 9999)), 1, 1)

    def _text(self, name: str) -> str:
        if self._chance(0.05):
            return self._odd()
        if self._chance(0.08):
            return self._known.any_id()
        prefixes = next((found for part, found in PREFIXES.items() if part in name), ())
        if prefixes and self._chance(0.97):
            return self._known.id(self._rng.choice(prefixes))
        return self._rng.choice(next((found for part, found in LIKELY.items() if part in name), WORDS))

    def _odd(self) -> str:
        return self._rng.choice((*WORDS, *_FOREIGN, *_ODD_NUMBERS))
