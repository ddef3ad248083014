"""A pipeline without network, record or engine: a recording plays clients and engine to it.

Every request is decided as live ones are, but the state follows the recorded course: what the
recording shows as accepted is booked as accepted, whatever the verdict.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from gateway.directory import Directory
from gateway.flows.participants import Participant
from gateway.flows.reader import ROW_AMEND, FlowRow
from gateway.flows.venue import Listing, TopOfBook
from rules.book import OpenOrder
from rules.decisions import ACCEPTED, REFUSED, Breach, Decision
from rules.endpoints import Endpoint
from rules.events import (
    Amend,
    BalanceAdjusted,
    Cancel,
    CommandResult,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Ended,
    EngineSession,
    Event,
    Fill,
    MarketOrder,
    MarketTrade,
    OrderEnded,
    OrderTrade,
    Place,
    Reference,
)
from rules.pipeline import Pipeline
from rules.reasons import Reason
from rules.rulebook import Rulebook
from rules.values import (
    AUTH_OK,
    BUY,
    CANCELED,
    CAUSE_ENGINE,
    DEFINE_ASSET,
    DEFINE_OWNER,
    FILLED,
    GTC,
    LIMIT,
    NEW,
    NS_PER_MS,
    NS_PER_SECOND,
    PARTIALLY_FILLED,
    PERMIT_READ,
    PERMIT_TRADE,
    SELL,
    SYMBOL_TRADING,
    notional_e8,
)

FUNDS_E8: Final = 2**61
"""What every account is given of every asset: more than a recording's orders hold back."""

REFERENCE_INTERVAL_NS: Final = 100 * NS_PER_MS
REFERENCE_REPEAT_NS: Final = 30 * NS_PER_SECOND
"""An unchanged market is reported again after so long: the recording shows that it is alive."""

LEVELS: Final = 10
"""Levels of a reference where a rule asks for them."""

_CLIENT_ORDER_ID_LONGEST: Final = 36


class Watcher(Protocol):
    """Somebody who looks on and changes nothing."""

    def before(self, event: Event, now_ns: int) -> None:
        """Look at an event that will be decided."""

    def take(self, event: Event, decision: Decision, course: Decision, now_ns: int) -> None:
        """Look at its decision, beside the course the state followed."""


class Member(NamedTuple):
    """A participant's numbers."""

    account: int
    owner: int
    key: int
    ip: int


