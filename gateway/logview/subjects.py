"""Whom and what a record is about, for records that only name an order or a command.

The record is read from its beginning: definitions give numbers their names, accepted orders tell
whose an engine report is. An order that has ended is forgotten, so memory follows what is open.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.directory import Directory
from gateway.journal import Record
from gateway.logview.beginnings import engine_epoch, open_orders, pending_commands
from gateway.logview.judged import Judged
from gateway.snapshots import Snapshot
from rules import values
from rules.decisions import ACCEPTED, DEFERRED
from rules.events import (
    ActOnCase,
    Amend,
    BalanceAdjusted,
    BulkCancel,
    Cancel,
    CancelAll,
    ClearBan,
    CommandResult,
    Deadline,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    EngineSession,
    Event,
    LinkOwners,
    MarketOrder,
    MarketTrade,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    OwnerClassChanged,
    Place,
    Reference,
    RefusedAggregate,
    Replace,
    Request,
    SessionClosed,
    SessionOpened,
    SetState,
    SetSymbolState,
    TradeBust,
)
from rules.pending import AMEND
from rules.reasons import Reason
from rules.values import LIVE_STATUSES


class OrderSubject(NamedTuple):
    """Whose an order is."""

    account: int
    owner: int
    symbol: int
    key: int
    client_order_id: str
    command_id: int
    """The record whose decision placed it."""


class LostOrder(NamedTuple):
    """An order that ended because the engine no longer has it."""

    order_id: int
    order: OrderSubject


class Subject(NamedTuple):
    """Everything one record is about, as interned numbers; empty where it names none."""

    accounts: tuple[int, ...] = ()
    owners: tuple[int, ...] = ()
    symbols: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()
    addresses: tuple[int, ...] = ()
    order_ids: tuple[int, ...] = ()
    client_order_ids: tuple[str, ...] = ()
    lost: tuple[LostOrder, ...] = ()
    """Orders of an earlier epoch of the engine, which this record ends as ENGINE_LOST."""


NOBODY: Final = Subject()

DEFINITIONS: Final = frozenset((Define, DefineAccount, DefineKey, DefineSymbol))
"""Events that give a number its name."""
_COMMANDS: Final = frozenset((Place, Cancel, CancelAll, Replace, Amend))
_TAKEN: Final = frozenset((ACCEPTED, DEFERRED))


def _given(*numbers: int) -> tuple[int, ...]:
    if len(numbers) == 1:
        return numbers if numbers[0] else ()
    return tuple(dict.fromkeys(number for number in numbers if number))


class Subjects:
    """Follows a record from its first entry; `directory` holds the names defined so far."""

    def __init__(self) -> None:
        self.directory = Directory(_refuse)
        self.orders: dict[int, OrderSubject] = {}
        self._epoch = 0
        """The engine's epoch, 0 before the first session."""
        self._commands: dict[int, int] = {}
        self._cancels: dict[int, tuple[int, ...]] = {}
        """Orders that a command the engine has not answered cancels."""
        self._unanswered: dict[int, bool] = {}
        """Commands that placed an order and have no answer, and whether it is overdue."""
        self._sessions: dict[int, tuple[int, int]] = {}
        self.judged = Judged()

    def prime(self, snapshot: Snapshot) -> None:
        """Take up the names and open orders of a snapshot; the record after it is the next one."""
        for definition in snapshot.definitions:
            self.directory.on_event(definition)
        self.judged.prime(snapshot)
        for order in open_orders(snapshot):
            self.orders[order.order_id] = OrderSubject(
                order.account,
                order.owner,
                order.symbol,
                order.key,
                order.client_order_id,
                order.command_id,
            )
            if not order.live_ns:
                self._unanswered[order.command_id] = order.unknown
        self._epoch = engine_epoch(snapshot)
        for command_id, command in pending_commands(snapshot).items():
            if command.kind != AMEND and command.order_ids:
                self._cancels[command_id] = command.order_ids
            order_ids = (command.new_order_id, *command.order_ids)
            self._commands[command_id] = next((number for number in order_ids if number), 0)

    def observe(self, record: Record) -> Subject:
        """Take up a record and return what it is about; every record, in order, once."""
        subject = self.about(record)
        self.follow(record)
        return subject

    def follow(self, record: Record) -> None:
        """Take up a record: names, who placed which order, which orders ended."""
        event = record.event
        kind = type(event)
        if kind in _COMMANDS:
            self._follow_request(record)
        elif kind is CommandResult:
            self._follow_result(event)  # type: ignore[arg-type]
        elif isinstance(event, OrderTrade | OrderEnded):
            if event.status not in LIVE_STATUSES:
                self.orders.pop(event.order_id, None)
        elif isinstance(event, BulkCancel):
            if record.decision.cancels:
                self._cancels[record.seq] = record.decision.cancels
        elif isinstance(event, Deadline):
            self._overdue(event.command_id)
        elif isinstance(event, EngineSession):
            self._follow_session(event)
        elif isinstance(event, SessionOpened):
            self._sessions[event.session] = (event.key, event.ip)
        elif isinstance(event, SessionClosed):
            self._sessions.pop(event.session, None)
        elif kind in DEFINITIONS:
            self.directory.on_event(event)
        self.judged.follow(record)

    def about(self, record: Record) -> Subject:
        """Return what a record is about; it must be the next one to be followed."""
        subject = self._about(record)
        decision = record.decision
        if decision.alerts or decision.steps or decision.postings:
            judged = self.judged.owners(decision)
            return subject._replace(owners=_given(*subject.owners, *judged))
        return subject

    def _about(self, record: Record) -> Subject:
        event = record.event
        if isinstance(event, Request):
            return self._request(record, event)
        if isinstance(event, CommandResult):
            asked = self._commands.get(event.command_id, 0)
            ended = (order.order_id for order in event.ended)
            return self._of_orders(_given(event.order_id, asked, *ended))
        if isinstance(event, OrderTrade | OrderEnded | OrderReduced):
            return self._of_orders((event.order_id,))
        if isinstance(event, BulkCancel | SetState):
            return self._whole(self._scope(record, event))
        if isinstance(event, EngineSession):
            return self.ended_as_lost(self._lost(event))
        if isinstance(event, Deadline):
            return self._of_orders(_given(self._commands.get(event.command_id, 0)))
        found = self._market(event) or self._definition(event) or self._session(event)
        return self._whole(found) if found is not NOBODY else found

    def _whole(self, subject: Subject) -> Subject:
        """Return a subject with the accounts of its keys and the owners of its accounts."""
        accounts, owners = subject.accounts, subject.owners
        if subject.keys and not accounts:
            keys = (self.directory.keys_by_number.get(key) for key in subject.keys)
            accounts = _given(*(key.account for key in keys if key is not None))
        if accounts and not owners:
            facts = (self.directory.accounts_by_number.get(account) for account in accounts)
            owners = _given(*(account.owner for account in facts if account is not None))
        return subject._replace(accounts=accounts, owners=owners)

    def account_of(self, record: Record, event: Request) -> tuple[int, int]:
        """Return (account, owner) of a request, found from its key when not yet decided on."""
        decision = record.decision
        account = decision.account
        if not account and (key := self.directory.keys_by_number.get(event.key)) is not None:
            account = key.account
        owner = decision.owner
        if not owner and (facts := self.directory.accounts_by_number.get(account)) is not None:
            owner = facts.owner
        return account, owner

    def _request(self, record: Record, event: Request) -> Subject:
        decision = record.decision
        account, owner = self.account_of(record, event)
        meant = self.orders.get(decision.order_id)
        # Some clients name an order by its id alone.
        symbol = getattr(event, "symbol", 0) or (meant.symbol if meant is not None else 0)
        named = (
            getattr(event, "client_order_id", ""),
            getattr(event, "orig_client_order_id", ""),
            decision.client_order_id,
            meant.client_order_id if meant is not None else "",
        )
        order_ids = _given(decision.order_id, getattr(event, "order_id", 0), *decision.cancels)
        return Subject(
            _given(account),
            _given(owner),
            _given(symbol),
            _given(event.key),
            _given(event.ip),
            order_ids,
            tuple(dict.fromkeys(name for name in named if name)),
        )

    def _follow_request(self, record: Record) -> None:
        event, decision = record.event, record.decision
        order_id = decision.order_id
        if decision.verdict not in _TAKEN:
            return
        cancels = decision.cancels
        if isinstance(event, Cancel) and decision.verdict == ACCEPTED:
            cancels = _given(order_id)
        if cancels:
            self._cancels[record.seq] = cancels
        if not order_id:
            return
        self._commands[record.seq] = order_id
        if isinstance(event, Place | Replace) and not event.flags & values.FLAG_TEST:
            account, owner = self.account_of(record, event)
            client_order_id = event.client_order_id or decision.client_order_id
            self.orders[order_id] = OrderSubject(
                account, owner, event.symbol, event.key, client_order_id, record.seq
            )
            self._unanswered[record.seq] = False

    def _follow_result(self, event: CommandResult) -> None:
        if event.unknown:
            self._overdue(event.command_id)
            return
        asked = self._commands.pop(event.command_id, 0)
        self._unanswered.pop(event.command_id, None)
        self._follow_cancels(event)
        order_id = event.order_id or asked
        order = self.orders.get(order_id)
        placed = order is not None and order.command_id == event.command_id
        refused = not event.accepted or event.replaced_refusal is not None
        over = event.accepted and event.status and event.status not in LIVE_STATUSES
        if over or (placed and refused):
            self.orders.pop(order_id, None)

    def _follow_cancels(self, event: CommandResult) -> None:
        """Forget what a cancel has ended, and what the engine turned out not to have."""
        for ended in event.ended:
            self.orders.pop(ended.order_id, None)
        order_ids = self._cancels.pop(event.command_id, ())
        bulk = event.accepted and not event.order_id
        if event.reason == Reason.ENGINE_UNKNOWN_ORDER or bulk:
            for order_id in order_ids:
                order = self.orders.get(order_id)
                # While its placement has an answer to come it may yet be there.
                if order is not None and self._unanswered.get(order.command_id, True):
                    del self.orders[order_id]

    def _overdue(self, command_id: int) -> None:
        """Take up that a command was not answered in time."""
        if command_id in self._unanswered:
            self._unanswered[command_id] = True

    def _lost(self, event: EngineSession) -> list[LostOrder]:
        """Return the orders that a session of a new epoch of the engine ends."""
        if not event.connected or self._epoch in (0, event.epoch):
            return []
        return [LostOrder(order_id, order) for order_id, order in self.orders.items()]

    def _follow_session(self, event: EngineSession) -> None:
        """Take up the engine's epoch; a new one has neither orders nor commands of the old."""
        if not event.connected:
            return
        if self._epoch not in (0, event.epoch):
            self.orders.clear()
            self._commands.clear()
            self._cancels.clear()
            self._unanswered.clear()
        self._epoch = event.epoch

    def ended_as_lost(self, lost: Iterable[LostOrder]) -> Subject:
        """Return the subject of a record that ends these orders and no others."""
        lost = tuple(lost)
        subject = self._of_orders(tuple(order_id for order_id, _ in lost))
        return subject._replace(lost=lost)

    def _of_orders(self, order_ids: tuple[int, ...]) -> Subject:
        """Return the subject of a report that names only orders."""
        if len(order_ids) == 1 and (order := self.orders.get(order_ids[0])) is not None:
            return Subject(
                _given(order.account),
                _given(order.owner),
                _given(order.symbol),
                _given(order.key),
                (),
                order_ids,
                (order.client_order_id,),
            )
        known = [self.orders[order_id] for order_id in order_ids if order_id in self.orders]
        return Subject(
            accounts=_given(*(order.account for order in known)),
            owners=_given(*(order.owner for order in known)),
            symbols=_given(*(order.symbol for order in known)),
            keys=_given(*(order.key for order in known)),
            order_ids=order_ids,
            client_order_ids=tuple(dict.fromkeys(order.client_order_id for order in known)),
        )

    def _scope(self, record: Record, event: BulkCancel | SetState) -> Subject:
        """Return the subject of a stop or bulk cancel: its scope, and the orders it cancels."""
        subject = _given(event.subject)
        symbol = event.symbol if isinstance(event, BulkCancel) else 0
        order_ids = record.decision.cancels
        match event.scope:
            case values.SCOPE_ACCOUNT:
                found = Subject(accounts=subject)
            case values.SCOPE_OWNER:
                found = Subject(owners=subject)
            case values.SCOPE_SYMBOL:
                found = Subject(symbols=subject)
            case values.SCOPE_KEY:
                found = Subject(keys=subject)
            case values.SCOPE_IP:
                found = Subject(addresses=subject)
            case values.SCOPE_ORDER:
                found = self._of_orders(subject)
            case values.SCOPE_SESSION:
                key, address = self._sessions.get(event.subject, (0, 0))
                found = Subject(keys=_given(key), addresses=_given(address))
            case _:
                found = NOBODY
        return found._replace(
            symbols=_given(*found.symbols, symbol),
            order_ids=_given(*found.order_ids, *order_ids),
        )

    def _market(self, event: Event) -> Subject | None:
        match event:
            case Reference() | SetSymbolState():
                return Subject(symbols=_given(event.symbol))
            case MarketOrder():
                return Subject(
                    accounts=_given(event.account),
                    owners=_given(event.owner),
                    symbols=_given(event.symbol),
                    order_ids=_given(event.order_id),
                )
            case MarketTrade():
                return Subject(
                    owners=_given(event.buy_owner, event.sell_owner),
                    symbols=_given(event.symbol),
                    order_ids=_given(event.buy_order_id, event.sell_order_id),
                )
            case TradeBust():
                return Subject(
                    accounts=_given(event.buy_account, event.sell_account),
                    symbols=_given(event.symbol),
                    order_ids=_given(event.buy_order_id, event.sell_order_id),
                )
            case BalanceAdjusted():
                return Subject(accounts=_given(event.account))
        return None

    def _definition(self, event: Event) -> Subject | None:
        match event:
            case DefineSymbol():
                return Subject(symbols=(event.symbol,))
            case DefineAccount():
                return Subject(accounts=(event.account,), owners=_given(event.owner))
            case DefineKey():
                return Subject(accounts=_given(event.account), keys=(event.key,))
            case Define(kind=values.DEFINE_ADDRESS):
                return Subject(addresses=(event.number,))
            case Define(kind=values.DEFINE_OWNER):
                return Subject(owners=(event.number,))
            case LinkOwners() | OwnerClassChanged():
                return Subject(owners=_given(event.owner))
            case ActOnCase():
                return Subject(owners=self.judged.of_case(event.case))
        return None

    def _session(self, event: Event) -> Subject:
        match event:
            case SessionOpened():
                return Subject(keys=_given(event.key), addresses=_given(event.ip))
            case SessionClosed():
                key, address = self._sessions.get(event.session, (0, 0))
                return Subject(keys=_given(key), addresses=_given(address))
            case RefusedAggregate() | ClearBan():
                return Subject(addresses=_given(event.ip))
        return NOBODY


def _refuse(event: Event) -> None:
    raise AssertionError(f"a reader of the record defines nothing: {event}")
