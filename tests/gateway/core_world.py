"""A whole core with the embedded engine on a clock set by hand, and a recorder that watches.

The recorder notes the order of things: what is recorded, what reaches the engine, what is
answered. Nothing may reach the engine or a client before its record.
"""

from collections.abc import Callable
from typing import Any

from gateway.core import Core
from gateway.directory import Directory
from gateway.engine.embedded import EmbeddedEngine
from gateway.engine.faults import Faults
from gateway.engine.port import Command, DepthSnapshot, PublicTrade
from gateway.journal import Record
from gateway.outcome import Outcome
from gateway.rulebooks import load_rulebook
from gateway.stub.exchange import MatchingExchange
from rules.decisions import Decision
from rules.endpoints import Endpoint
from rules.events import (
    Amend,
    Cancel,
    CancelAll,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    Place,
    Query,
    Replace,
)
from rules.rulebook import Rulebook
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
    NS_PER_MS,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SYMBOL_TRADING,
)

ALICE, BOB = 1, 2
"""Accounts, owners and keys have the same numbers."""
BTC, USDT = 1, 2
BTCUSDT = 1
ADDRESS = 1
START_NS = 1_780_000_000 * NS_PER_SECOND
DEADLINE_NS = 900 * NS_PER_MS
PRICE = 60_000


class HandClock:
    """Time that passes when a test says so."""

    step_ns = 0

    def __init__(self) -> None:
        self.time_ns = START_NS

    def now_ns(self) -> int:
        """Return core time."""
        return self.time_ns

    def receive_ns(self) -> int:
        """Return the receive clock."""
        return self.time_ns

    def slew(self) -> None:
        """Follow no other clock."""


class WatchingRecorder:
    """Keeps the record; `lose` makes it fail from then on."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.lost: Exception | None = None
        self.on_append: Callable[[Event], None] = _nothing

    @property
    def recorded_seq(self) -> int:
        """The last record."""
        return self.records[-1].seq if self.records else 0

    def append(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Keep one record, which must be the next in number and no earlier in time."""
        self.on_append(event)
        if self.lost is not None:
            raise self.lost
        assert seq == self.recorded_seq + 1
        assert not self.records or now_ns >= self.records[-1].now_ns
        self.records.append(Record(seq, now_ns, event, decision))  # type: ignore[arg-type]

    def events(self, *kinds: type[Event]) -> list[Event]:
        """Return the recorded events of some types."""
        return [record.event for record in self.records if isinstance(record.event, kinds)]


def _nothing(event: Event) -> None:
    pass


class WatchedEngine(EmbeddedEngine):
    """The embedded engine; every command must be recorded before it comes."""

    recorder: WatchingRecorder
    on_send: Callable[[Command], None] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.commands: list[Command] = []
        self.unrecorded_allowed = False

    def send(self, command: Command) -> None:
        """Carry out one command."""
        assert self.unrecorded_allowed or command.command_id <= self.recorder.recorded_seq
        self.commands.append(command)
        if self.on_send is not None:
            self.on_send(command)
        super().send(command)


class Nobody:
    """Takes market data and does nothing with it."""

    def on_trade(self, trade: PublicTrade) -> None:
        """Take one public trade."""

    def on_depth(self, depth: DepthSnapshot) -> None:
        """Take the newest depth of a symbol."""