class OfflineGate:
    """The pipeline and everything around it that a recording has to stand in for."""

    def __init__(self, rulebook: Rulebook, start_ns: int) -> None:
        self.pipeline = Pipeline(rulebook)
        self.book = self.pipeline.book
        self.directory = Directory(self._define)
        self.now_ns = start_ns
        self._seq = 0
        self._engine_seq = 0
        self._trade_id = 0
        self._members: dict[Participant, Member] = {}
        self._tops: dict[int, TopOfBook] = {}
        self._last: dict[int, tuple[int, int]] = {}
        self._references: dict[int, tuple[int, Reference]] = {}
        self._levels = LEVELS if rulebook.clauses.fictitious_bids.mode != "off" else 0
        self.on_decision: Callable[[Decision], None] = unheard
        """Told of every decision, for alerts and measures."""
        self.watchers: tuple[Watcher, ...] = ()
        """Told of every event before and after it is decided."""
        self.apply(EngineSession(connected=True, epoch=1, engine_seq=0))

    def apply(self, event: Event, course: Decision | None = None) -> Decision:
        """Hand one event to the pipeline, after what time has brought.

        State follows `course` where one is given.
        """
        dues = self.pipeline.dues
        while (due := dues.next(self.now_ns)) is not None:
            self._apply(due, None)
        return self._apply(event, course)

    def _apply(self, event: Event, course: Decision | None) -> Decision:
        self._seq += 1
        for watcher in self.watchers:
            watcher.before(event, self.now_ns)
        decision = self.pipeline.apply(event, self.now_ns, course)
        for watcher in self.watchers:
            watcher.take(event, decision, course or decision, self.now_ns)
        if decision.alerts or decision.steps:
            self.on_decision(decision)
        return decision

    def list_symbol(self, listing: Listing) -> int:
        """Make an instrument known and return its number."""
        base, quote = (self.directory.number(DEFINE_ASSET, asset) for asset in listing.assets())
        number = len(self.directory.symbols) + 1
        self._define(
            DefineSymbol(
                number, listing.symbol, base, quote, SYMBOL_TRADING, listing.opening_price_e8
            )
        )
        self._tops[number] = TopOfBook()
        return number

    def member(self, participant: Participant) -> Member:
        """Return a participant's numbers; a new one gets an account with funds, key and address.

        Raises ValueError when the participant's key belongs to another account.
        """
        found = self._members.get(participant)
        if found is not None:
            return found
        account = self.directory.accounts.get(participant.account)
        if account is None:
            account = self._open_account(participant.account)
        key = self.directory.keys.get(participant.key)
        if key is None:
            number = len(self.directory.keys) + 1
            permissions = PERMIT_READ | PERMIT_TRADE
            key = DefineKey(number, participant.key, account.account, permissions, (), 0)
            self._define(key)
        elif key.account != account.account:
            raise ValueError(f"key `{participant.key}` belongs to another account")
        member = Member(
            account.account, account.owner, key.key, self.directory.address(participant.address)
        )
        self._members[participant] = member
        return member

    def place(
        self, member: Member, symbol: int, row: FlowRow, terms: tuple[int, int, int, int]
    ) -> tuple[Decision, int, int]:
        """Send a limit order that the course accepts; return decision, order id, command id.

        `terms` are side, time in force, price and quantity.
        """
        side, time_in_force, price_e8, quantity_e8 = terms
        order_id = self.book.next_order_id
        recorded = row.order_id if time_in_force == GTC else ""
        client_order_id = recorded if len(recorded) <= _CLIENT_ORDER_ID_LONGEST else ""
        event = Place(
            *self._head(Endpoint.ORDER_PLACE, member, row),
            symbol,
            side,
            LIMIT,
            time_in_force,
            price_e8,
            quantity_e8,
            0,
            client_order_id,
        )
        course = Decision(
            ACCEPTED,
            order_id=order_id,
            account=member.account,
            owner=member.owner,
            client_order_id="" if client_order_id else f"recorded-{order_id}",
        )
        return self.apply(event, course), order_id, self._seq

    def rests(self, order_id: int, command_id: int) -> None:
        """Let the engine confirm a placement that rests wholly."""
        self.apply(CommandResult(command_id, order_id, True, None, NEW, self.now_ns))
        self._show(self.book.orders[order_id], 1)

    def executes(self, order_id: int, command_id: int, fills: tuple[Fill, ...]) -> None:
        """Let the engine confirm a placement that is executed wholly at once."""
        self.apply(CommandResult(command_id, order_id, True, None, FILLED, self.now_ns, fills))

    def cancel(self, member: Member, symbol: int, row: FlowRow, order_id: int) -> Decision:
        """Send a cancel; the course accepts it, or refuses it when the order is not known (0)."""
        event = Cancel(
            *self._head(Endpoint.ORDER_CANCEL, member, row),
            symbol,
            order_id,
            "" if order_id else row.order_id,
        )
        return self.apply(event, _course(member, order_id))

    def amend(
        self, member: Member, symbol: int, row: FlowRow, order_id: int, quantity_e8: int
    ) -> Decision:
        """Send an amend to a total of `quantity_e8`; accepted unless the order is not known."""
        event = Amend(
            *self._head(Endpoint.ORDER_AMEND, member, row),
            symbol,
            order_id,
            "" if order_id else row.order_id,
            quantity_e8,
            row.price_e8 if row.kind == ROW_AMEND else 0,
        )
        return self.apply(event, _course(member, order_id))

    def cancelled(self, order_id: int) -> None:
        """Let the engine confirm the cancel just sent."""
        order = self.book.orders[order_id]
        self._show(order, -1)
        ended = (Ended(order_id, CANCELED, order.filled_e8),)
        self.apply(CommandResult(self._seq, order_id, True, None, CANCELED, self.now_ns, (), ended))

    def cancel_failed(self, order_id: int) -> None:
        """Let the engine refuse the cancel just sent: the order goes on.

        An engine that did not know the order would end it in the gate's eyes.
        """
        reason = Reason.ENGINE_UNSUPPORTED
        self.apply(CommandResult(self._seq, order_id, False, reason, 0, self.now_ns))

    def amended(self, order_id: int) -> None:
        """Let the engine confirm the amend just sent."""
        order = self.book.orders[order_id]
        self._show(order, -1)
        status = PARTIALLY_FILLED if order.filled_e8 else NEW
        self.apply(CommandResult(self._seq, order_id, True, None, status, self.now_ns))
        self._show(self.book.orders[order_id], 1)

    def traded(self, order_id: int, fill: Fill, *, filled: bool) -> None:
        """Let the engine report the execution of a resting order."""
        order = self.book.orders[order_id]
        self._tops[order.symbol].add(order.side, order.price_e8, -fill.quantity_e8, self.now_ns)
        self._engine_seq += 1
        status = FILLED if filled else PARTIALLY_FILLED
        self.apply(OrderTrade(self._engine_seq, self.now_ns, order_id, fill, status))

    def ended(self, order_id: int) -> None:
        """Let the engine report that an order ended without a message of its own."""
        order = self.book.orders[order_id]
        self._show(order, -1)
        self._engine_seq += 1
        self.apply(
            OrderEnded(
                self._engine_seq, self.now_ns, order_id, CANCELED, CAUSE_ENGINE, order.filled_e8
            )
        )

    def fill(self, row: FlowRow, *, maker: bool, counter: tuple[int, int] = (0, 0)) -> Fill:
        """Return the execution a fill row shows, without commission.

        `counter` is the other side's order and account, where the recording shows both.
        """
        self._trade_id += 1
        quote_e8 = notional_e8(row.price_e8, row.quantity_e8)
        return Fill(self._trade_id, row.price_e8, row.quantity_e8, quote_e8, 0, 0, maker, *counter)

    def outside_order(
        self, number: int, member: Member, symbol: int, terms: tuple[int, ...], channel: int
    ) -> None:
        """Report an order of another channel; `terms`: side, status, price, quantity, filled."""
        side, status, price_e8, quantity_e8, filled_e8 = terms
        self._engine_seq += 1
        self.apply(
            MarketOrder(
                self._engine_seq, self.now_ns, symbol, number, member.account, member.owner,
                channel, side, LIMIT, status, price_e8, quantity_e8, filled_e8,
            )
        )  # fmt: skip

    def outside_trade(
        self, symbol: int, row: FlowRow, buy: tuple[int, int, int], sell: tuple[int, int, int]
    ) -> None:
        """Report a trade with a side of another channel; a side is order, owner and channel.

        The channel of a side that came through the gate is 0. `row` is the taker's.
        """
        self._engine_seq += 1
        self._trade_id += 1
        self.apply(
            MarketTrade(
                self._engine_seq, self.now_ns, symbol, self._trade_id, row.price_e8,
                row.quantity_e8, buy[0], sell[0], buy[1], sell[1], buy[2], sell[2],
                buyer_is_maker=row.side == SELL,
            )
        )  # fmt: skip

    def shown(self, symbol: int, side: int, price_e8: int, change_e8: int) -> None:
        """Put quantity of an order of another channel onto (or off) the best prices."""
        self._tops[symbol].add(side, price_e8, change_e8, self.now_ns)

    def note_trade(self, symbol: int, row: FlowRow) -> None:
        """Take up the price of a trade for the next reference."""
        self._last[symbol] = (row.price_e8, self.now_ns)

    def market_trade(self, symbol: int, row: FlowRow) -> None:
        """Report a trade whose incoming order is not among those sent."""
        self._engine_seq += 1
        self._trade_id += 1
        self.apply(
            MarketTrade(
                self._engine_seq,
                self.now_ns,
                symbol,
                self._trade_id,
                row.price_e8,
                row.quantity_e8,
                buy_order_id=0,
                sell_order_id=0,
                buy_owner=0,
                sell_owner=0,
                buy_channel=0,
                sell_channel=0,
                buyer_is_maker=row.side == BUY,
            )
        )

    def refer(self, symbol: int) -> None:
        """Report the state of a symbol's market, at most every 100 ms, and if it changed or is old."""
        before_ns, before = self._references.get(symbol, (0, None))
        if self.now_ns - before_ns < REFERENCE_INTERVAL_NS:
            return
        best = self._tops[symbol].best(self.now_ns)
        if best is None:
            return
        bid_e8, bid_quantity_e8, ask_e8, ask_quantity_e8 = best
        last_e8, last_ns = self._last.get(symbol, (0, 0))
        bids, asks = self._tops[symbol].levels(self._levels) if self._levels else ((), ())
        seen = Reference(
            symbol, 0, last_e8, last_ns, bid_e8, bid_quantity_e8, ask_e8, ask_quantity_e8,
            bids, asks,
        )  # fmt: skip
        if seen != before or self.now_ns - before_ns >= REFERENCE_REPEAT_NS:
            self._references[symbol] = (self.now_ns, seen)
            self.apply(
                Reference(
                    symbol, self.now_ns, last_e8, last_ns,
                    bid_e8, bid_quantity_e8, ask_e8, ask_quantity_e8, bids, asks,
                )
            )  # fmt: skip

    def _define(self, event: Event) -> None:
        self.apply(event)
        self.directory.on_event(event)

    def _open_account(self, name: str) -> DefineAccount:
        owner = self.directory.number(DEFINE_OWNER, name)
        account = DefineAccount(len(self.directory.accounts) + 1, name, owner, "", 0)
        self._define(account)
        assets = {
            asset
            for symbol in self.directory.symbols.values()
            for asset in (symbol.base_asset, symbol.quote_asset)
        }
        for asset in sorted(assets):
            self._engine_seq += 1
            self.apply(
                BalanceAdjusted(self._engine_seq, self.now_ns, account.account, asset, FUNDS_E8)
            )
        return account

    def _head(
        self, endpoint: Endpoint, member: Member, row: FlowRow
    ) -> tuple[int, int, int, int, int, int, int, int, int, int, int]:
        """Return the fields every request begins with; a recording has no client's timestamp."""
        return (
            endpoint, member.ip, member.key, AUTH_OK, row.ts_ns, 0, -1, 0, row.channel, 0, 0
        )  # fmt: skip

    def _show(self, order: OpenOrder, sign: int) -> None:
        """Put what is left of an order onto (or, with -1, off) the best prices."""
        left_e8 = sign * order.remaining_e8
        self._tops[order.symbol].add(order.side, order.price_e8, left_e8, self.now_ns)


def unheard(decision: Decision) -> None:
    """Let a decision go by."""


def _course(member: Member, order_id: int) -> Decision:
    """Return what became of a cancel or amend in the recording."""
    if order_id:
        return Decision(ACCEPTED, order_id=order_id, account=member.account, owner=member.owner)
    unknown = Breach("known_order", Reason.UNKNOWN_ORDER, "an open order", "none")
    return Decision(REFUSED, (unknown,), account=member.account, owner=member.owner)
