"""The parts of the assembled stack that check orders and match them.

They are nautilus_trader's RiskEngine and lightmatchingengine, which `make bench` installs. Where
one of them is missing, a sketch takes its place, and `LACKING` says so.
"""

from collections.abc import Iterable
from decimal import Decimal
from importlib.util import find_spec
from typing import Any, Final, Protocol

from sortedcontainers import SortedDict

TICK: Final = Decimal("0.01")
STEP: Final = Decimal("0.00001")
NOTIONAL_MIN: Final = Decimal(5)
TICKS: Final = 100
"""In one unit of price."""
LOTS: Final = 100_000
"""In one unit of quantity."""
SYMBOL: Final = "BTCUSDT"
RISK_ENGINE: Final = "nautilus_trader"
MATCHING_ENGINE: Final = "lightmatchingengine"
LACKING: Final = tuple(name for name in (RISK_ENGINE, MATCHING_ENGINE) if find_spec(name) is None)
"""Packages that are not installed."""


class Checks(Protocol):
    """Decides whether an order may pass."""

    def passes(self, account: str, side: str, quantity: str, price: str, name: str) -> bool:
        """Decide one order; amounts are decimal texts."""


class Resting(Protocol):
    """An order of a book."""

    order_id: int


class Book(Protocol):
    """Matches the orders of one symbol."""

    def place(self, side: str, quantity: str, price: str) -> Resting | None:
        """Return the order, None when the book refuses it."""

    def cancel(self, order: Any) -> bool:
        """Take an order out; tell whether it still rested."""


def checks_of(accounts: Iterable[str]) -> Checks:
    """Return RiskEngines, one for each account, or the sketch."""
    return DecimalChecks() if RISK_ENGINE in LACKING else RiskEngineChecks(accounts)


def book_of_parts() -> Book:
    """Return lightmatchingengine's book or the sketch."""
    return SortedBook() if MATCHING_ENGINE in LACKING else LightBook()


class RiskEngineChecks:
    """A RiskEngine for each account, which knows its balances."""

    def __init__(self, accounts: Iterable[str]) -> None:
        from tests.bench.risk_engine import AccountRisk

        self._engines = {name: AccountRisk(number) for number, name in enumerate(accounts)}

    def passes(self, account: str, side: str, quantity: str, price: str, name: str) -> bool:
        """Build the order and its command from the texts, and let the account's engine decide."""
        engine = self._engines[account]
        command = engine.command(side, quantity, price, name)
        engine.execute(command)
        return engine.outcome(command) is None


class DecimalChecks:
    """Tick, step and smallest value: no balances and no rate, so it is cheaper than an engine."""

    def passes(self, account: str, side: str, quantity: str, price: str, name: str) -> bool:
        """Check the amounts."""
        wanted, limit = Decimal(quantity), Decimal(price)
        return not (limit % TICK or wanted % STEP or limit * wanted < NOTIONAL_MIN)


class LightBook:
    """lightmatchingengine. It looks at all price levels for the best one of the other side."""

    def __init__(self) -> None:
        from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side

        self._engine = LightMatchingEngine()
        self._sides = {"BUY": Side.BUY, "SELL": Side.SELL}

    def place(self, side: str, quantity: str, price: str) -> Resting:
        """Match, and let the rest rest; whole ticks and lots keep its sums exact."""
        ticks, lots = round(float(price) * TICKS), round(float(quantity) * LOTS)
        order: Resting = self._engine.add_order(SYMBOL, ticks, lots, self._sides[side])[0]
        return order

    def cancel(self, order: Any) -> bool:
        """Take an order out; the engine can't be asked for one that has filled."""
        if not order.leaves_qty:
            return False
        return self._engine.cancel_order(order.order_id, SYMBOL) is not None


class _SortedOrder:
    __slots__ = ("level", "order_id", "side")

    def __init__(self, order_id: int, side: str, level: Decimal) -> None:
        self.order_id = order_id
        self.side = side
        self.level = level


class SortedBook:
    """Price levels on `sortedcontainers`; what would match is refused."""

    def __init__(self) -> None:
        self._levels: dict[str, Any] = {"BUY": SortedDict(), "SELL": SortedDict()}
        self._last_id = 0

    def place(self, side: str, quantity: str, price: str) -> Resting | None:
        """Let an order rest."""
        limit = Decimal(price)
        other = self._levels["SELL" if side == "BUY" else "BUY"]
        if other and (
            other.peekitem(0)[0] <= limit if side == "BUY" else other.peekitem(-1)[0] >= limit
        ):
            return None
        self._last_id += 1
        self._levels[side].setdefault(limit, {})[self._last_id] = Decimal(quantity)
        return _SortedOrder(self._last_id, side, limit)

    def cancel(self, order: Any) -> bool:
        """Take an order out."""
        levels = self._levels[order.side]
        level = levels.get(order.level, {})
        if level.pop(order.order_id, None) is None:
            return False
        if not level:
            del levels[order.level]
        return True
