"""The record of every life of a gate, followed once from its very first record on.

Nothing is ever restored here: no snapshot is read but to be compared. So whatever a restart has
forgotten, or made up, shows as a difference between what the gate says and what the record says.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.journal import Record, Run, read_run, runs
from gateway.replica import Replica, manifest_rulebook
from gateway.snapshots import start_of
from rules.decisions import ACCEPTED
from rules.events import (
    AnyEvent,
    CommandResult,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    EngineSession,
    Fill,
    OrderTrade,
    Place,
    RefusedAggregate,
    Replace,
    RunBegan,
)
from rules.values import INT63_MAX
from tests.sim.orders import OrderModel
from tests.sim.participants import Parties
from tests.sim.rates import RateModel
from tests.sim.stops import StopModel

_PROBLEMS_MAX: Final = 20


class Life:
    """One run that got as far as serving, or is still on its way to it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.records: dict[int, Record] = {}
        self.results: dict[int, Record] = {}
        """By command: its result."""
        self.last_seq = run.manifest.first_seq - 1


class Course:
    """State as the record has it; `problems` says what can't be.

    `follow` takes up what is new. Runs that never served are passed over, as a gate does that
    starts; only their numbers count.
    """

    def __init__(self, data: Path) -> None:
        self.problems: list[str] = []
        self.records = 0
        self.settled_later = 0
        """Commands whose result came in a later life than the one that sent them."""
        self._data = data
        self._lives: dict[str, Life] = {}
        self._unserved: dict[str, int] = {}
        """By run: its last number."""
        self._order_ids: set[int] = set()
        self._sides: dict[int, list[tuple[bool, int, int, int]]] = {}
        """By trade: (maker, price, quantity, order) of each side told."""
        self._now_ns = 0
        self._highest_seq = 0

    def problem(self, text: str) -> None:
        """Note what is wrong, unless there is more than enough already."""
        if len(self.problems) < _PROBLEMS_MAX:
            self.problems.append(text)

    def check(self, good: bool, text: str) -> None:
        """Note a problem unless `good`."""
        if not good:
            self.problem(text)

    def life(self, run: str) -> Life:
        """Return a run by its name."""
        return self._lives[run]

    # --- Following ----------------------------------------------------------------------------

    def follow(self, until_seq: int = INT63_MAX) -> None:
        """Take up every record there is, up to `until_seq`."""
        for run in runs(self._data):
            name = run.path.name
            if name in self._lives or self._begin(run):
                self._go_on(self._lives[name], until_seq)

    def forget(self) -> None:
        """Forget the records of ended lives; what follows from them stays."""
        for name in list(self._lives)[:-1]:
            life = self._lives[name]
            life.records, life.results = {}, {}

    def _begin(self, run: Run) -> bool:
        """Take up a new run; False while it has not served."""
        name, first_seq = run.path.name, run.manifest.first_seq
        opening = []
        for record in read_run(run.path, first_seq):
            opening.append(record)
            if isinstance(record.event, RunBegan):
                break
        if not opening or not isinstance(opening[-1].event, RunBegan):
            self._unserved[name] = opening[-1].seq if opening else 0
            return False
        used = max(self._highest_seq, *self._unserved.values(), 0)
        self.check(first_seq > used, f"run {name} begins with {first_seq} again")
        previous = list(self._lives)[-1] if self._lives else ""
        told = run.manifest.previous
        self.check(told == previous, f"run {name} continues {told}, not {previous}")
        self._lives[name] = Life(run)
        if not previous:
            self._introduce(run, opening)
        else:
            self._compare_start(run)
        return True

    def _introduce(self, run: Run, opening: list[Record]) -> None:
        """Learn from the beginning of the first run who is who."""
        self.parties = Parties({}, {}, {}, {}, 0)
        for record in opening:
            self._define(record.event)
        rulebook = manifest_rulebook(run.manifest)
        self.replica = Replica(rulebook)
        self.rates = RateModel(rulebook, self.parties)
        self.orders = OrderModel(self.parties)
        self.stops = StopModel(rulebook, self.orders)

    def _compare_start(self, run: Run) -> None:
        """Hold what a run begins with against everything that was recorded before."""
        start = start_of(run)
        name = run.path.name
        if start is None:
            self.problem(f"run {name} begins with nothing")
            return
        mine = plain(self.replica.pipeline.state())
        for part, value in mine.items():
            if start.pipeline.get(part) != value:
                found = difference(start.pipeline.get(part), value)
                self.problem(f"run {name} begins with another {part}: {found}")
        self.check(start.seq == self.replica.seq, f"run {name} begins after {start.seq}")

    def _go_on(self, life: Life, until_seq: int) -> None:
        for record in read_run(life.run.path, life.last_seq + 1):
            if record.seq > until_seq:
                return
            self.check(record.seq == life.last_seq + 1, f"record {record.seq} after a gap")
            life.last_seq = self._highest_seq = record.seq
            life.records[record.seq] = record
            self._take(life, record)

    def _take(self, life: Life, record: Record) -> None:
        seq, now_ns = record.seq, record.now_ns
        event, decision = record.event, record.decision
        self.records += 1
        before = self.replica.differences
        self.replica.take(record)
        self.check(self.replica.differences == before, f"decided differently again: {record}")
        self.check(now_ns >= self._now_ns, f"time went back to {now_ns} with {record}")
        self._now_ns = now_ns
        for judge in (self.rates.judge, self.stops.judge):
            for fault in judge(event, decision, now_ns):
                self.problem(f"{fault}: {record}")
        if isinstance(event, CommandResult):
            life.results.setdefault(event.command_id, record)
            self.settled_later += event.command_id < life.run.manifest.first_seq
        for fill in _fills(event):
            self._fill(record, fill)
        if isinstance(event, Place | Replace) and decision.verdict == ACCEPTED:
            fresh = decision.order_id not in self._order_ids
            self.check(fresh, f"order id {decision.order_id} is given again: {record}")
            self._order_ids.add(decision.order_id)
        self.rates.take(seq, event, decision, now_ns)
        if isinstance(event, RefusedAggregate):
            for share in event.shares:
                self.rates.counted(share, now_ns)
        self.orders.take(seq, event, decision, now_ns, 0)
        self.stops.take(event, decision, now_ns)
        if isinstance(event, EngineSession):
            self.rates.forget_orders(event, self.orders.open)

    def _define(self, event: AnyEvent) -> None:
        parties = self.parties
        if isinstance(event, DefineKey):
            parties.account_of[event.key] = event.account
        elif isinstance(event, DefineAccount):
            parties.owner_of[event.account] = event.owner
            parties.tier_of[event.account] = event.tier
        elif isinstance(event, DefineSymbol):
            parties.base_of[event.symbol] = event.base_asset
            self.parties = parties._replace(quote=event.quote_asset)

    def _fill(self, record: Record, fill: Fill) -> None:
        """Hold that a trade has two sides at one price, and is told to each once."""
        event = record.event
        assert isinstance(event, CommandResult | OrderTrade)
        sides = self._sides.setdefault(fill.trade_id, [])
        side = (fill.maker, fill.price_e8, fill.quantity_e8, event.order_id)
        fits = not sides or (
            len(sides) == 1 and sides[0][0] is not fill.maker and sides[0][1:3] == side[1:3]
        )
        self.check(fits, f"trade {fill.trade_id} is {sides}, and then again in {record}")
        sides.append(side)

    def check_trades(self) -> None:
        """Hold that both sides of every trade have been told; nothing may be on its way."""
        for trade_id, sides in self._sides.items():
            self.check(len(sides) == 2, f"one side of trade {trade_id} is missing: {sides}")

    # --- Asking -------------------------------------------------------------------------------

    def number(self, account: str) -> int:
        """Return the number of an account."""
        return self.replica.directory.accounts[account].account

    def unsettled(self) -> list[str]:
        """Return what waits for the engine's word."""
        waiting = [
            f"command {command_id}"
            for command_id, command in self.orders.waiting.items()
            if not command.lost
        ]
        unknown = [order_id for order_id, order in self.orders.open.items() if order.unknown]
        return waiting + [f"order {order_id}" for order_id in unknown]

    def held(self) -> int:
        """Return how many cancels are held."""
        return len(self.orders.deferred) if self._lives else 0

    def overdue(self) -> list[int]:
        """Return the open orders whose cancel is held though they were old enough already."""
        return self.stops.overdue(self._now_ns)

    @property
    def linked(self) -> bool:
        """Whether the last life serves and has its engine."""
        return bool(self._lives) and self.orders.connected


def plain(value: object) -> dict[str, object]:
    """Return a state as it is read again after it was written."""
    read: dict[str, object] = msgspec.msgpack.decode(msgspec.msgpack.encode(value), strict=False)
    return read


def difference(one: object, other: object, path: str = "") -> str:
    """Return the first place where two states differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            if one.get(key) != other.get(key):
                return difference(one.get(key), other.get(key), f"{path}.{key}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (first, second) in enumerate(zip(one, other, strict=True)):
            if first != second:
                return difference(first, second, f"{path}[{place}]")
    return f"{path}: {one!r:.300} instead of {other!r:.300}"


def _fills(event: object) -> Iterator[Fill]:
    if isinstance(event, CommandResult):
        yield from event.fills
    elif isinstance(event, OrderTrade):
        yield event.fill
