"""Watches everything that happens and says what must not have happened.

It hears of each event when it is decided, of each record, of each command at the engine's door and
of each answer, and compares them with models of its own and with the bytes of the record.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from gateway.engine.port import Command, PlaceCommand, ReplaceCommand
from gateway.outcome import Outcome
from rules.book import Book
from rules.decisions import ACCEPTED, NOTED, REFUSED, VERDICT_NAMES, Decision
from rules.events import (
    Amend,
    CancelAll,
    CommandResult,
    Deadline,
    EngineSession,
    Event,
    Place,
    Query,
    RefusedAggregate,
    RefusedRequest,
    Replace,
    Request,
    SetState,
)
from rules.reasons import Reason
from rules.registry import mode_of
from rules.rulebook import Rulebook
from rules.values import ORDER_STATUS_NAMES, STATE_KILLED
from tests.sim.orders import OrderModel
from tests.sim.participants import START_NS
from tests.sim.rates import RateModel
from tests.sim.stops import StopModel

_DULL: Final = frozenset(
    ("endpoint", "received_ns", "timestamp_ns", "recv_window_ns", "channel", "engine_ns")
)
"""Fields that seldom say what went wrong."""
_UNRECORDED: Final = (Reason.RECORD_LOST, Reason.OVERLOADED)
_encode: Final = msgspec.msgpack.Encoder().encode


class Safe(Protocol):
    """What is safe in the record."""

    def through(self) -> int:
        """Return the last record that is safe, with all before it."""


class Asked:
    """One request of the simulation, and what came of it."""

    def __init__(self, number: int, event: Event) -> None:
        self.number = number
        self.event = event
        self.outcomes: list[Outcome] = []
        self.life = 0
        """Which life of the gate it was asked of."""


class Referee:
    """Judges one simulation; `violations` says what was wrong, the first thing first."""

    def __init__(self, rulebook: Rulebook, deadline_ns: int, coverage: Counter[str]) -> None:
        self.violations: list[str] = []
        self.events: list[str] = []
        self.coverage = coverage
        self.orders = OrderModel()
        self.rates = RateModel(rulebook)
        self.stops = StopModel(rulebook, self.orders)
        self.record: Safe
        self.decided_seq = 0
        self.decided: dict[int, tuple[int, Event, Decision]] = {}
        """By seq: time, event and decision of everything decided."""
        self.lost: Callable[[], bool] = bool
        """Whether the record is lost: orders are refused."""
        self.unrecorded: Callable[[], bool] = bool
        """Whether the reserve is lost too: cancels and reports pass unrecorded."""
        self.now_ns: Callable[[], int] = int
        """The core's clock."""
        self._rulebook = rulebook
        self._deadline_ns = deadline_ns
        self._now_ns = 0
        self._commands: set[int] = set()
        self._order_ids: set[int] = set()
        self._results: dict[int, CommandResult] = {}
        self._alone: set[int] = set()
        """Identities of the events that have a record of their own."""
        self._counted: dict[int, list[Reason]] = {}
        """Refusals by address that were answered and wait to be recorded as a number."""
        self._killed: set[tuple[int, int]] = set()
        """Scopes whose kill was acknowledged and not released."""

    def check(self, good: bool, message: str) -> None:
        """Note a violation unless `good`."""
        if not good:
            self.violations.append(message)

    # --- Decisions and records ----------------------------------------------------------------

    def decide(self, seq: int, event: Event, decision: Decision, now_ns: int) -> None:
        """Take one event that was decided and committed."""
        self.events.append(_line(seq, event, decision, now_ns))
        self._cover(event, decision)
        self.check(now_ns >= self._now_ns, f"time went back from {self._now_ns} to {now_ns}")
        self._now_ns = now_ns
        self._timers(event, now_ns)
        for judge in (self.rates.judge, self.stops.judge):
            for fault in judge(event, decision, now_ns):
                self.violations.append(f"seq {seq}: {fault}")
        self._form(seq, event, decision)
        self.decided_seq = seq
        self.decided[seq] = now_ns, event, decision
        self._alone.add(id(event))
        if isinstance(event, RefusedAggregate):
            self._aggregate(event)
        if isinstance(event, CommandResult):
            self._results.setdefault(event.command_id, event)
        if isinstance(event, SetState) and event.state != STATE_KILLED:
            self._killed.discard((event.scope, event.subject))
        symbol = self._symbol_of(event)
        self.rates.take(seq, event, decision, now_ns)
        self.orders.take(seq, event, decision, now_ns, self.stops.halted_ns(symbol, now_ns))
        self.stops.take(event, decision, now_ns)
        if isinstance(event, EngineSession):
            self.rates.forget_orders(event, self.orders.open)

    def recorded(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Take one record that the journal has accepted."""
        self.check(
            self.decided.get(seq) == (now_ns, event, decision),
            f"record {seq} is not what was decided",
        )

    def _form(self, seq: int, event: Event, decision: Decision) -> None:
        """Check what holds for every decision."""
        self.check(
            seq == self.decided_seq + 1 or not self.decided_seq,
            f"seq {seq} follows {self.decided_seq}",
        )
        self.check(
            isinstance(event, Request) is not (decision.verdict == NOTED),
            f"seq {seq}: verdict {decision.verdict}",
        )
        self.check(
            (decision.verdict == REFUSED) is bool(decision.breaches), f"seq {seq}: {decision}"
        )
        for breach in decision.breaches:
            self.check(breach.reason is not Reason.RULE_FAULT, f"seq {seq}: {breach}")
            enforced = breach.rule == "request" or mode_of(self._rulebook, breach.rule) == "enforce"
            self.check(enforced, f"seq {seq}: {breach.rule} is not enforced and refused")
        for breach in decision.shadows:
            shadow = mode_of(self._rulebook, breach.rule) == "shadow"
            self.check(shadow, f"seq {seq}: {breach.rule} is no shadow")
        if (
            isinstance(event, Place | Replace)
            and decision.verdict == ACCEPTED
            and decision.order_id
        ):
            fresh = decision.order_id not in self._order_ids
            self.check(fresh, f"seq {seq}: order id {decision.order_id} was given before")
            self._order_ids.add(decision.order_id)

    def _timers(self, event: Event, now_ns: int) -> None:
        """Check that deadlines that passed came first, in their order, and none too early."""
        due = self.orders.due(now_ns, self._deadline_ns)
        if isinstance(event, Deadline):
            first = next(due, None)
            told = self._results.get(event.command_id)
            if first is None and told is not None:
                # Its answer is decided and waits for the disk: the deadline changes nothing.
                return
            self.check(first == event.command_id, f"deadline of {event.command_id}, {first} is due")
        else:
            late = list(due)
            self.check(not late, f"{type(event).__name__} came before the deadlines of {late}")

    def _symbol_of(self, event: Event) -> int:
        if not isinstance(event, CommandResult):
            return 0
        waiting = self.orders.waiting.get(event.command_id)
        if waiting is None:
            return 0
        order_id = waiting.new or (waiting.order_ids[0] if waiting.order_ids else 0)
        order = self.orders.every.get(order_id)
        return order.symbol if order is not None else 0

    # --- What leaves --------------------------------------------------------------------------

    def sent(self, command: Command) -> None:
        """Take a command at the engine's door."""
        seq = command.command_id
        risky = not hasattr(command, "order_ids")
        if risky or not self.unrecorded():
            safe = self.record.through()
            self.check(seq <= safe, f"command {seq} left, the record is safe through {safe}")
        self.check(seq not in self._commands, f"command {seq} was sent twice")
        self._commands.add(seq)
        if seq in self.orders.waiting:
            self.orders.waiting[seq].sent_ns = self.now_ns()
        _, event, decision = self.decided.get(seq, (0, None, None))
        if not isinstance(event, Event) or not isinstance(decision, Decision):
            self.violations.append(f"command {seq} was never decided")
            return
        self.check(decision.verdict in (ACCEPTED, NOTED), f"command {seq} of a refused request")
        place = command.place if isinstance(command, ReplaceCommand) else command
        if isinstance(place, PlaceCommand) and isinstance(event, Place | Replace):
            asked = event.symbol, event.side, event.price_e8, event.quantity_e8
            told = place.symbol, place.side, place.price_e8, place.quantity_e8
            self.check(asked == told, f"command {seq} is {told}, asked was {asked}")
            self.check(place.order_id == decision.order_id, f"command {seq}: order id differs")
            self._not_killed(place, event)

    def _not_killed(self, place: PlaceCommand, event: Place | Replace) -> None:
        order = self.orders.every[place.order_id]
        for scope in self._killed:
            if covers(scope, order.owner, order.account, event.key, event.symbol):
                self.violations.append(f"order {place.order_id} of KILLED {scope} was sent")

    def answered(self, asked: Asked, outcome: Outcome) -> None:
        """Take an answer to a request or an operator."""
        asked.outcomes.append(outcome)
        self.coverage[f"answer {VERDICT_NAMES[outcome.decision.verdict]}"] += 1
        self.check(len(asked.outcomes) == 1, f"{asked.event} was answered twice")
        self.check(outcome.event == asked.event, f"{asked.event} was answered for {outcome.event}")
        if outcome.seq == 0:
            self._unrecorded(outcome)
            return
        if id(asked.event) not in self._alone:
            self._count(outcome)
            return
        if not self.unrecorded():
            safe = self.record.through()
            self.check(
                outcome.seq <= safe, f"answer {outcome.seq} left, the record is safe through {safe}"
            )
        now_ns, event, decision = self.decided[outcome.seq]
        told = msgspec.structs.replace(outcome.decision, more=decision.more)
        self.check(_encode(told) == _encode(decision), f"answer {outcome.seq} differs from record")
        self.check((outcome.now_ns, outcome.event) == (now_ns, event), f"answer {outcome.seq}")
        self._result_of(outcome, event)
        if isinstance(event, SetState) and event.state == STATE_KILLED:
            scope = event.scope, event.subject
            if self.stops.states[scope] == STATE_KILLED:
                self._killed.add(scope)

    def _unrecorded(self, outcome: Outcome) -> None:
        """Take the refusal of what the lost record has no place for."""
        told = outcome.decision.breaches[0].reason
        self.coverage[f"unrecorded {told.name}"] += 1
        order = isinstance(outcome.event, Place | Replace | Amend)
        spared = isinstance(outcome.event, Query | RefusedRequest)
        good = told is Reason.RECORD_LOST if order else spared and told in _UNRECORDED
        self.check(good and self.lost(), f"unrecorded answer {told!r} to {outcome.event}")

    def _count(self, outcome: Outcome) -> None:
        """Take a refusal that has no record of its own: it must be right and be counted."""
        event, decision, now_ns = outcome.event, outcome.decision, outcome.now_ns
        assert isinstance(event, Request)
        self.coverage["refusal counted"] += 1
        self._now_ns = max(self._now_ns, now_ns)
        self.check(decision.verdict == REFUSED, f"{event} was accepted without a record")
        for judge in (self.rates.judge, self.stops.judge):
            for fault in judge(event, decision, now_ns):
                self.violations.append(f"counted after seq {self.decided_seq}: {fault}")
        self.rates.take(0, event, decision, now_ns)
        self._counted.setdefault(event.ip, []).append(decision.breaches[0].reason)

    def _aggregate(self, event: RefusedAggregate) -> None:
        """Hold what is recorded as a number against what was answered."""
        total = 0
        for share in event.shares:
            counted = Counter(self._counted.pop(share.ip, []))
            self.check(dict(share.reasons) == counted, f"{share} is not {counted}")
            total += counted.total()
        self.check(event.count == total, f"{event.count} refusals counted, answered {total}")

    def uncounted(self) -> int:
        """Return how many refusals were answered and are in no record."""
        return sum(map(len, self._counted.values()))

    def _result_of(self, outcome: Outcome, event: Event) -> None:
        """Check the engine's part of an answer against the record."""
        result = outcome.result
        if result is None:
            return
        found = self._results.get(outcome.seq)
        if result.unknown:
            self.coverage["answer unknown"] += 1
            due = outcome.result_ns >= outcome.now_ns + self._deadline_ns
            self.check(due, f"answer {outcome.seq}: unknown before its deadline")
        elif not (isinstance(event, CancelAll) and self.decided[outcome.seq][2].more):
            self.check(result == found, f"answer {outcome.seq}: {result} is not {found}")

    # --- State --------------------------------------------------------------------------------

    def compare(self, book: Book) -> None:
        """Hold the book against the models."""
        orders = self.orders
        self.check(
            book.orders.keys() == orders.open.keys(),
            f"open {sorted(book.orders)} not {sorted(orders.open)}",
        )
        for order_id, order in book.orders.items():
            model = orders.open.get(order_id)
            if model is None:
                continue
            holds_e8 = model.holds_e8()
            self.check(
                order.reserved_e8 == holds_e8,
                f"order {order_id} reserves {order.reserved_e8}, needs {holds_e8}",
            )
            mine = model.quantity_e8, model.filled_e8, model.price_e8, model.unknown, model.live_ns
            its = order.quantity_e8, order.filled_e8, order.price_e8, order.unknown, order.live_ns
            self.check(mine == its, f"order {order_id} is {its}, should be {mine}")
        reserved = orders.reserved()
        for place, balance in book.balances.items():
            held_e8, total_e8 = reserved.get(place, 0), orders.totals.get(place, 0)
            self.check(
                balance.reserved_e8 == held_e8,
                f"{place} reserves {balance.reserved_e8}, its orders {held_e8}",
            )
            self.check(
                balance.total_e8 == total_e8,
                f"{place} has {balance.total_e8}, should be {total_e8}",
            )
        states = {scope: state for scope, state in self.stops.states.items() if state}
        self.check(book.states == states, f"stop states {book.states} not {states}")

    def killed_orders(self) -> list[int]:
        """Return the open orders in scopes that are KILLED."""
        killed = [scope for scope, state in self.stops.states.items() if state == STATE_KILLED]
        return [
            order.order_id
            for order in self.orders.open.values()
            if any(
                covers(scope, order.owner, order.account, order.key, order.symbol)
                for scope in killed
            )
        ]

    def _cover(self, event: Event, decision: Decision) -> None:
        coverage = self.coverage
        coverage[f"event {type(event).__name__}"] += 1
        for breach in decision.breaches:
            coverage[f"reason {breach.reason.name}"] += 1
        for breach in decision.shadows:
            coverage[f"shadow {breach.rule}"] += 1
        if isinstance(event, CommandResult):
            told = event.reason.name if event.reason else ORDER_STATUS_NAMES[event.status]
            coverage[f"result {told}"] += 1


def covers(scope: tuple[int, int], owner: int, account: int, key: int, symbol: int) -> bool:
    """Tell whether a stop's scope is about an order of these."""
    kind, subject = scope
    return subject == (0, 0, symbol, owner, account, key)[kind]


def _line(seq: int, event: Event, decision: Decision, now_ns: int) -> str:
    """Return one line of the account of last events: what is not nothing, in few words."""
    words = [f"{seq:5} +{now_ns - START_NS:,} {type(event).__name__}"]
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name not in _DULL and value not in (0, "", (), False, None):
            words.append(f"{name}={value}")
    if decision.verdict != NOTED:
        words.append(f"-> {VERDICT_NAMES[decision.verdict]}")
        words.extend(breach.reason.name for breach in decision.breaches)
        if decision.order_id:
            words.append(f"order {decision.order_id}")
    if decision.cancels:
        words.append(f"cancels {decision.cancels}")
    return " ".join(words)
