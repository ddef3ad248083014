"""The life of every order, from the record: placed, accepted, executed, changed, ended.

An order lives from the decision that placed it to the report of its end. What has ended is handed
out once and forgotten, so memory follows what is open.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.journal import Record
from gateway.logview.beginnings import engine_epoch, open_orders, pending_commands
from gateway.snapshots import Snapshot
from rules.book import OpenOrder
from rules.decisions import ACCEPTED
from rules.events import (
    Amend,
    BulkCancel,
    Cancel,
    CancelAll,
    CommandResult,
    Deadline,
    EngineSession,
    Event,
    Fill,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    Place,
    Replace,
    Request,
)
from rules.pending import AMEND, BULK_CANCEL
from rules.reasons import Reason
from rules.values import (
    CAUSE_CLIENT,
    CAUSE_ENGINE,
    CAUSE_REPLACE,
    ENGINE_LOST,
    FLAG_TEST,
    LIVE_STATUSES,
    PENDING_NEW,
    REJECTED,
)


@dataclass(slots=True)
class Order:
    """One order as far as the record has told; numbers are interned, 0 means not known or none."""

    run: str
    order_id: int
    seq: int
    """The record whose decision placed it."""
    placed_ns: int
    account: int
    owner: int
    key: int
    address: int
    symbol: int
    client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    price_e8: int
    quantity_e8: int
    quote_quantity_e8: int
    bid_e8: int
    ask_e8: int
    flags: int
    algo: int
    status: int = PENDING_NEW
    unknown: bool = False
    """The engine's answer did not come in time, and none has come since."""
    accepted_ns: int = 0
    first_fill_ns: int = 0
    ended_ns: int = 0
    cause: int = 0
    reason: Reason | None = None
    """Why the engine refused it or ended it at once."""
    filled_e8: int = 0
    filled_quote_e8: int = 0
    fills: int = 0
    amends: int = 0
    last_price_e8: int = 0
    last_quantity_e8: int = 0
    wanted: bool = False
    """For whoever follows: this order is among those asked for."""


class Execution(NamedTuple):
    """One fill, with the order as it stood after it; None for an order that is not known."""

    order_id: int
    order: Order | None
    fill: Fill
    engine_ns: int


@dataclass(slots=True)
class _Command:
    """What was sent to the engine and has no answer yet."""

    order_ids: tuple[int, ...]
    cause: int
    placed: int = 0
    amend: Amend | None = None
    bulk: bool = False


