"""A whole core with the embedded engine and a real journal, and orders that keep its book steady."""

from pathlib import Path
from random import Random
from typing import Final

from gateway.clock import Clock
from gateway.core import Core
from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.port import DepthSnapshot, PublicTrade
from gateway.journal.manifest import EMBEDDED
from gateway.journal.segment import SEGMENT_BYTES
from gateway.journal.writer import start_run
from gateway.outcome import Outcome
from gateway.rulebooks import load_rulebook
from gateway.stub.exchange import MatchingExchange
from rules.decisions import ACCEPTED
from rules.endpoints import Endpoint
from rules.events import (
    Cancel,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Place,
    Request,
    RunBegan,
)
from rules.values import (
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    GTC,
    LIMIT,
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
"""Time between two readings of the stepping clock."""
FILLED_SHARE: Final = 0.05
"""Times that two orders meet and fill each other, of all; else an order rests or is cancelled."""
DEADLINE_NS: Final = 900 * NS_PER_MS


class SteppingClock:
    """Time that passes a little whenever it is read."""

    step_ns = 0

    def __init__(self) -> None:
        self._now_ns = 20_000 * NS_PER_DAY + 8 * 3_600 * NS_PER_SECOND

    def now_ns(self) -> int:
        """Return core time."""
        self._now_ns += STEP_NS
        return self._now_ns

    def receive_ns(self) -> int:
        """Return the receive clock."""
        return self._now_ns

    def slew(self) -> None:
        """Follow no other clock."""


class Nobody:
    """Takes market data and does nothing with it."""

    def on_trade(self, trade: PublicTrade) -> None:
        """Take one public trade."""

    def on_depth(self, depth: DepthSnapshot) -> None:
        """Take the newest depth of a symbol."""


class Venue:
    """One core on a journal in `folder`, with `open_orders` orders open all the time.

    A request is answered within the call that submits it. `submitted` counts requests, `refused`
    those that were not accepted, by the gate or by the engine.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        rulebook_name: str,
        open_orders: int,
        seed: int,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        rulebook = load_rulebook(rulebook_name)
        self.journal = start_run(folder, rulebook, clock.now_ns(), segment_bytes, engine=EMBEDDED)
        self.engine = EmbeddedEngine(MatchingExchange(), clock.now_ns)
        self.core = Core(rulebook, clock, self.journal, self.engine, DEADLINE_NS)
        self.submitted = 0
        self.refused = 0
        self._clock = clock
        self._random = Random(seed)
        self._open: list[tuple[int, int]] = []
        """(order id, account) of every open order."""
        self._met: list[Place] = []
        """Orders that fill the one before."""
        self.engine.start(self.core.submit, Nobody())
        self._define()
        self.core.submit(RunBegan("", self.core.book.next_order_id))
        while len(self._open) < open_orders:
            self.submit(self._resting())
        self._open_orders = open_orders

    @property
    def directory(self) -> Path:
        """The run's directory."""
        return self.journal.directory

    @property
    def closed_seq(self) -> int:
        """The last record of the last closed segment, 0 when none is closed."""
        segments = self.journal.manifest.segments
        return segments[-1].last_seq if segments else 0

    def next_request(self) -> Request:
        """Return the next request: an order that rests, one that fills or is filled, a cancel."""
        if self._met:
            return self._met.pop()
        drawn = self._random.random()
        if drawn < FILLED_SHARE:
            side = BUY if self._random.random() < 0.5 else SELL
            maker, taker = self._random.sample(range(1, ACCOUNTS + 1), 2)
            self._met.append(self._place(taker, BUY if side == SELL else SELL, PRICE_E8))
            return self._place(maker, side, PRICE_E8)
        if len(self._open) < self._open_orders or drawn < (1 + FILLED_SHARE) / 2:
            return self._resting()
        index = self._random.randrange(len(self._open))
        self._open[index], self._open[-1] = self._open[-1], self._open[index]
        order_id, account = self._open.pop()
        return Cancel(*self._head(Endpoint.ORDER_CANCEL, account), SYMBOL, order_id, "")

    def submit(self, request: Request) -> None:
        """Have the core decide a request, the engine carry it out, and take the answer."""
        self.submitted += 1
        self.core.submit(request, self._answered)

    def poll(self) -> None:
        """Let the engine say what is due, as the gate's timer does."""
        self.core.tick()
        self.core.together(lambda: self.engine.poll(self._clock.now_ns()))

    def _answered(self, outcome: Outcome) -> None:
        result = outcome.result
        if outcome.decision.verdict != ACCEPTED or result is None or not result.accepted:
            self.refused += 1
            return
        event = outcome.event
        if isinstance(event, Place) and event.price_e8 != PRICE_E8:
            self._open.append((outcome.decision.order_id, event.key))

    # --- Requests -----------------------------------------------------------------------------

    def _resting(self) -> Place:
        side = BUY if self._random.random() < 0.5 else SELL
        away_e8 = self._random.randint(1, 1_000) * TICK_E8
        price_e8 = PRICE_E8 - away_e8 if side == BUY else PRICE_E8 + away_e8
        return self._place(self._random.randint(1, ACCOUNTS), side, price_e8)

    def _place(self, account: int, side: int, price_e8: int) -> Place:
        head = self._head(Endpoint.ORDER_PLACE, account)
        terms = (SYMBOL, side, LIMIT, GTC, price_e8, QUANTITY_E8, 0)
        return Place(*head, *terms, client_order_id=f"bench-{self.submitted}")

    def _head(self, endpoint: Endpoint, account: int) -> tuple[int, ...]:
        """Return what every request begins with; account, key and address have one number."""
        received_ns = self._clock.receive_ns()
        times = (received_ns, received_ns - NS_PER_MS, 5 * NS_PER_SECOND)
        return (endpoint, account, account, AUTH_OK, *times, 0, CHANNEL_REST, 0, 0)

    # --- The venue ----------------------------------------------------------------------------

    def _define(self) -> None:
        submit = self.core.submit
        submit(Define(DEFINE_ASSET, BASE, "BTC"))
        submit(Define(DEFINE_ASSET, QUOTE, "USDT"))
        submit(DefineSymbol(SYMBOL, "BTCUSDT", BASE, QUOTE, SYMBOL_TRADING, PRICE_E8))
        permissions = PERMIT_READ | PERMIT_TRADE
        for number in range(1, ACCOUNTS + 1):
            submit(Define(DEFINE_ADDRESS, number, f"10.0.{number >> 8}.{number & 255}"))
            submit(Define(DEFINE_OWNER, number, f"owner-{number}"))
            submit(DefineAccount(number, f"account-{number}", number, "", 0))
            submit(DefineKey(number, f"key-{number}", number, permissions, (), 0))
            self.engine.deposit(number, BASE, 10_000 * E8, "opening balance")
            self.engine.deposit(number, QUOTE, 10_000_000 * E8, "opening balance")
