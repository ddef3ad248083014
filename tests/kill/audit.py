"""Every answer a client read, and every act an operator saw acknowledged, held against the record."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from gateway.journal import Record
from rules.decisions import ACCEPTED as DECIDED_ACCEPTED
from rules.decisions import DEFERRED
from rules.decisions import REFUSED as DECIDED_REFUSED
from rules.events import (
    Amend,
    Cancel,
    CancelAll,
    ClearBan,
    CommandResult,
    Deadline,
    Place,
    Query,
    Replace,
    SetState,
)
from rules.units import decimal_text
from rules.values import (
    DEFINE_ADDRESS,
    ENGINE_LOST,
    ORDER_STATUS_NAMES,
    PENDING_CANCEL,
    STATE_NAMES,
)
from tests.kill.asks import (
    ACCEPTED,
    AMEND,
    CANCEL,
    CANCEL_ALL,
    PLACE,
    REFUSED,
    REPLACE,
    UNKNOWN,
    Seen,
)
from tests.kill.course import Course, Life
from tests.kill.operators import Act
from tests.kill.processes import decision_ids

_EVENTS: Final = {
    PLACE: Place,
    CANCEL: Cancel,
    CANCEL_ALL: CancelAll,
    REPLACE: Replace,
    AMEND: Amend,
}

_COUNTED: Final = ("ADDRESS_BANNED", "OVERLOADED")
"""Refusals of which only the first ten a second of an address have a record each."""


class Audit:
    """Finds answers in the record of one course; `counts` says how many of which were found."""

    def __init__(self, course: Course) -> None:
        self.counts: Counter[str] = Counter()
        self._course = course
        self._known: set[str] = set()
        """Decision ids that were told already."""

    def answers(self, seen: Iterable[Seen]) -> None:
        """Hold answers against the record, which must have been followed to its end."""
        for one in seen:
            self.counts["answers seen"] += 1
            again = one.decision_id in self._known
            fault = "" if again else self._answer(one)
            if again or (fault and one.reason in _COUNTED):
                fault = self._counted(one)
            self._known.add(one.decision_id)
            if fault:
                self._course.problem(f"{fault}: {one}")
            else:
                self.counts["answers found"] += 1
                self.counts[f"{one.channel} {one.told}"] += 1

    def acts(self, acts: Iterable[Act]) -> None:
        """Hold what operators saw acknowledged against the record."""
        for act in acts:
            self.counts["acts seen"] += 1
            record = self._record(self._course.life(act.run), act.decision_id)
            event = record.event if record is not None else None
            if isinstance(event, SetState):
                good = STATE_NAMES[event.state] == act.state
            else:
                good = isinstance(event, ClearBan) and not act.state
            self._course.check(good, f"{act} is {record}")
            self.counts["acts found"] += good

    def _record(self, life: Life, decision_id: str) -> Record | None:
        path = life.run.path
        seq = decision_ids(path.parent, path.name).decode(decision_id)
        return life.records.get(seq or 0)

    def _answer(self, seen: Seen) -> str:
        """Return what is wrong with one answer, empty when nothing is."""
        life = self._course.life(seen.run)
        record = self._record(life, seen.decision_id)
        if record is None:
            return "it is not in the record"
        event: Any = record.event
        if not isinstance(event, _EVENTS.get(seen.ask.kind, Query)):
            return f"its record is {record}"
        directory = self._course.replica.directory
        party = self._course.replica.pipeline.book
        if event.key and party.keys[event.key].name != seen.party.api_key:
            return f"another key asked for it: {record}"
        if getattr(event, "client_order_id", "") != self._own_id(seen):
            return f"its record has another client order id: {record}"
        symbol = event.symbol
        if symbol and directory.symbols_by_number[symbol].name != seen.ask.symbol:
            return f"its record has another symbol: {record}"
        if record.decision.verdict == DECIDED_REFUSED:
            return self._refused(seen, record)
        if record.decision.verdict == DEFERRED:
            return self._held(seen, record)
        assert record.decision.verdict == DECIDED_ACCEPTED, record
        result = life.results.get(record.seq)
        if seen.told == UNKNOWN:
            return self._unknown(life, record)
        if isinstance(event, Query):
            return ""
        if result is None:
            return "" if seen.ask.kind == CANCEL_ALL else "the engine's result is not in the record"
        return self._settled(seen, record, result.event)

    def _counted(self, seen: Seen) -> str:
        """Hold a refusal that was only counted against the last recorded one of its address."""
        record = self._record(self._course.life(seen.run), seen.decision_id)
        if record is None or seen.reason not in _COUNTED:
            return "it is not in the record, or its decision id was told before"
        event: Any = record.event
        directory = self._course.replica.directory
        address = directory.name(DEFINE_ADDRESS, event.ip)
        self.counts["answers that were counted"] += 1
        told = record.decision.breaches[0].reason.name if record.decision.breaches else ""
        if address != seen.party.address or told not in _COUNTED:
            return f"its decision id is of {record}"
        return ""

    def _own_id(self, seen: Seen) -> str:
        """Return the client order id the request itself carries."""
        if seen.ask.kind in (PLACE, REPLACE):
            return seen.ask.client_order_id
        if seen.ask.kind == "status":
            return seen.ask.target
        return ""

    def _refused(self, seen: Seen, record: Record) -> str:
        if seen.told != REFUSED:
            return f"the record refuses it: {record}"
        reasons = {breach.reason.name for breach in record.decision.breaches}
        if seen.reason and seen.reason not in reasons:
            return f"it was refused for {reasons}"
        return ""

    def _held(self, seen: Seen, record: Record) -> str:
        """Hold the answer to a cancel that came too early against what is held."""
        self.counts["cancels held"] += 1
        if seen.told != ACCEPTED:
            return f"the record holds it: {record}"
        if seen.ask.kind == CANCEL_ALL:
            good = set(seen.canceled) == set(record.decision.deferred)
        else:
            good = (seen.order_id,) == record.decision.deferred
            # It is shown as it is when the answer is written; it may have ended of itself by then.
            ended = not self._course.orders.every[seen.order_id].open
            good = good and (ended or seen.status == ORDER_STATUS_NAMES[PENDING_CANCEL])
        return "" if good else f"other orders are held: {record}"

    def _unknown(self, life: Life, record: Record) -> str:
        """Hold that the deadline of a command that was told to be unknown is recorded."""
        for other in life.records.values():
            if isinstance(other.event, Deadline) and other.event.command_id == record.seq:
                return ""
        return "its deadline is not in the record"

    def _settled(self, seen: Seen, record: Record, result: Any) -> str:
        """Hold an answer that rests on the engine's result against that."""
        assert isinstance(result, CommandResult)
        half = seen.ask.kind == REPLACE and bool(result.ended)
        if seen.told == REFUSED:
            nothing = seen.ask.kind == CANCEL_ALL and not result.ended
            wrong = result.accepted and result.replaced_refusal is None and not nothing
            return f"the engine has accepted it: {result}" if wrong else ""
        if not result.accepted and not half:
            return f"the engine has refused it: {result}"
        ended = {one.order_id for one in result.ended}
        if not set(seen.canceled) <= ended.union(record.decision.deferred):
            return f"other orders were cancelled: {result}"
        if seen.ask.kind == CANCEL_ALL or not seen.order_id:
            return ""
        if seen.order_id != record.decision.order_id:
            return f"its record is of order {record.decision.order_id}"
        return self._terms(seen, record, result)

    def _terms(self, seen: Seen, record: Record, result: CommandResult) -> str:
        if seen.ask.kind in (PLACE, REPLACE):
            named = seen.ask.client_order_id or record.decision.client_order_id
            executed_e8 = sum(fill.quantity_e8 for fill in result.fills)
            status = result.status
            trades = tuple(fill.trade_id for fill in result.fills)
            if seen.client_order_id != named:
                return f"its client order id is {named}"
            if seen.trades != trades:
                return f"its trades are {trades}"
            if seen.executed != decimal_text(executed_e8, 8):
                return f"{executed_e8} was executed"
        elif seen.ask.kind == CANCEL:
            status = result.ended[0].status if result.ended else 0
        else:
            return ""
        names = {ORDER_STATUS_NAMES[status], "EXPIRED" if status == ENGINE_LOST else ""}
        return "" if seen.status in names else f"its status is {names}"
