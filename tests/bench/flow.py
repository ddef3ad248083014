"""A pipeline with many open orders, and requests that keep their number."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from gateway.rulebooks import load_rulebook
from rules.decisions import ACCEPTED
from rules.endpoints import Endpoint
from rules.events import (
    BalanceAdjusted,
    Cancel,
    CommandResult,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Ended,
    Event,
    Fill,
    MarketTrade,
    Place,
    Reference,
    Request,
)
from rules.pipeline import Pipeline
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_OK,
    BUY,
    CANCELED,
    CHANNEL_REST,
    CHANNEL_WEB,
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    FILLED,
    GTC,
    LIMIT,
    NEW,
    NS_PER_DAY,
    NS_PER_MS,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SELL,
    SYMBOL_TRADING,
)

ACCOUNTS: Final = 1_000
SYMBOL: Final = 1
BASE: Final = 1
QUOTE: Final = 2
PRICE_E8: Final = 65_000 * E8
TICK_E8: Final = E8 // 100
QUANTITY_E8: Final = E8 // 1_000
STEP_NS: Final = 20_000
"""Time between two events."""
REFERENCE_EVERY: Final = 1_000
"""Events between two reports of the market."""
PLACE_SHARE: Final = 0.55
FILLED_SHARE: Final = 0.10 / 0.55
"""Placements that fill at once, so that placements and cancels keep the number of open orders."""
START_NS: Final = 20_000 * NS_PER_DAY + 8 * 3_600 * NS_PER_SECOND


class Flow:
    """Requests of many accounts to one pipeline, and the engine's answers to them.

    `next_request` gives the next request, `settle` tells the pipeline how the engine answered it.
    """

    def __init__(
        self,
        open_orders: int,
        seed: int,
        accounts: int = ACCOUNTS,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        self.pipeline = Pipeline(load_rulebook("bench").with_changes(dict(changes or {})))
        self._accounts = accounts
        self.now_ns = START_NS
        self._random = Random(seed)
        self._open: list[tuple[int, int]] = []
        """(order id, account) of every open order; the last takes the place of one that ended."""
        self._named = 0
        self._engine_seq = 0
        self._define()
        while len(self._open) < open_orders:
            request = self._place()
            decision = self.apply(request)
            assert decision.verdict == ACCEPTED, decision.breaches
            self._rest(decision.order_id, request.key)

    @property
    def open_orders(self) -> int:
        """Number of open orders."""
        return len(self._open)

    def apply(self, event: Event) -> Any:
        """Let the pipeline decide one event at the next moment."""
        self.advance()
        return self.pipeline.apply(event, self.now_ns)

    def advance(self) -> None:
        """Let time pass, and report the market now and then."""
        self.now_ns += STEP_NS
        if self.now_ns // STEP_NS % REFERENCE_EVERY == 0:
            self._market()

    # --- Requests -----------------------------------------------------------------------------

    def next_request(self) -> Request:
        """Return the next request: a placement or the cancel of any open order."""
        if self._random.random() < PLACE_SHARE or not self._open:
            return self._place()
        index = self._random.randrange(len(self._open))
        self._open[index], self._open[-1] = self._open[-1], self._open[index]
        order_id, account = self._open[-1]
        return Cancel(*self._head(Endpoint.ORDER_CANCEL, account), SYMBOL, order_id, "")

    def off_tick(self) -> Request:
        """Return a placement that the last stage refuses."""
        return self._place(off_tick_e8=1)

    def unsigned(self) -> Request:
        """Return a placement that the first stage refuses."""
        return self._place(auth=AUTH_BAD_SIGNATURE)

    def settle(self, request: Request, decision: Any) -> CommandResult | None:
        """Return the engine's answer to an accepted request, None to a refused one."""
        if decision.verdict != ACCEPTED:
            return None
        command_id = self.pipeline.book.current_seq
        if isinstance(request, Cancel):
            self._open.pop()
            ended = (Ended(decision.order_id, CANCELED, 0),)
            return CommandResult(
                command_id, decision.order_id, True, None, CANCELED, self.now_ns, (), ended
            )
        if self._random.random() >= FILLED_SHARE:
            self._open.append((decision.order_id, request.key))
            return CommandResult(command_id, decision.order_id, True, None, NEW, self.now_ns)
        assert isinstance(request, Place)
        quote_e8 = request.price_e8 * request.quantity_e8 // E8
        fill = Fill(
            command_id, request.price_e8, request.quantity_e8, quote_e8, 100, BASE, False, 0, 0
        )
        return CommandResult(
            command_id, decision.order_id, True, None, FILLED, self.now_ns, (fill,)
        )

    def _head(self, endpoint: Endpoint, account: int, auth: int = AUTH_OK) -> tuple[int, ...]:
        """Return what every request begins with; account, key and address have one number."""
        received_ns = self.now_ns + STEP_NS
        sent_ns = received_ns - NS_PER_MS
        window_ns = 5 * NS_PER_SECOND
        head = (endpoint, account, account, auth, received_ns, sent_ns, window_ns)
        return (*head, 0, CHANNEL_REST, 0, 0)

    def _place(self, auth: int = AUTH_OK, off_tick_e8: int = 0) -> Place:
        self._named += 1
        account = self._random.randint(1, self._accounts)
        side = BUY if self._named & 1 else SELL
        away_e8 = self._random.randint(1, 1_000) * TICK_E8
        price_e8 = PRICE_E8 - away_e8 if side == BUY else PRICE_E8 + away_e8
        return Place(
            *self._head(Endpoint.ORDER_PLACE, account, auth),
            SYMBOL,
            side,
            LIMIT,
            GTC,
            price_e8 + off_tick_e8,
            QUANTITY_E8,
            0,
            f"bench-{self._named}",
        )

    # --- The world ----------------------------------------------------------------------------

    def _rest(self, order_id: int, account: int) -> None:
        self._open.append((order_id, account))
        command_id = self.pipeline.book.current_seq
        self.apply(CommandResult(command_id, order_id, True, None, NEW, self.now_ns))

    def _define(self) -> None:
        self.apply(Define(DEFINE_ASSET, BASE, "BTC"))
        self.apply(Define(DEFINE_ASSET, QUOTE, "USDT"))
        self.apply(DefineSymbol(SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, PRICE_E8))
        permissions = PERMIT_READ | PERMIT_TRADE
        for number in range(1, self._accounts + 1):
            address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            self.apply(Define(DEFINE_ADDRESS, number, address))
            self.apply(Define(DEFINE_OWNER, number, f"owner-{number}"))
            self.apply(DefineAccount(number, f"account-{number}", number, "", 0))
            self.apply(DefineKey(number, f"key-{number}", number, permissions, (), 0))
            for asset, total_e8 in ((BASE, 1_000_000 * E8), (QUOTE, 1_000_000_000 * E8)):
                self._engine_seq += 1
                self.apply(BalanceAdjusted(self._engine_seq, self.now_ns, number, asset, total_e8))
        self._market()

    def _market(self) -> None:
        self._engine_seq += 1
        now_ns = self.now_ns
        trade = MarketTrade(
            self._engine_seq,
            now_ns,
            SYMBOL,
            self._engine_seq,
            PRICE_E8,
            QUANTITY_E8,
            0,
            0,
            0,
            0,
            CHANNEL_WEB,
            CHANNEL_WEB,
            True,
        )
        self.pipeline.apply(trade, now_ns)
        bid_e8, ask_e8 = PRICE_E8 - TICK_E8, PRICE_E8 + TICK_E8
        reference = Reference(
            SYMBOL, now_ns, PRICE_E8, now_ns, bid_e8, QUANTITY_E8, ask_e8, QUANTITY_E8
        )
        self.pipeline.apply(reference, now_ns)
