"""A pipeline with one funded account, for tests of what the book looks like after events."""

from typing import Any

from rules.book import Balance, Book, OpenOrder, SymbolFacts
from rules.decisions import Decision
from rules.events import (
    BalanceAdjusted,
    CommandResult,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    Fill,
    OrderTrade,
    Reference,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.values import BUY, FILLED, NEW, PARTIALLY_FILLED, PERMIT_TRADE, SYMBOL_TRADING
from tests.rules.order_world import (
    ACCOUNT,
    BASE,
    KEY,
    NOW_NS,
    OTHER_ACCOUNT,
    OTHER_KEY,
    OTHER_SYMBOL,
    OWNER,
    QUOTE,
    SYMBOL,
    e8,
    make_rulebook,
    place,
)

FUNDS_E8 = e8(1_000_000)


def fill(price_e8: int, quantity_e8: int, **changes: Any) -> Fill:
    """Return one execution, as a taker without commission unless changed."""
    fields: dict[str, Any] = {
        "trade_id": 1,
        "price_e8": price_e8,
        "quantity_e8": quantity_e8,
        "quote_e8": price_e8 * quantity_e8 // e8(1),
        "commission_e8": 0,
        "commission_asset": 0,
        "maker": False,
    }
    return Fill(**{**fields, **changes})


class Desk:
    """Applies events one after another; the clock moves only when told to."""

    def __init__(
        self, rules: dict[str, Any] | None = None, tariffs: dict[str, Any] | None = None
    ) -> None:
        self.pipeline = Pipeline(make_rulebook(rules or {}, tariffs))
        self.now_ns = NOW_NS
        self._engine_seq = 0
        for symbol, name in ((SYMBOL, "BTCUSDT"), (OTHER_SYMBOL, "BTCUSDC")):
            self.send(DefineSymbol(symbol, name, BASE, QUOTE, SYMBOL_TRADING, 0))
        for account, key in ((ACCOUNT, KEY), (OTHER_ACCOUNT, OTHER_KEY)):
            self.send(DefineAccount(account, f"a{account}", OWNER, "", 0))
            self.send(DefineKey(key, f"k{key}", account, PERMIT_TRADE, (), 0))
            for asset in (BASE, QUOTE):
                self.send(BalanceAdjusted(*self.begin(), account, asset, FUNDS_E8))

    @property
    def book(self) -> Book:
        """Return the pipeline's book."""
        return self.pipeline.book

    @property
    def facts(self) -> SymbolFacts:
        """Return the first symbol's facts."""
        return self.book.symbols[SYMBOL]

    def begin(self) -> tuple[int, int]:
        """Return the beginning of the engine's next report."""
        self._engine_seq += 1
        return self._engine_seq, self.now_ns

    def send(self, event: Event, course: Decision | None = None) -> Decision:
        """Apply one event."""
        return self.pipeline.apply(event, self.now_ns, course)

    def last(self, price_e8: int) -> None:
        """Let the market have traded just now."""
        self.send(Reference(SYMBOL, self.now_ns, price_e8, self.now_ns, 0, 0, 0, 0))

    def place(self, event: Event | None = None, **changes: Any) -> OpenOrder:
        """Place an order and return it, still in flight."""
        decision = self.send(event or place(**changes))
        return self.book.orders[decision.order_id]

    def answer(self, command_id: int, order_id: int = 0, status: int = NEW, **changes: Any) -> None:
        """Let the engine accept a command."""
        fields: dict[str, Any] = {"accepted": True, "reason": None, **changes}
        self.send(
            CommandResult(command_id, order_id, status=status, engine_ns=self.now_ns, **fields)
        )

    def refuse(self, command_id: int, reason: Reason, **changes: Any) -> None:
        """Let the engine refuse a command."""
        self.answer(command_id, 0, 0, accepted=False, reason=reason, **changes)

    def rest(self, **changes: Any) -> OpenOrder:
        """Place an order and let the engine confirm it."""
        order = self.place(**changes)
        self.answer(order.command_id, order.order_id)
        return order

    def trade(self, order: OpenOrder, one: Fill) -> None:
        """Let a resting order be executed."""
        done = order.filled_e8 + one.quantity_e8 >= order.quantity_e8
        status = FILLED if done else PARTIALLY_FILLED
        self.send(OrderTrade(*self.begin(), order.order_id, one, status))

    def balance(self, asset: int, account: int = ACCOUNT) -> Balance:
        """Return what an account holds."""
        return self.book.balances[account, asset]

    def reserved_e8(self, side: int = BUY) -> int:
        """Return what the account has reserved for a side's orders."""
        return self.balance(QUOTE if side == BUY else BASE).reserved_e8

    def gained_e8(self, asset: int, account: int = ACCOUNT) -> int:
        """Return how much more than at the beginning an account holds."""
        return self.balance(asset, account).total_e8 - FUNDS_E8
