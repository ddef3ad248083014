"""A market of several owners behind one pipeline, for tests of what conduct rules find in it.

Prices and quantities are whole units here; one symbol has a tick of 1 and a least notional of 5.
Time stands still until told otherwise. Owner n has account n and key n; key 10 n is his second one.
"""

from typing import Any

import msgspec

from rules.conduct_facts import ConductFacts
from rules.decisions import ACCEPTED, Alert, Breach, Decision, LadderStep
from rules.endpoints import Endpoint
from rules.events import (
    ActOnCase,
    Amend,
    BalanceAdjusted,
    Cancel,
    CancelAll,
    CommandResult,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Ended,
    Event,
    Fill,
    LinkOwners,
    MarketOrder,
    MarketTrade,
    OrderTrade,
    Place,
    Reference,
)
from rules.pipeline import Pipeline
from rules.rule import Rule
from rules.rulebook import Rulebook, convert
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    AUTH_OK,
    BUY,
    CANCELED,
    CHANNEL_APP,
    CHANNEL_REST,
    E8,
    FILLED,
    GTC,
    IOC,
    LIMIT,
    NEW,
    NS_PER_SECOND,
    PARTIALLY_FILLED,
    PERMIT_TRADE,
    SELL,
    SYMBOL_TRADING,
)

SYMBOL, OTHER_SYMBOL, THIRD_SYMBOL = 1, 2, 3
SYMBOLS = (SYMBOL, OTHER_SYMBOL, THIRD_SYMBOL)
BASE, QUOTE = 1, 2
NOON_NS = 20_000 * 86_400 * NS_PER_SECOND + 12 * 3_600 * NS_PER_SECOND
OWNERS = 6
MAKER = 6
"""The owner whose account belongs to a market maker."""


