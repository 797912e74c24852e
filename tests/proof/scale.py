"""How much is tried, and from which seed.

``SOAK=1`` tries as much as ``make soak`` does, ``SOAK=0.1`` a tenth of it; without it, what CI has time for.
``SEED=n`` begins with that seed: what a failure prints.
"""

from __future__ import annotations

import os
import secrets

_SOAK = float(os.environ.get("SOAK") or 0)


def amount(ci: int, long: int) -> int:
    """How many to try."""
    return max(1, int(long * _SOAK)) if _SOAK else ci


def patience(busy: float) -> float:
    """Times as long as something may take: ``busy`` in CI, where other tests run beside it; a soak is alone."""
    return 1 if _SOAK else busy


def first_seed() -> int:
    """CI begins with the same seed each time, a soak with one of its own."""
    given = os.environ.get("SEED")
    if given:
        return int(given)
    return secrets.randbelow(1 << 40) if _SOAK else 1
