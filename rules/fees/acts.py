"""What somebody did, as the gate sees it, and which columns of a tariff's counts it belongs to."""

from collections.abc import Callable
from typing import Final, TypeAlias

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
UNKNOWN: Final = -1
"""A distance that can't be measured, because there is no price to measure from."""

ENTERED_VALUE: Final = "entered_value_e16"
"""Price times quantity of what was entered: what the average price is made of."""


class Act:
    """One thing one owner did in one symbol."""

    __slots__ = (
        "age_ns",
        "best_distance_e8",
        "kind",
        "last_distance_e8",
        "maker",
        "price_e8",
        "quantity_e8",
        "sold",
    )

    def __init__(
        self,
        kind: int,
        quantity_e8: int,
        price_e8: int = 0,
        age_ns: int = 0,
        best_distance_e8: int = 0,
        last_distance_e8: int = 0,
        maker: bool = False,
        sold: bool = False,
    ) -> None:
        self.kind = kind
        self.quantity_e8 = quantity_e8
        """Entered, left after a modification, taken off, or executed."""
        self.price_e8 = price_e8
        """0 for an order without a price; the amount of a charge."""
        self.age_ns = age_ns
        """How long a modified or cancelled order could be executed."""
        self.best_distance_e8 = best_distance_e8
        """How far an entered order is behind the best price of its side, as a share of it."""
        self.last_distance_e8 = last_distance_e8
        """How far an entered or modified order is from the last price, as a share of it."""
        self.maker = maker
        self.sold = sold


_Amount: TypeAlias = Callable[[Act], int]
"""What an act adds to one column, in 1e-8 units."""


class Counting:
    """Adds acts to rows of counts by one tariff's rules of counting."""

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
        self._amounts = {
            kind: tuple((column, amount) for column, amount in amounts if column in columns)
            for kind, amounts in self._all_amounts().items()
        }
        """What each kind of act adds to the columns the tariff needs."""

    def count(self, act: Act, row: dict[str, int]) -> None:
        """Add an act to a row that has the tariff's columns, in 1e-8 units."""
        for column, amount_of in self._amounts[act.kind]:
            # More can't be taken back than was counted, whatever an engine reports.
            row[column] = max(row[column] + amount_of(act), 0)
        if self._buckets and act.kind == CANCELLED:
            for end_ns, column in self._buckets:
                if act.age_ns < end_ns:
                    row[column] += E8
                    break

    def _all_amounts(self) -> dict[int, tuple[tuple[str, _Amount], ...]]:
        return {
            ENTERED: (
                ("orders", _one),
                ("ordered_volume", _quantity),
                (ENTERED_VALUE, _value_e16),
                ("weighted_orders", self._weight),
                ("exempt_orders", self._exempt),
            ),
            MODIFIED: (
                ("modifies", _one),
                ("modified_volume", _quantity),
                ("modified_fast", self._fast),
                ("exempt_orders", self._exempt),
            ),
            CANCELLED: (
                ("cancels", _one),
                ("cancelled_volume", _quantity),
                ("cancelled_fast", self._fast),
            ),
            CHARGED_AT_ONCE: ((CHARGES, _one), (CHARGED, _price)),
            TRADED: _TRADED_AMOUNTS,
            ANNULLED: tuple((column, _less(amount)) for column, amount in _TRADED_AMOUNTS),
        }

    def _fast(self, act: Act) -> int:
        return act.quantity_e8 if act.age_ns <= self._fast_ns else 0

    def _exempt(self, act: Act) -> int:
        return E8 if 0 <= act.last_distance_e8 <= self._exempt_e8 else 0

    def _weight(self, act: Act) -> int:
        if act.best_distance_e8 != UNKNOWN:
            for within_e8, weight_e8 in self._weights:
                if act.best_distance_e8 <= within_e8:
                    return weight_e8
        return self._beyond_e8


def _one(_act: Act) -> int:
    return E8


def _quantity(act: Act) -> int:
    return act.quantity_e8


def _price(act: Act) -> int:
    return act.price_e8


def _value_e16(act: Act) -> int:
    return act.price_e8 * act.quantity_e8


def _passive(act: Act) -> int:
    return act.quantity_e8 if act.maker else 0


def _aggressive(act: Act) -> int:
    return 0 if act.maker else act.quantity_e8


def _sold_value(act: Act) -> int:
    return act.price_e8 * act.quantity_e8 // E8 if act.sold else 0


def _less(amount: _Amount) -> _Amount:
    """Return what takes back the amounts of `amount`."""

    def taken_back(act: Act) -> int:
        return -amount(act)

    return taken_back


_TRADED_AMOUNTS: Final[tuple[tuple[str, _Amount], ...]] = (
    ("trades", _one),
    ("traded_volume", _quantity),
    ("passive_volume", _passive),
    ("aggressive_volume", _aggressive),
    ("sold_value", _sold_value),
)


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


def check_counting(tariff: Tariff) -> None:
    """Raise ValueError when a tariff does not say how to count what it needs."""
    counting = tariff.file.counting
    if "weighted_orders" in tariff.columns and not counting.weights:
        raise ValueError(f"tariff `{tariff.name}` has no counting.weights for weighted_orders")
    if "exempt_orders" in tariff.columns and not counting.exempt_within:
        raise ValueError(f"tariff `{tariff.name}` has no counting.exempt_within for exempt_orders")