class Market:
    """Applies events one after another and keeps what conduct rules told."""

    def __init__(
        self, rules: dict[str, Any], tariffs: dict[str, Any] | None = None, *, price: int = 1_000
    ) -> None:
        self.pipeline = Pipeline(conduct_rulebook(rules, tariffs))
        self.book = self.pipeline.book
        self.now_ns = NOON_NS
        self.alerts: list[Alert] = []
        self.steps: list[LadderStep] = []
        self.events: list[tuple[int, Event]] = []
        self._engine_seq = 0
        for symbol in SYMBOLS:
            self.send(DefineSymbol(symbol, f"S{symbol}", BASE, QUOTE, SYMBOL_TRADING, price * E8))
        for owner in range(1, OWNERS + 1):
            flags = ACCOUNT_MARKET_MAKER if owner == MAKER else 0
            self.send(DefineAccount(owner, f"a{owner}", owner, "", flags))
            for key in (owner, 10 * owner):
                self.send(DefineKey(key, f"k{key}", owner, PERMIT_TRADE, (), 0))
            for asset in (BASE, QUOTE):
                funds = BalanceAdjusted(*self.begin(), owner, asset, 2**60)
                self.send(funds)

    # --- Events -------------------------------------------------------------------------------

    def send(self, event: Event) -> Decision:
        """Apply one event; keep its alerts and the ladder's steps."""
        decision = self.pipeline.apply(event, self.now_ns)
        self.events.append((self.now_ns, event))
        self.alerts.extend(decision.alerts)
        self.steps.extend(decision.steps)
        return decision

    def begin(self) -> tuple[int, int]:
        """Return the beginning of the engine's next report."""
        self._engine_seq += 1
        return self._engine_seq, self.now_ns

    def wait(self, seconds: int = 0, ns: int = 0) -> None:
        """Let time pass."""
        self.now_ns += seconds * NS_PER_SECOND + ns

    def quote(self, bid: int, ask: int, *, symbol: int = SYMBOL, **levels: Any) -> None:
        """Report best bid and offer, the last price staying as it is."""
        facts = self.book.symbols[symbol]
        self.send(
            Reference(
                symbol, self.now_ns, facts.last_e8, facts.last_ns,
                bid * E8, E8, ask * E8, E8, **levels,
            )
        )  # fmt: skip

    def trade(self, price: int, quantity: int = 1, side: int = BUY, symbol: int = SYMBOL) -> None:
        """Report a trade of two strangers on another channel; `side` took."""
        self.outside_trade(price, quantity, side, 0, 0, symbol)

    def outside_trade(
        self, price: int, quantity: int, side: int, buyer: int, seller: int, symbol: int = SYMBOL
    ) -> None:
        """Report a trade of another channel between two owners; `side` took."""
        seq, now_ns = self.begin()
        self.send(
            MarketTrade(
                seq, now_ns, symbol, seq, price * E8, quantity * E8, 2 * seq, 2 * seq + 1,
                buyer, seller, CHANNEL_APP, CHANNEL_APP, side == SELL,
            )
        )  # fmt: skip

    def outside_pair(
        self, price: int, buyer: int, seller: int, buy_order: int, sell_order: int
    ) -> None:
        """Report a trade of two orders of another channel; the buyer took."""
        seq, now_ns = self.begin()
        self.send(
            MarketTrade(
                seq, now_ns, SYMBOL, seq, price * E8, E8, buy_order, sell_order, buyer, seller,
                CHANNEL_APP, CHANNEL_APP, False,
            )
        )  # fmt: skip

    def outside_order(
        self, number: int, owner: int, side: int, price: int, quantity: int, **changes: Any
    ) -> None:
        """Report an order of another channel."""
        fields = {"status": NEW, "filled_e8": 0, "symbol": SYMBOL, **changes}
        self.send(
            MarketOrder(
                *self.begin(), fields["symbol"], number, owner, owner, CHANNEL_APP, side, LIMIT,
                fields["status"], price * E8, quantity * E8, fields["filled_e8"],
            )
        )  # fmt: skip

    def link(self, *owners: int, group: int = 1) -> None:
        """Put owners into a group."""
        for owner in owners:
            self.send(LinkOwners(owner, group))

    def act(self, case: int, act: int, note: str = "") -> Decision:
        """Say or decide something about a case."""
        return self.send(ActOnCase(case, act, note, "operator"))

    # --- Orders -------------------------------------------------------------------------------

    def order(self, owner: int, side: int, price: int, quantity: int = 1, **changes: Any) -> Place:
        """Return a limit order."""
        key = changes.pop("key", owner)
        fields: dict[str, Any] = {
            "symbol": SYMBOL,
            "side": side,
            "order_type": LIMIT,
            "time_in_force": GTC,
            "price_e8": price * E8,
            "quantity_e8": quantity * E8,
            "quote_quantity_e8": 0,
            **changes,
        }
        return Place(*self._head(Endpoint.ORDER_PLACE, key), **fields)

    def rest(self, owner: int, side: int, price: int, quantity: int = 1, **changes: Any) -> int:
        """Place an order that rests; return its number. It must be accepted."""
        decision = self.send(self.order(owner, side, price, quantity, **changes))
        assert decision.verdict == ACCEPTED, decision.breaches
        self.answer(decision.order_id, NEW)
        return decision.order_id

    def answer(self, order_id: int, status: int, fills: tuple[Fill, ...] = ()) -> Decision:
        """Let the engine accept the command just sent."""
        command = self.book.current_seq
        return self.send(CommandResult(command, order_id, True, None, status, self.now_ns, fills))

    def cancel(self, owner: int, order_id: int, *, key: int = 0) -> Decision:
        """Cancel an order; return the decision on the engine's answer."""
        order = self.book.orders[order_id]
        self.send(self.cancel_request(key or owner, order_id))
        ended = (Ended(order_id, CANCELED, order.filled_e8),)
        command = self.book.current_seq
        return self.send(
            CommandResult(command, order_id, True, None, CANCELED, self.now_ns, (), ended)
        )

    def cancel_request(self, key: int, order_id: int) -> Cancel:
        """Return a client's cancel of one order."""
        symbol = self.book.orders[order_id].symbol
        return Cancel(*self._head(Endpoint.ORDER_CANCEL, key), symbol, order_id, "")

    def cancel_all(self, owner: int) -> Decision:
        """Cancel all orders of an owner; return the decision on the request, answered at once."""
        event = CancelAll(*self._head(Endpoint.OPEN_ORDERS_CANCEL, owner), SYMBOL)
        decision = self.send(event)
        ended = tuple(
            Ended(order_id, CANCELED, self.book.orders[order_id].filled_e8)
            for order_id in decision.cancels
        )
        if ended:
            command = self.book.current_seq
            self.send(CommandResult(command, 0, True, None, 0, self.now_ns, (), ended))
        return decision

    def amend(self, owner: int, order_id: int, *, price: int = 0, quantity: int = 0) -> Decision:
        """Ask for an amend; return the decision on the request. It is carried out if accepted."""
        order = self.book.orders[order_id]
        event = Amend(
            *self._head(Endpoint.ORDER_AMEND, owner), order.symbol, order_id, "",
            quantity * E8, price * E8,
        )  # fmt: skip
        decision = self.send(event)
        if decision.verdict == ACCEPTED:
            self.answer(order_id, NEW)
        return decision

    def take(
        self,
        owner: int,
        side: int,
        price: int,
        quantity: int = 1,
        *,
        maker: int = 0,
        maker_order: int = 0,
        symbol: int = SYMBOL,
        key: int = 0,
    ) -> Decision:
        """Let an IOC order execute wholly against an order of `maker`; 0: of a stranger.

        The maker's order rests since just now unless `maker_order` names one. Returns the decision
        on the taker's result.
        """
        if maker and not maker_order:
            other = SELL if side == BUY else BUY
            maker_order = self.rest(maker, other, price, quantity, symbol=symbol)
        place = self.order(
            owner, side, price, quantity, time_in_force=IOC, symbol=symbol, key=key or owner
        )
        return self.take_with(place, price, quantity, maker, maker_order)

    def take_with(
        self, place: Place, price: int, quantity: int, maker: int, maker_order: int
    ) -> Decision:
        """Let an order execute at a price against a resting one; 0: of strangers."""
        owner = self.book.accounts[self.book.account_of(place.key)].owner
        decision = self.send(place)
        assert decision.verdict == ACCEPTED, decision.breaches
        quote_e8 = price * quantity * E8
        fill = Fill(
            decision.order_id, price * E8, quantity * E8, quote_e8, 0, 0, False, maker_order, maker
        )
        told = self.answer(decision.order_id, FILLED, (fill,))
        if maker_order:
            order = self.book.orders[maker_order]
            done = order.filled_e8 + quantity * E8 >= order.quantity_e8
            other_fill = Fill(
                decision.order_id, price * E8, quantity * E8, quote_e8, 0, 0, True,
                decision.order_id, owner,
            )  # fmt: skip
            status = FILLED if done else PARTIALLY_FILLED
            self.send(OrderTrade(*self.begin(), maker_order, other_fill, status))
        return told

    def refused(self, event: Event) -> Breach | None:
        """Return the first breach of a request, None when it is accepted.

        What every rule that wants it explains must agree with what it says.
        """
        for rule in self.pipeline.rules:
            if type(event) in rule.wants:
                agree(rule, event, self.pipeline, self.now_ns)
        decision = self.send(event)
        if decision.verdict == ACCEPTED and isinstance(event, Place):
            self.answer(decision.order_id, NEW)
        return decision.breaches[0] if decision.breaches else None

    def _head(self, endpoint: Endpoint, key: int) -> tuple[Any, ...]:
        return (
            endpoint, 1, key, AUTH_OK, self.now_ns, self.now_ns, NS_PER_SECOND, 0, CHANNEL_REST,
            0, 0,
        )  # fmt: skip