class Orders:
    """Follows the orders of one run, or of runs that go on from one another.

    `on_end` is called with each order once it has ended.
    """

    def __init__(self, on_end: Callable[[Order], None]) -> None:
        self.open: dict[int, Order] = {}
        self.epoch = 0
        """The engine's epoch, 0 before the first session."""
        self._on_end = on_end
        self._commands: dict[int, _Command] = {}
        self._overtaken: dict[int, Order] = {}
        """Orders whose end came before the answer to their placement, by command."""

    def begin(self, start: Snapshot | None, origin: Callable[[int], str]) -> None:
        """Begin with the records of a run, after the snapshot it goes on from if there is one.

        Orders that are known and not in the snapshot ended in records that are not there to be
        read, and a run that goes on from nothing took over none: they are handed out as they last
        stood. `origin` tells the run that wrote a record, empty when that is not known.
        """
        taken = {} if start is None else {found.order_id: found for found in open_orders(start)}
        for order_id in [order_id for order_id in self.open if order_id not in taken]:
            self._on_end(self.open.pop(order_id))
        for order in self._overtaken.values():
            self._on_end(order)
        self._overtaken.clear()
        self.epoch = 0 if start is None else engine_epoch(start)
        pending = {} if start is None else pending_commands(start)
        self._commands = {seq: self._commands[seq] for seq in pending if seq in self._commands}
        # Where such an order came from, and what the book was then, is in an earlier record.
        for order_id, found in taken.items():
            if order_id not in self.open:
                self.open[order_id] = _adopted(found, origin(found.command_id))
        for command_id, command in pending.items():
            if command_id not in self._commands and command.kind != AMEND:
                self._commands[command_id] = _Command(
                    command.order_ids,
                    CAUSE_CLIENT,
                    command.new_order_id,
                    bulk=command.kind == BULK_CANCEL,
                )

    def follow(self, record: Record, run: str) -> list[Execution]:
        """Take up the next record, of run `run`, and return the fills it reports."""
        event = record.event
        if isinstance(event, Request):
            if record.decision.verdict == ACCEPTED:
                self._request(record, event, run)
            return []
        if isinstance(event, CommandResult):
            return self._result(record, event)
        if isinstance(event, OrderTrade):
            return self._trade(record, event)
        if isinstance(event, BulkCancel):
            if record.decision.cancels:
                self._commands[record.seq] = _Command(
                    record.decision.cancels, event.cause, bulk=True
                )
        else:
            self._report(record, event)
        return []

    def _request(self, record: Record, event: Request, run: str) -> None:
        decision = record.decision
        if isinstance(event, Place | Replace) and decision.order_id:
            if event.flags & FLAG_TEST:
                return
            order = _placed(record, event, run)
            self.open[order.order_id] = order
            self._commands[record.seq] = _Command(decision.cancels, CAUSE_REPLACE, order.order_id)
        elif isinstance(event, Cancel | CancelAll):
            bulk = isinstance(event, CancelAll)
            order_ids = decision.cancels if bulk else (decision.order_id,)
            self._commands[record.seq] = _Command(order_ids, CAUSE_CLIENT, bulk=bulk)
        elif isinstance(event, Amend):
            self._commands[record.seq] = _Command((decision.order_id,), 0, 0, event)

    def _result(self, record: Record, event: CommandResult) -> list[Execution]:
        command = self._commands.get(event.command_id)
        if command is None:
            return []
        if event.unknown:
            self._late(event.command_id)
            return []
        del self._commands[event.command_id]
        if command.amend is not None:
            return self._amended(record, event, command.order_ids[0], command.amend)
        self._cancelled(record, event, command)
        if not command.placed:
            return []
        order = self.open.get(command.placed)
        if order is None:
            # Its end was reported before this answer, which may have fills of its own.
            order = self._overtaken.pop(event.command_id, None)
            if order is None:
                return []
            found = [self._executed(record, order, fill, event.engine_ns) for fill in event.fills]
            self._on_end(order)
            return found
        return self._answered(record, event, order)

    def _answered(self, record: Record, event: CommandResult, order: Order) -> list[Execution]:
        """Take up the answer to a placement."""
        order.unknown = False
        order.reason = event.replaced_refusal or event.reason
        refused = not event.accepted or event.replaced_refusal is not None
        if refused:
            self._end(record, order, REJECTED, CAUSE_ENGINE)
            return []
        order.accepted_ns = record.now_ns
        order.last_quantity_e8 -= min(event.prevented_e8, order.last_quantity_e8)
        found = [self._executed(record, order, fill, event.engine_ns) for fill in event.fills]
        if event.status in LIVE_STATUSES:
            if order.status == PENDING_NEW:
                order.status = event.status
        else:
            self._end(record, order, event.status, CAUSE_ENGINE if event.reason else 0)
        return found

    def _amended(
        self, record: Record, event: CommandResult, order_id: int, amend: Amend
    ) -> list[Execution]:
        order = self.open.get(order_id)
        if order is None or not event.accepted:
            return []
        order.amends += 1
        order.last_price_e8 = amend.price_e8 or order.last_price_e8
        order.last_quantity_e8 = amend.quantity_e8 or order.last_quantity_e8
        found = [self._executed(record, order, fill, event.engine_ns) for fill in event.fills]
        if event.status in LIVE_STATUSES:
            order.status = event.status
        else:
            self._end(record, order, event.status, CAUSE_ENGINE if event.reason else 0)
        return found

    def _cancelled(self, record: Record, event: CommandResult, command: _Command) -> None:
        for ended in event.ended:
            if (order := self.open.get(ended.order_id)) is not None:
                self._end(record, order, ended.status, command.cause)
        for order_id in command.order_ids:
            order = self.open.get(order_id)
            gone = event.reason == Reason.ENGINE_UNKNOWN_ORDER or (command.bulk and event.accepted)
            if order is not None and gone and (order.accepted_ns or order.unknown):
                # The placement never reached the engine, or the word of the end was lost.
                status = ENGINE_LOST if order.accepted_ns else REJECTED
                self._end(record, order, status, command.cause)

    def _trade(self, record: Record, event: OrderTrade) -> list[Execution]:
        order = self.open.get(event.order_id)
        if order is None:
            return [Execution(event.order_id, None, event.fill, event.engine_ns)]
        found = [self._executed(record, order, event.fill, event.engine_ns)]
        order.status = event.status
        if event.status not in LIVE_STATUSES:
            self._end(record, order, event.status, 0)
        return found

    def _report(self, record: Record, event: Event) -> None:
        if isinstance(event, OrderEnded):
            if (order := self.open.get(event.order_id)) is not None:
                self._end(record, order, event.status, event.cause)
        elif isinstance(event, OrderReduced):
            if (order := self.open.get(event.order_id)) is not None:
                order.last_quantity_e8 = event.quantity_e8
        elif isinstance(event, Deadline):
            self._late(event.command_id)
        elif isinstance(event, EngineSession) and event.connected:
            self._session(record, event)

    def _late(self, command_id: int) -> None:
        """Take up that a command had no answer in time."""
        command = self._commands.get(command_id)
        if command is not None and (order := self.open.get(command.placed)) is not None:
            order.unknown = True

    def _session(self, record: Record, event: EngineSession) -> None:
        """End what a new epoch of the engine has lost."""
        lost: Iterable[Order] = ()
        if self.epoch not in (0, event.epoch):
            lost = list(self.open.values())
            self._commands.clear()
        self.epoch = event.epoch
        for order in lost:
            self._end(record, order, ENGINE_LOST, CAUSE_ENGINE)

    def _executed(self, record: Record, order: Order, fill: Fill, engine_ns: int) -> Execution:
        order.filled_e8 += fill.quantity_e8
        order.filled_quote_e8 += fill.quote_e8
        order.fills += 1
        order.first_fill_ns = order.first_fill_ns or record.now_ns
        return Execution(order.order_id, order, fill, engine_ns)

    def _end(self, record: Record, order: Order, status: int, cause: int) -> None:
        order.status = status
        order.unknown = False
        order.cause = cause
        order.ended_ns = record.now_ns
        del self.open[order.order_id]
        waiting = self._commands.get(order.seq)
        if waiting is not None and waiting.placed == order.order_id:
            self._overtaken[order.seq] = order
        else:
            self._on_end(order)