class CoreWorld:
    """Two funded accounts, one symbol, and everything an order passes through."""

    def __init__(self, rulebook: Rulebook | None = None, faults: Faults | None = None) -> None:
        self.clock = HandClock()
        self.recorder = WatchingRecorder()
        self.engine = WatchedEngine(MatchingExchange(), self.clock.now_ns, faults)
        self.engine.recorder = self.recorder
        self.core = Core(
            rulebook or load_rulebook("bench"),
            self.clock,
            self.recorder,
            self.engine,
            DEADLINE_NS,
        )
        self.book = self.core.book
        self.directory: Directory = self.core.directory
        self.outcomes: list[Outcome] = []
        self.engine.start(self.core.submit, Nobody())
        for event in (
            Define(DEFINE_ADDRESS, ADDRESS, "127.0.0.1"),
            Define(DEFINE_ASSET, BTC, "BTC"),
            Define(DEFINE_ASSET, USDT, "USDT"),
            DefineSymbol(BTCUSDT, "BTCUSDT", BTC, USDT, SYMBOL_TRADING, PRICE * E8),
        ):
            self.core.submit(event)
        for number, name in ((ALICE, "alice"), (BOB, "bob")):
            self.core.submit(Define(DEFINE_OWNER, number, name))
            self.core.submit(DefineAccount(number, name, number, "", 0))
            self.core.submit(
                DefineKey(number, name * 10, number, PERMIT_READ | PERMIT_TRADE, (), 0)
            )
            for asset in (BTC, USDT):
                self.engine.deposit(number, asset, 100_000_000 * E8, "opening balance")
        # The next market data is due in a tenth of a second, not with the first order.
        self.engine.poll(self.clock.time_ns)
        self.engine.commands.clear()

    # --- Time ---------------------------------------------------------------------------------

    def wait(self, by_ns: int) -> None:
        """Let time pass, with everything that is due."""
        self.clock.time_ns += by_ns
        self.core.tick()
        self.core.together(lambda: self.engine.poll(self.clock.time_ns))

    # --- Requests -----------------------------------------------------------------------------

    def head(self, endpoint: int, account: int = ALICE) -> tuple[int, ...]:
        """Return the fields every request begins with."""
        now_ns = self.clock.time_ns
        return (
            *(endpoint, ADDRESS, account, AUTH_OK, now_ns, now_ns, 5 * NS_PER_SECOND),
            *(0, CHANNEL_REST, 0, 0),
        )

    def place_event(
        self, price: int = PRICE - 1000, side: int = BUY, account: int = ALICE, **changes: Any
    ) -> Place:
        """Return an order, by default one that rests below the market."""
        terms: dict[str, Any] = {
            "order_type": LIMIT,
            "time_in_force": GTC,
            "quantity_e8": E8 // 1000,
            "quote_quantity_e8": 0,
        } | changes
        head = self.head(Endpoint.ORDER_PLACE, account)
        return Place(*head, BTCUSDT, side, price_e8=price * E8, **terms)

    def ask(self, event: Event) -> list[Outcome]:
        """Submit an event; return the list its one outcome will be in."""
        outcomes: list[Outcome] = []
        self.core.submit(event, outcomes.append)
        return outcomes

    def place(self, *arguments: Any, **changes: Any) -> Outcome:
        """Place an order that is answered at once."""
        (outcome,) = self.ask(self.place_event(*arguments, **changes))
        return outcome

    def cancel_event(self, order_id: int, account: int = ALICE, restriction: int = 0) -> Cancel:
        """Return the cancel of one order."""
        head = self.head(Endpoint.ORDER_CANCEL, account)
        return Cancel(*head, BTCUSDT, order_id, "", "", restriction)

    def cancel_all_event(self, account: int = ALICE) -> CancelAll:
        """Return the cancel of all of an account's orders."""
        return CancelAll(*self.head(Endpoint.OPEN_ORDERS_CANCEL, account), BTCUSDT)

    def amend_event(self, order_id: int, quantity_e8: int) -> Amend:
        """Return a change of quantity."""
        return Amend(*self.head(Endpoint.ORDER_PLACE), BTCUSDT, order_id, "", quantity_e8)

    def replace_event(self, order_id: int, price: int) -> Replace:
        """Return the replacement of one order."""
        head = self.head(Endpoint.ORDER_CANCEL_REPLACE)
        return Replace(*head, BTCUSDT, order_id, "", BUY, LIMIT, GTC, price * E8, E8 // 1000, 0)

    def query_event(self) -> Query:
        """Return a request that reads."""
        return Query(*self.head(Endpoint.PING))