def conduct_rulebook(rules: dict[str, Any], tariffs: dict[str, Any] | None = None) -> Rulebook:
    """Return a rulebook with these rules and tariffs, and a simple instrument."""
    tree = {
        "name": "test",
        "rules": rules,
        "tariffs": tariffs or {},
        "instruments": {"default": {"tick_size": "1", "notional_min": "5"}},
    }
    return Rulebook(convert(tree))


def agree(rule: Rule, event: Event, pipeline: Pipeline, now_ns: int) -> None:
    """Hold a rule's verdict and its explanations equal."""
    verdict = rule.check(event, pipeline.book, now_ns)
    failing = [one for one in rule.explain(event, pipeline.book, now_ns) if not one.passed]
    if not isinstance(verdict, Breach):
        assert not failing
        return
    assert verdict.reason in rule.reasons
    first = failing[0]
    assert (first.reason, first.limit, first.observed) == (
        verdict.reason,
        verdict.limit,
        verdict.observed,
    )


def check_state(market: Market, rules: dict[str, Any]) -> None:
    """Hold that restoring what a rule stored after any event gives the same state again.

    Every event is applied anew; after each, conduct rules, cases and standings go through msgpack
    into fresh ones, which must store the same.
    """
    pipeline = Pipeline(conduct_rulebook(rules))
    told: list[Alert] = []
    for now_ns, event in market.events:
        told.extend(pipeline.apply(event, now_ns).alerts)
        for rule in pipeline.rules:
            if rule.state() is not None:
                fresh = type(rule)(pipeline.rulebook)
                fresh.restore(through_msgpack(rule.state()))
                assert fresh.state() == rule.state(), rule.name
        facts = ConductFacts()
        facts.restore(through_msgpack(pipeline.book.conduct.state()))
        assert facts.state() == pipeline.book.conduct.state()
    assert told == market.alerts


def through_msgpack(state: Any) -> Any:
    """Return a state as it comes out of a snapshot."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), strict=False)
