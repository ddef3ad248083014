"""Watches everything that happens and says what must not have happened.

It hears of each event when it is decided, of each record, of each command at the engine's door and
of each answer, and compares them with models of its own and with the bytes of the record.
"""

import hashlib
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
    RunBegan,
    SetState,
)
from rules.reasons import Reason
from rules.registry import mode_of
from rules.rulebook import Rulebook
from rules.values import STATE_KILLED
from tests.sim.orders import ModelOrder, OrderModel
from tests.sim.participants import ACCOUNT_OF, OWNER_OF
from tests.sim.rates import RateModel
from tests.sim.stops import StopModel
from tests.sim.telling import cover, covers, differences, line
from tests.sim.terms import TermsModel

_UNRECORDED: Final = (Reason.RECORD_LOST, Reason.OVERLOADED)
_encode: Final = msgspec.msgpack.Encoder().encode


class Safe(Protocol):
    """What is safe in the record."""

    def through(self) -> int:
        """Return the last record that is safe, with all before it."""

    def payload(self, seq: int) -> bytes:
        """Return (event, decision) of a safe record, encoded; empty when there is none."""


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
        self._terms = TermsModel(rulebook)
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
        self.kept_seq = 0
        """The last record of the lives before this one that counts."""
        self.digest = hashlib.sha256()
        """Of everything that happened, in order."""
        self._rulebook = rulebook
        self._deadline_ns = deadline_ns
        self._now_ns = 0
        self._blind = False
        self._first_seq = 1
        """The first record of the present life."""
        self._released_seq = 0
        """The last record whose command or answer has left in the present life."""
        self._answered_seq = 0
        """The last record whose answer has left in the present life."""
        self._commands: set[int] = set()
        self._arrived: set[int] = set()
        self._order_ids: set[int] = set()
        self._results: dict[int, CommandResult] = {}
        self._alone: set[int] = set()
        """Identities of the events that have a record of their own."""
        self._numbered: dict[int, Outcome] = {}
        """Refusals that are counted and not answered yet, by event."""
        self._counted: dict[int, list[tuple[int, Outcome]]] = {}
        """Refusals by address that were answered and wait to be recorded as a number."""
        self._aggregates: dict[int, list[tuple[int, Outcome]]] = {}
        """What the records of numbers stand for: refusals, each with the record before it."""
        self._killed: set[tuple[int, int]] = set()
        """Scopes whose kill was acknowledged and not released."""
        self._unconfirmed: set[int] = set()
        """Placements, by command, that the answer to a kill has counted as remaining: the engine
        has not answered in time, and they may be on their way yet."""

    def check(self, good: bool, message: str) -> None:
        """Note a violation unless `good`."""
        if not good:
            self.violations.append(message)

    # --- Lives --------------------------------------------------------------------------------

    def begin_life(self, first_seq: int) -> None:
        """Take up a gate that begins with record `first_seq`."""
        highest = max(self.decided, default=0)
        used = max(highest, *self._commands, 0)
        self.check(first_seq > used, f"numbers begin with {first_seq}, {used} was used")
        self._first_seq = first_seq
        self.decided_seq = first_seq - 1
        self._released_seq = self._answered_seq = 0

    def end_life(self, survivors: Safe) -> None:
        """Take what is left of a gate's record, and forget what is not in it.

        Whatever has left the gate must be in it, just as it was decided. A life that did not get
        as far as serving does not count.
        """
        last = survivors.through()
        self.check(
            self._released_seq <= last,
            f"record {self._released_seq} has left, the record is left through {last}",
        )
        served = False
        for seq in range(self._first_seq, last + 1):
            found = self.decided.get(seq)
            good = found is not None and survivors.payload(seq) == b"".join(map(_encode, found[1:]))
            self.check(good, f"record {seq} survived and is not what was decided")
            served = served or (found is not None and isinstance(found[1], RunBegan))
        if served:
            self.kept_seq = last
        else:
            self.check(not self._answered_seq, "an answer of a life that never served")
        self._forget()

    def end_without_record(self) -> None:
        """Take that nothing is left of a gate's record: nothing may have left it."""
        self.check(not self._released_seq, f"record {self._released_seq} has left and is gone")
        self._forget()

    def change_rulebook(self, rulebook: Rulebook) -> None:
        """Judge by another rulebook from now on; what was used of its rate limits is not known."""
        self._rulebook = rulebook
        self._terms = TermsModel(rulebook)
        self._blind = True
        self._forget()

    def _forget(self) -> None:
        """Bring the models to the last record that counts."""
        self.decided = {seq: one for seq, one in self.decided.items() if seq <= self.kept_seq}
        self._alone = {id(event) for _, event, _ in self.decided.values()}
        self._counted.clear()
        self._numbered.clear()
        self._order_ids.clear()
        rulebook = self._rulebook
        self.orders, self.rates = OrderModel(), RateModel(rulebook)
        self.rates.blind = self._blind
        self.stops = StopModel(rulebook, self.orders)
        counted: dict[int, list[Outcome]] = {}
        for seq, refusals in self._aggregates.items():
            if seq <= self.kept_seq:
                for before, refusal in refusals:
                    counted.setdefault(before, []).append(refusal)
        self._now_ns = 0
        for seq, (now_ns, event, decision) in self.decided.items():
            self._take(seq, event, decision, now_ns)
            self._now_ns = now_ns
            for refusal in counted.get(seq, ()):
                assert isinstance(refusal.event, Request)
                self.rates.take(0, refusal.event, refusal.decision, refusal.now_ns)
        for waiting in self.orders.waiting.values():
            waiting.sent_ns = 0
        self._killed = {
            scope for scope in self._killed if self.stops.states.get(scope) == STATE_KILLED
        }

    # --- Decisions and records ----------------------------------------------------------------

    def decide(self, seq: int, event: Event, decision: Decision, now_ns: int) -> None:
        """Take one event that was decided and committed."""
        self.events.append(line(seq, event, decision, now_ns))
        self.digest.update(_encode((seq, now_ns, event, decision)))
        cover(self.coverage, event, decision)
        self.check(now_ns >= self._now_ns, f"time went back from {self._now_ns} to {now_ns}")
        self._now_ns = now_ns
        self._timers(event, now_ns)
        for judge in (self.rates.judge, self.stops.judge, self._terms.judge):
            for fault in judge(event, decision, now_ns):
                self.violations.append(f"seq {seq}: {fault}")
        self._form(seq, event, decision)
        self.decided_seq = seq
        self.decided[seq] = now_ns, event, decision
        self._alone.add(id(event))
        if isinstance(event, RefusedAggregate):
            self._aggregate(seq, event)
        if isinstance(event, CommandResult):
            self._results.setdefault(event.command_id, event)
        if isinstance(event, SetState) and event.state != STATE_KILLED:
            self._killed.discard((event.scope, event.subject))
        self._take(seq, event, decision, now_ns)
        self.violations.extend(f"seq {seq}: {fault}" for fault in self.orders.faults)
        self.orders.faults.clear()

    def _take(self, seq: int, event: Event, decision: Decision, now_ns: int) -> None:
        """Let the models follow an event."""
        symbol = self._symbol_of(event)
        self.rates.take(seq, event, decision, now_ns)
        self.orders.take(seq, event, decision, now_ns, self.stops.halted_ns(symbol, now_ns))
        self.stops.take(event, decision, now_ns)
        if isinstance(event, EngineSession):
            self.rates.forget_orders(event, self.orders.open)
        if isinstance(event, Place | Replace) and decision.verdict == ACCEPTED:
            self._order_ids.add(decision.order_id)

    def recorded(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Take one record that the journal has accepted."""
        self.check(
            self.decided.get(seq) == (now_ns, event, decision),
            f"record {seq} is not what was decided",
        )

    def _form(self, seq: int, event: Event, decision: Decision) -> None:
        """Check what holds for every decision."""
        self.check(
            seq == self.decided_seq + 1,
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

    def _timers(self, event: Event, now_ns: int) -> None:
        """Check that deadlines that passed came first, in their order, and none too early."""
        due = self.orders.due(now_ns, self._deadline_ns)
        if isinstance(event, Deadline):
            first = next(due, None)
            told = self._results.get(event.command_id)
            if told is not None and first != event.command_id:
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
        self.digest.update(_encode(command))
        risky = not hasattr(command, "order_ids")
        if risky or not self.unrecorded():
            safe = self.record.through()
            self._released_seq = max(self._released_seq, seq)
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
            self._not_killed(event, "was sent")

    def _not_killed(self, event: Place | Replace, what: str) -> None:
        account = ACCOUNT_OF[event.key]
        for scope in self._killed:
            if covers(scope, OWNER_OF[account], account, event.key, event.symbol):
                self.violations.append(f"an order of KILLED {scope} {what}: {event}")

    def arrived(self, kind: str, command_id: int) -> None:
        """Take a command that has reached the engine process."""
        self.coverage[f"arrived {kind}"] += 1
        if kind == "cancel":
            return
        self.check(command_id not in self._arrived, f"{kind} {command_id} arrived twice")
        self._arrived.add(command_id)
        _, event, _ = self.decided.get(command_id, (0, None, None))
        if isinstance(event, Place | Replace) and command_id not in self._unconfirmed:
            self._not_killed(event, "arrived")

    def answered(self, asked: Asked, outcome: Outcome) -> None:
        """Take an answer to a request or an operator."""
        asked.outcomes.append(outcome)
        self.digest.update(_encode((outcome.seq, outcome.now_ns, outcome.event, outcome.decision)))
        self.digest.update(_encode((outcome.result, outcome.result_ns)))
        self.coverage[f"answer {VERDICT_NAMES[outcome.decision.verdict]}"] += 1
        self.check(len(asked.outcomes) == 1, f"{asked.event} was answered twice")
        self.check(outcome.event == asked.event, f"{asked.event} was answered for {outcome.event}")
        if outcome.seq == 0:
            self._unrecorded(outcome)
            return
        if not self.unrecorded():
            safe = self.record.through()
            self._answered_seq = max(self._answered_seq, outcome.seq)
            self._released_seq = max(self._released_seq, outcome.seq)
            left = f"answer {outcome.seq} left, the record is safe through {safe}"
            self.check(outcome.seq <= safe, left)
        if id(asked.event) not in self._alone:
            counted = self._numbered.pop(id(asked.event), None)
            self.check(counted is outcome, f"{asked.event} was answered and not counted")
            return
        now_ns, event, decision = self.decided[outcome.seq]
        told = msgspec.structs.replace(outcome.decision, more=decision.more)
        self.check(_encode(told) == _encode(decision), f"answer {outcome.seq} differs from record")
        self.check((outcome.now_ns, outcome.event) == (now_ns, event), f"answer {outcome.seq}")
        self._result_of(outcome, event)
        if isinstance(event, SetState) and event.state == STATE_KILLED:
            scope = event.scope, event.subject
            if self.stops.states[scope] == STATE_KILLED:
                self._killed.add(scope)
                self._unconfirmed.update(order.command_id for order in self._killed_by(scope))

    def _unrecorded(self, outcome: Outcome) -> None:
        """Take the refusal of what the lost record has no place for."""
        told = outcome.decision.breaches[0].reason
        self.coverage[f"unrecorded {told.name}"] += 1
        order = isinstance(outcome.event, Place | Replace | Amend)
        spared = isinstance(outcome.event, Query | RefusedRequest)
        good = told is Reason.RECORD_LOST if order else spared and told in _UNRECORDED
        self.check(good and self.lost(), f"unrecorded answer {told!r} to {outcome.event}")

    def counted(self, outcome: Outcome) -> None:
        """Take a refusal that has no record of its own: it must be right and be counted."""
        self._numbered[id(outcome.event)] = outcome
        event, decision, now_ns = outcome.event, outcome.decision, outcome.now_ns
        assert isinstance(event, Request)
        self.coverage["refusal counted"] += 1
        self._now_ns = max(self._now_ns, now_ns)
        self.check(decision.verdict == REFUSED, f"{event} was accepted without a record")
        if self.lost():
            # The lost record may have no place for the number: then nothing is counted.
            self.rates.blurred.add(event.ip)
        for judge in (self.rates.judge, self.stops.judge):
            for fault in judge(event, decision, now_ns):
                self.violations.append(f"counted after seq {self.decided_seq}: {fault}")
        self.rates.take(0, event, decision, now_ns)
        refusals = self._counted.setdefault(event.ip, [])
        refusals.append((self.decided_seq, outcome))

    def _aggregate(self, seq: int, event: RefusedAggregate) -> None:
        """Hold what is recorded as a number against what was answered."""
        total = 0
        for share in event.shares:
            refusals = self._counted.pop(share.ip, [])
            counted = Counter(one.decision.breaches[0].reason for _, one in refusals)
            self.check(dict(share.reasons) == counted, f"{share} is not {counted}")
            self._aggregates.setdefault(seq, []).extend(refusals)
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
        self.violations.extend(differences(book, self.orders, self.stops.states))

    def killed_orders(self) -> list[int]:
        """Return the open orders in scopes that are KILLED."""
        killed = [scope for scope, state in self.stops.states.items() if state == STATE_KILLED]
        found = {order.order_id for scope in killed for order in self._killed_by(scope)}
        return sorted(found)

    def _killed_by(self, scope: tuple[int, int]) -> list[ModelOrder]:
        """Return the open orders of a scope."""
        return [
            order
            for order in self.orders.open.values()
            if covers(scope, order.owner, order.account, order.key, order.symbol)
        ]
