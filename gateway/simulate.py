"""A recorded flow through the pipeline, offline.

The recorded course is fact: an order lives from its recorded submission to its recorded end
whatever the gate says of it, the recorded time is the clock, and recorded fills are the engine's
answers. The gate's own verdict on every message is what is counted.
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.flows.course import Course, Taker, chart, submitted
from gateway.flows.findings import Findings
from gateway.flows.offline import Member, OfflineGate, unheard
from gateway.flows.outside import OUTSIDE_CHANNELS, OutsideOrders, Side, trade_sides
from gateway.flows.participants import TAKERS, Participants
from gateway.flows.reader import (
    FLAG_HIDDEN,
    FLAG_MAKER,
    FLAG_TAKER,
    ROW_CANCEL,
    ROW_FILL,
    ROW_NEW,
    Flow,
    FlowError,
    FlowRow,
)
from gateway.flows.tally import Tally, number
from gateway.flows.thresholds import Thresholds
from gateway.flows.venue import listings
from gateway.flows.watch import Watch
from gateway.rulebook_view import about
from rules.conduct.order_to_trade import OrderToTrade
from rules.decisions import Decision
from rules.registry import RULES, mode_of
from rules.rulebook import Rulebook
from rules.values import GTC, IOC, NS_PER_DAY

SINGLE_ACCOUNT_SHADOWS: Final = (
    "ban_ladder",
    "raw_requests",
    "request_weight",
    "order_count",
    "max_num_orders",
    "owner_self_trade",
    "tape_painting",
    "fictitious_bids",
    "matched_trades",
    "target_ramp",
)
"""What is made for one client, and what a whole market behind one account would break."""

OLDER_NS: Final = NS_PER_DAY
"""An order resting when the recording started is taken to be live since so long before."""

ACCOUNTS_SHOWN: Final = 20

Progress = Callable[[int], None]
"""Called with the number of rows done, after each."""
Told = Callable[[int, FlowRow, str, Decision], None]
"""Called with each message of the recording: index, row, whose account it is, and the decision."""


def simulate(
    flow: Flow,
    rulebook: Rulebook,
    participants: Participants,
    progress: Progress | None = None,
    told: Told | None = None,
    hit_share_permille: int | None = None,
) -> dict[str, Any]:
    """Return the figures of `flow` under `rulebook`, by their `--json` names.

    `told` is called with each message. With `hit_share_permille` the figures have thresholds too
    that hit at most this share. Raises FlowError when the recording contradicts itself beyond what
    can be taken as fact.
    """
    if not flow.rows:
        raise FlowError(f"{flow.path}: has a header but no rows")
    course = chart(flow)
    found = listings(flow, course)
    changes: dict[str, Any] = {
        "instruments": {symbol: listing.changes() for symbol, listing in found.items()}
    }
    shadowed = single_account_shadows(rulebook) if participants.single else ()
    if shadowed:
        changes["rules"] = {rule: {"mode": "shadow"} for rule in shadowed}
    start_ns = max(flow.rows[0].ts_ns - OLDER_NS, 1)
    gate = OfflineGate(rulebook.with_changes(changes), start_ns)
    symbols = {name: gate.list_symbol(listing) for name, listing in found.items()}
    watch, seen = Watch(), Thresholds()
    watch.follow(gate.book, gate.directory)
    seen.follow(gate.pipeline)
    gate.watchers = (watch,) if hit_share_permille is None else (watch, seen)
    replayed = _Replay(flow, course, gate, participants, symbols, told)
    replayed.run(progress)
    suggestions = {}
    if hit_share_permille is not None:
        suggestions["suggestions"] = seen.suggestions(hit_share_permille)
    return {
        "flow": flow.path,
        "rulebook": rulebook.name,
        "revision": rulebook.revision,
        "owners": participants.owners,
        "shadow_rules": list(shadowed),
        "span_ns": flow.rows[-1].ts_ns - flow.rows[0].ts_ns,
        **replayed.tally.figures(),
        **replayed.findings.figures(),
        "accounts": replayed.account_figures(),
        "rules": watch.figures(*modes_and_texts(gate.pipeline.rulebook)),
        **suggestions,
    }


def modes_and_texts(rulebook: Rulebook) -> tuple[dict[str, str], dict[str, str]]:
    """Return the mode of every rule, and what it is for."""
    modes = {kind.name: mode_of(rulebook, kind.name) for kind in RULES}
    return modes, {kind.name: about(kind) for kind in RULES}


def single_account_shadows(rulebook: Rulebook) -> tuple[str, ...]:
    """Return the enforced rules that run in shadow when one account carries a whole market."""
    return tuple(
        rule for rule in SINGLE_ACCOUNT_SHADOWS if getattr(rulebook.clauses, rule).mode == "enforce"
    )


class _Replay:
    """One pass over a flow's rows."""

    def __init__(
        self,
        flow: Flow,
        course: Course,
        gate: OfflineGate,
        participants: Participants,
        symbols: dict[str, int],
        told: Told | None,
    ) -> None:
        self._told = told
        self.tally = Tally(flow, course)
        self._flow = flow
        self._course = course
        self._gate = gate
        self._participants = participants
        self._symbols = symbols
        self._order_ids: dict[tuple[str, str], int] = {}
        self._members: dict[int, Member] = {}
        """Who placed each open order, by the gate's order id."""
        self._outside = OutsideOrders(gate)
        self._met: set[int] = set()
        """Rows whose trade has been reported from the other side."""
        self.findings = Findings(gate.directory)
        gate.on_decision = self.findings.on_decision

    def run(self, progress: Progress | None) -> None:
        """Take every row in turn; first the orders that rested before the recording."""
        rows = self._flow.rows
        for index, row in enumerate(rows):
            if row.kind == ROW_NEW and not submitted(row):
                self._place(index, row)
        for index, row in enumerate(rows):
            self._gate.now_ns = self.findings.now_ns = row.ts_ns
            self._gate.refer(self._symbols[row.symbol])
            if row.kind == ROW_FILL:
                self._fill(index, row)
            elif row.kind != ROW_NEW:
                self._change(index, row)
            elif submitted(row):
                self._place(index, row)
            if progress is not None:
                progress(index + 1)

    def account_figures(self) -> list[dict[str, Any]]:
        """Return the order-to-trade ratios per account and symbol, as the rule counted them.

        The busiest first, `ACCOUNTS_SHOWN` at most; empty when the rule is off.
        """
        rule = self._gate.pipeline.rule(OrderToTrade.name)
        if not isinstance(rule, OrderToTrade):
            return []
        figures = []
        for account in self._gate.directory.accounts.values():
            for symbol in self._gate.directory.symbols.values():
                counts = rule.counts(account.owner, symbol.symbol)
                if not counts.number:
                    continue
                figures.append(
                    {
                        "account": account.name,
                        "symbol": symbol.name,
                        "number": counts.number,
                        "orders": counts.orders,
                        "cancels": counts.cancels,
                        "amends": counts.amends,
                        "rejected": counts.rejected,
                        "transactions": counts.trades,
                        "otr_number_rts9": number(rule.number_e8(counts)),
                        "otr_volume_rts9": number(rule.volume_e8(counts)),
                    }
                )
        figures.sort(key=lambda figure: (-int(str(figure["number"])), str(figure["account"])))
        return figures[:ACCOUNTS_SHOWN]

    def _place(self, index: int, row: FlowRow) -> None:
        member = self._member(row)
        if row.channel in OUTSIDE_CHANNELS:
            self._outside.place(
                row, member, self._symbols[row.symbol], self._course.total_e8[index]
            )
            return
        terms = (row.side, GTC, row.price_e8, self._course.total_e8[index])
        decision, order_id, command_id = self._gate.place(
            member, self._symbols[row.symbol], row, terms
        )
        self._gate.rests(order_id, command_id)
        self._order_ids[row.symbol, row.order_id] = order_id
        self._members[order_id] = member
        if submitted(row):
            self._message(index, row, member, decision, 0)
        if self._course.ends[index]:
            self._gate.ended(order_id)

    def _change(self, index: int, row: FlowRow) -> None:
        """A cancel, amend or reduce."""
        if self._outside.has(row):
            total_e8 = self._course.total_e8[index]
            self._outside.change(row, self._symbols[row.symbol], total_e8)
            return
        order_id = self._order_ids.get((row.symbol, row.order_id), 0)
        order = self._gate.book.orders.get(order_id)
        if order is None:
            order_id = 0
        left_e8 = order.remaining_e8 if order is not None else 0
        member = self._members[order_id] if order_id else self._member(row)
        symbol = self._symbols[row.symbol]
        if row.kind == ROW_CANCEL:
            decision = self._gate.cancel(member, symbol, row, order_id)
            if order_id and self._course.ends[index]:
                self._gate.cancelled(order_id)
            elif order_id:
                self._gate.cancel_failed(order_id)
        else:
            total_e8 = self._course.total_e8[index] or row.quantity_e8
            decision = self._gate.amend(member, symbol, row, order_id, total_e8)
            if order_id:
                self._gate.amended(order_id)
                if self._course.ends[index]:
                    self._gate.ended(order_id)
        self._message(index, row, member, decision, left_e8)

    def _message(
        self, index: int, row: FlowRow, member: Member, decision: Decision, left_e8: int
    ) -> None:
        self.tally.add_message(index, row, decision, left_e8)
        if self._told is not None:
            account = self._gate.directory.accounts_by_number[member.account]
            self._told(index, row, account.name, decision)

    def _fill(self, index: int, row: FlowRow) -> None:
        """An execution; the incoming order of its group goes before the first of them."""
        symbol = self._symbols[row.symbol]
        price_e8 = self._course.prices_e8.get(index)
        if price_e8 is not None:
            row = row._replace(price_e8=price_e8)
        taker = self._course.takers.get(index)
        if taker is not None:
            self._take(taker, symbol, row)
        shown = self._course.trades[index] and row.flag not in (FLAG_MAKER, FLAG_HIDDEN)
        if shown and row.quantity_e8:
            self._gate.market_trade(symbol, row)
        self._gate.note_trade(symbol, row)
        counter = self._counter(index)
        if self._outside.has(row):
            self._meet_outside(index, row, symbol)
            self._outside.filled(row, symbol)
            return
        order_id = self._order_ids.get((row.symbol, row.order_id), 0)
        if order_id not in self._gate.book.orders:
            return
        ends = self._course.ends[index]
        full = ends and self._course.filled_e8[index] == self._course.total_e8[index]
        if row.quantity_e8:
            fill = self._gate.fill(row, maker=row.flag != FLAG_TAKER, counter=counter)
            self._gate.traded(order_id, fill, filled=full)
        if ends and not full:
            self._gate.ended(order_id)

    def _counter(self, index: int) -> tuple[int, int]:
        """Return order and account of a fill's other side, zeros where it is not shown."""
        place = self._course.counterparts.get(index)
        if place is None:
            return 0, 0
        other = self._flow.rows[place]
        if self._outside.has(other):
            side = self._outside.side(other)
            return side.order, 0
        order_id = self._order_ids.get((other.symbol, other.order_id), 0)
        member = self._members.get(order_id)
        return (order_id, member.account) if member is not None else (0, 0)

    def _meet_outside(self, index: int, row: FlowRow, symbol: int) -> None:
        """Report a trade with a side of another channel, once, whichever side comes first."""
        if index in self._met:
            return
        own = self._outside.side(row)
        place = self._course.counterparts.get(index)
        other = Side(0, 0, 0)
        if place is not None:
            self._met.add(place)
            opposite = self._flow.rows[place]
            if self._outside.has(opposite):
                other = self._outside.side(opposite)
            else:
                order_id = self._order_ids.get((opposite.symbol, opposite.order_id), 0)
                member = self._members.get(order_id)
                other = Side(order_id, member.owner if member is not None else 0, 0)
        taker = row if row.flag == FLAG_TAKER or place is None else self._flow.rows[place]
        self._gate.outside_trade(symbol, taker, *trade_sides(row.side, own, other))

    def _take(self, taker: Taker, symbol: int, row: FlowRow) -> None:
        """Send a rebuilt incoming order and let the engine execute it wholly."""
        member = self._gate.member(TAKERS)
        # Nobody recorded these orders, so no rule's report counts them, and no alert is told.
        watchers, self._gate.watchers = self._gate.watchers, ()
        self._gate.on_decision = unheard
        terms = (taker.side, IOC, taker.price_e8, taker.quantity_e8)
        decision, order_id, command_id = self._gate.place(member, symbol, row, terms)
        met = self._flow.rows[taker.first : taker.last + 1]
        fills = tuple(self._gate.fill(fill, maker=False) for fill in met if fill.quantity_e8)
        self._gate.executes(order_id, command_id, fills)
        self._gate.watchers = watchers
        self._gate.on_decision = self.findings.on_decision
        self.tally.taker_verdicts.add(decision)

    def _member(self, row: FlowRow) -> Member:
        try:
            return self._gate.member(self._participants.of(row))
        except ValueError as error:
            raise FlowError(f"{self._flow.path}, line {row.line}: {error}") from None
