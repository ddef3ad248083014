"""Which order ids the engine has met, in bounded memory."""

from collections import OrderedDict
from typing import Final

IDS_REMEMBERED: Final = 1 << 20
"""How far below the highest accepted id a repeated id is still told from a new one."""
TOMBSTONES_MAX: Final = 1_000_000
"""More tombstones than this push out the oldest."""


class SeenOrders:
    """Order ids that were accepted, and tombstones of ids cancelled before they arrived.

    The gate numbers orders upwards, so accepted ids are one byte each in a ring under the highest.
    An id further below than the ring reaches counts as accepted: a late copy must never trade
    twice. `tombstones` is ordered by age.
    """

    __slots__ = ("_ring", "_tombstones_max", "highest", "tombstones")

    def __init__(self, tombstones_max: int = TOMBSTONES_MAX) -> None:
        self._tombstones_max = tombstones_max
        self.tombstones: OrderedDict[int, None] = OrderedDict()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._ring = bytearray(IDS_REMEMBERED)
        self.highest = 0
        self.tombstones.clear()

    def accepted(self, order_id: int) -> bool:
        """Tell whether an order of this id was accepted before; none above `highest` was."""
        if order_id > self.highest:
            return False
        if order_id <= self.highest - IDS_REMEMBERED:
            return True
        return self._ring[order_id % IDS_REMEMBERED] != 0

    def accept(self, order_id: int) -> None:
        """Remember an accepted id."""
        ahead = order_id - self.highest
        if ahead > 0:
            if ahead >= IDS_REMEMBERED:
                self._ring = bytearray(IDS_REMEMBERED)
            elif ahead > 1:
                for skipped in range(self.highest + 1, order_id):
                    self._ring[skipped % IDS_REMEMBERED] = 0
            self.highest = order_id
        self._ring[order_id % IDS_REMEMBERED] = 1

    def bury(self, order_id: int) -> None:
        """Keep a cancel of an id never accepted, against its late arrival."""
        if self.accepted(order_id):
            return
        self.tombstones[order_id] = None
        if len(self.tombstones) > self._tombstones_max:
            self.tombstones.popitem(last=False)

    def ring(self) -> bytes:
        """Return the bytes of accepted ids, for a snapshot."""
        return bytes(self._ring)

    def restore(self, highest: int, ring: bytes, tombstones: list[int]) -> None:
        """Put back what was stored; `ring` must have been stored by the same layout.

        Raises ValueError when it was not.
        """
        if len(ring) != IDS_REMEMBERED:
            raise ValueError(f"a ring of {len(ring)} order ids; {IDS_REMEMBERED} are kept here")
        self.highest = highest
        self._ring = bytearray(ring)
        self.tombstones = OrderedDict.fromkeys(tombstones)