def _adopted(found: OpenOrder, run: str) -> Order:
    return Order(
        run=run,
        order_id=found.order_id,
        seq=found.command_id,
        placed_ns=found.accepted_ns,
        account=found.account,
        owner=found.owner,
        key=found.key,
        address=0,
        symbol=found.symbol,
        client_order_id=found.client_order_id,
        side=found.side,
        order_type=found.order_type,
        time_in_force=found.time_in_force,
        price_e8=found.price_e8,
        quantity_e8=found.quantity_e8,
        quote_quantity_e8=found.quote_quantity_e8,
        bid_e8=0,
        ask_e8=0,
        flags=found.flags,
        algo=found.algo,
        status=found.status,
        unknown=found.unknown,
        accepted_ns=found.live_ns,
        filled_e8=found.filled_e8,
        filled_quote_e8=found.quote_filled_e8,
        last_price_e8=found.price_e8,
        last_quantity_e8=found.quantity_e8,
    )


def _placed(record: Record, event: Place | Replace, run: str) -> Order:
    decision = record.decision
    return Order(
        run=run,
        order_id=decision.order_id,
        seq=record.seq,
        placed_ns=record.now_ns,
        account=decision.account,
        owner=decision.owner,
        key=event.key,
        address=event.ip,
        symbol=event.symbol,
        client_order_id=event.client_order_id or decision.client_order_id,
        side=event.side,
        order_type=event.order_type,
        time_in_force=event.time_in_force,
        price_e8=event.price_e8,
        quantity_e8=event.quantity_e8,
        quote_quantity_e8=event.quote_quantity_e8,
        bid_e8=decision.bid_e8,
        ask_e8=decision.ask_e8,
        flags=event.flags,
        algo=event.algo,
        last_price_e8=event.price_e8,
        last_quantity_e8=event.quantity_e8,
    )
