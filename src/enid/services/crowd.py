"""How many connections a VPC's instances may hold open, so that none of them, and no VPC, can take all there are."""

from __future__ import annotations

from collections import Counter

from enid.topology.records import Address

FROM_ONE = 64
"""Most from one address."""
FROM_ALL = 4096


class Crowd:
    """Of one VPC."""

    def __init__(self) -> None:
        self._inside: Counter[Address] = Counter()
        self._total = 0

    def enters(self, who: Address) -> bool:
        """Counts the connection; false when it is one too many. Either way it has to leave."""
        self._inside[who] += 1
        self._total += 1
        return self._inside[who] <= FROM_ONE and self._total <= FROM_ALL

    def leaves(self, who: Address) -> None:
        self._total -= 1
        self._inside[who] -= 1
        if not self._inside[who]:
            del self._inside[who]
