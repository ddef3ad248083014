"""Counts behind an order-to-trade ratio, with the weights of RTS 9's Annex.

The rule counts with them per owner and symbol; a simulation counts a whole recording with them.
"""

from typing import Any, Final, NamedTuple

from rules.values import E8

WEIGHT_NEW: Final = 1
WEIGHT_CANCEL: Final = 1
WEIGHT_MODIFY: Final = 2
WEIGHT_IMMEDIATE_DELETED: Final = 1
"""What an IOC or FOK order counts more when its rest is deleted."""


class AnnexRow(NamedTuple):
    """One kind of order of RTS 9's Annex: what its messages count, and how they come in here."""

    kind: str
    new: int
    delete: int
    modify: int
    deleted_rest: int
    """Counted more when the venue deletes what is not executed at once."""
    legs: int
    """Orders it is sent as; each leg is a message of its own, so a row is legs times one order."""


ANNEX: Final = (
    AnnexRow("limit", 1, 1, 2, 0, 1),
    AnnexRow("stop", 1, 1, 2, 0, 1),
    AnnexRow("market", 1, 1, 2, 0, 1),
    AnnexRow("immediate or cancel", 1, 1, 2, 1, 1),
    AnnexRow("fill or kill", 1, 1, 2, 1, 1),
    AnnexRow("iceberg", 1, 1, 2, 0, 1),
    AnnexRow("market to limit", 1, 1, 2, 0, 1),
    AnnexRow("quote", 2, 2, 4, 0, 2),
    AnnexRow("peg", 1, 1, 2, 0, 1),
    AnnexRow("trailing stop", 1, 1, 2, 0, 1),
    AnnexRow("at best limit", 1, 1, 2, 0, 1),
    AnnexRow("one cancels the other", 2, 2, 4, 0, 2),
)
"""The Annex. What the venue does by itself counts nothing: a stop that is triggered, an iceberg that
shows its next slice, a peg that follows the price, the leg that goes when the other one trades."""


class RatioCounts:
    """What one owner did in one symbol in one session; volumes in 1e-8 of the base asset."""

    __slots__ = (
        "amends",
        "cancels",
        "number",
        "orders",
        "rejected",
        "trades",
        "volume_e8",
        "volume_traded_e8",
    )

    def __init__(self) -> None:
        self.number = 0
        """Messages with the weights of the Annex."""
        self.volume_e8 = 0
        """Quantity submitted and deleted."""
        self.trades = 0
        """Executions, partial ones too."""
        self.volume_traded_e8 = 0
        self.orders = 0
        """New orders, replacements included."""
        self.cancels = 0
        """Orders a client asked to cancel, replacements included."""
        self.amends = 0
        self.rejected = 0
        """Messages refused, with their weights; in `number` too where the clause counts them."""

    def plus(self, other: "RatioCounts", sign: int = 1) -> "RatioCounts":
        """Return these counts and `other` together, or with -1 these without `other`."""
        made = RatioCounts()
        made.number = self.number + sign * other.number
        made.volume_e8 = self.volume_e8 + sign * other.volume_e8
        made.trades = self.trades + sign * other.trades
        made.volume_traded_e8 = self.volume_traded_e8 + sign * other.volume_traded_e8
        made.orders = self.orders + sign * other.orders
        made.cancels = self.cancels + sign * other.cancels
        made.amends = self.amends + sign * other.amends
        made.rejected = self.rejected + sign * other.rejected
        return made

    def state(self) -> list[Any]:
        """Return the counts as plain values; volumes as text, since they may pass 63 bits."""
        return [
            self.number,
            str(self.volume_e8),
            self.trades,
            str(self.volume_traded_e8),
            self.orders,
            self.cancels,
            self.amends,
            self.rejected,
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.number, volume, self.trades, traded = state[:4]
        self.volume_e8 = int(volume)
        self.volume_traded_e8 = int(traded)
        self.orders, self.cancels, self.amends, self.rejected = state[4:]


def ratio_e8(ordered: int, traded: int, floor: int) -> int | None:
    """Return ordered / max(traded, floor) - 1 in 1e-8, rounded up; None when nothing divides it.

    Rounded up, the result passes a limit of at most 8 places exactly when the true ratio does.
    """
    divisor = max(traded, floor)
    if divisor == 0:
        return None
    return -((divisor - ordered) * E8 // divisor)
