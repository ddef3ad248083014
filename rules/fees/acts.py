"""What somebody did, as the gate sees it, and which columns of a tariff's counts it belongs to."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from rules.fees.counts import CHARGED, CHARGES, bucket_age_ns, bucket_columns
from rules.fees.tariff import Tariff
from rules.texts import read_decimal, read_duration, read_switchable_decimal
from rules.values import E8

ENTERED: Final = 1
"""The engine took a new order."""
MODIFIED: Final = 2
"""The engine changed an order as its client asked."""
CANCELLED: Final = 3
"""The engine took an order off as its client asked."""
TRADED: Final = 4
"""An execution; each partial one is one."""
ANNULLED: Final = 5
"""The venue annulled an execution."""
CHARGED_AT_ONCE: Final = 6
"""What a decision has charged for was carried out."""
ACT_NAMES: Final = ("", "entered", "modified", "cancelled", "traded", "annulled", "charged")
UNKNOWN: Final = -1
"""A distance that can't be measured, because there is no price to measure from."""

ENTERED_VALUE: Final = "entered_value_e16"
"""Price times quantity of what was entered: what the average price is made of."""


class Act(NamedTuple):
    """One thing one owner did in one symbol."""

    kind: int
    quantity_e8: int
    """Entered, left after a modification, taken off, or executed."""
    price_e8: int = 0
    """0 for an order without a price; the amount of a charge."""
    age_ns: int = 0
    """How long a modified or cancelled order could be executed."""
    best_distance_e8: int = 0
    """How far an entered order is behind the best price of its side, as a share of it."""
    last_distance_e8: int = 0
    """How far an entered or modified order is from the last price, as a share of it."""
    maker: bool = False
    sold: bool = False


class Counting:
    """Tells the columns and amounts of an act by one tariff's rules of counting."""

    def __init__(self, tariff: Tariff, columns: tuple[str, ...]) -> None:
        clause = tariff.file.counting
        self._exempt_e8 = (
            read_switchable_decimal(clause.exempt_within) if clause.exempt_within else UNKNOWN
        )
        self._fast_ns = read_duration(clause.fast)
        self._weights = [
            (read_decimal(step.within), read_decimal(step.weight)) for step in clause.weights
        ]
        self._beyond_e8 = read_decimal(clause.beyond)
        self._buckets = [(bucket_age_ns(column), column) for column in bucket_columns(columns)]

    def amounts(self, act: Act) -> Iterator[tuple[str, int]]:
        """Yield (column, amount in 1e-8 units), also of columns the tariff does not need."""
        kind, quantity_e8 = act.kind, act.quantity_e8
        if kind == ENTERED:
            yield "orders", E8
            yield "ordered_volume", quantity_e8
            yield ENTERED_VALUE, act.price_e8 * quantity_e8
            yield "weighted_orders", self._weight_e8(act.best_distance_e8)
            yield "exempt_orders", self._exempt(act)
        elif kind == MODIFIED:
            yield "modifies", E8
            yield "modified_volume", quantity_e8
            yield "modified_fast", quantity_e8 if act.age_ns <= self._fast_ns else 0
            yield "exempt_orders", self._exempt(act)
        elif kind == CANCELLED:
            yield "cancels", E8
            yield "cancelled_volume", quantity_e8
            yield "cancelled_fast", quantity_e8 if act.age_ns <= self._fast_ns else 0
            for end_ns, column in self._buckets:
                if act.age_ns < end_ns:
                    yield column, E8
                    break
        elif kind == CHARGED_AT_ONCE:
            yield CHARGES, E8
            yield CHARGED, act.price_e8
        else:
            sign = 1 if kind == TRADED else -1
            yield "trades", sign * E8
            yield "traded_volume", sign * quantity_e8
            yield "passive_volume" if act.maker else "aggressive_volume", sign * quantity_e8
            if act.sold:
                yield "sold_value", sign * (act.price_e8 * quantity_e8 // E8)

    def _exempt(self, act: Act) -> int:
        return E8 if 0 <= act.last_distance_e8 <= self._exempt_e8 else 0

    def _weight_e8(self, distance_e8: int) -> int:
        if distance_e8 != UNKNOWN:
            for within_e8, weight_e8 in self._weights:
                if distance_e8 <= within_e8:
                    return weight_e8
        return self._beyond_e8


def distance_e8(price_e8: int, reference_e8: int) -> int:
    """Return how far a price is from another as a share of it, rounded up to 1e-8.

    Rounded up, it is within a share of at most 8 places exactly when the true distance is.
    An order without a price is at the market; without a reference the distance is `UNKNOWN`.
    """
    if not price_e8:
        return 0
    if not reference_e8:
        return UNKNOWN
    return -(-abs(price_e8 - reference_e8) * E8 // reference_e8)
