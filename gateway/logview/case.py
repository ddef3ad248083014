"""The case file of one owner: what they asked, what was decided, what came of it, who acted.

It holds every record that concerns the owner, each with the book as it stood at the decision, the
life of each order, every refusal with limit and observed value, and the measures taken, venue-wide
ones included. Other parties appear under pseudonyms (`gateway.logview.case_names`).
"""

from collections import Counter
from typing import Any, Final

import msgspec

from gateway.journal import Record, Run
from gateway.journal.life import life_of
from gateway.journal.manifest import ordergate_version
from gateway.logview.beginnings import open_orders
from gateway.logview.case_names import ERASED, CaseNames
from gateway.logview.lines import followed, summary
from gateway.logview.measures import measured
from gateway.logview.orders import Order, Orders
from gateway.logview.query import Progress, Query, Scan, scans
from gateway.logview.rendering import EVENT_NAMES, record_tree
from gateway.logview.sources import Source, runs_within
from gateway.logview.subjects import NOBODY, Subject, Subjects
from gateway.logview.times import time_text
from gateway.snapshots import Snapshot
from rules import values
from rules.decisions import VERDICT_NAMES, Breach, Decision
from rules.events import (
    ActOnCase,
    BulkCancel,
    ClearBan,
    DefineAccount,
    DefineKey,
    Event,
    LinkOwners,
    OwnerClassChanged,
    Reference,
    Request,
    RulebookChanged,
    SetState,
    SetSymbolState,
)
from rules.units import decimal_text

ENTRIES_MAX: Final = 100_000
"""Entries of a case file unless told otherwise; they are kept in memory until it is written."""
_MEASURES: Final = (
    SetState,
    SetSymbolState,
    BulkCancel,
    ClearBan,
    RulebookChanged,
    ActOnCase,
    LinkOwners,
    OwnerClassChanged,
    DefineKey,
    DefineAccount,
)
"""Events by which somebody did something about an owner, or about everybody."""


class CaseError(ValueError):
    """A case file can't be made; the message says why and what would help."""


class CaseFile(msgspec.Struct, kw_only=True):
    """A case file as a tree of names, texts and numbers: what the JSON says."""

    owner: str
    made: str
    ordergate: str = msgspec.field(default_factory=ordergate_version)
    time_from: str | None = None
    time_to: str | None = None
    runs: list[dict[str, Any]] = msgspec.field(default_factory=list)
    erased: tuple[str, ...] = ERASED
    other_parties: dict[str, int] = msgspec.field(default_factory=dict)
    """How many other owners, accounts, keys and addresses stand behind pseudonyms."""
    accounts: list[str] = msgspec.field(default_factory=list)
    keys: list[str] = msgspec.field(default_factory=list)
    addresses: list[str] = msgspec.field(default_factory=list)
    totals: dict[str, int] = msgspec.field(default_factory=dict)
    """Records by event and verdict."""
    refusals: dict[str, int] = msgspec.field(default_factory=dict)
    """Breaches by rule and reason."""
    orders: list[dict[str, Any]] = msgspec.field(default_factory=list)
    trades: list[dict[str, Any]] = msgspec.field(default_factory=list)
    measures: list[dict[str, Any]] = msgspec.field(default_factory=list)
    entries: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """Every record, in order; `records` of an order are numbers of these."""
    problems: list[str] = msgspec.field(default_factory=list)
    deleted: list[str] = msgspec.field(default_factory=list)
    """What of the record was deleted when its retention was over."""


def case_file(
    source: Source,
    owner: str,
    made_ns: int,
    from_ns: int = 0,
    to_ns: int = 0,
    entries_max: int = ENTRIES_MAX,
    progress: Progress | None = None,
) -> CaseFile:
    """Return the case file of an owner from the records of a time.

    Raises CaseError when the record knows no such owner, or has more entries than are asked for.
    """
    case = CaseFile(
        owner=owner,
        made=time_text(made_ns),
        time_from=time_text(from_ns) if from_ns else None,
        time_to=time_text(to_ns) if to_ns else None,
    )
    builder = _Builder(source, case, from_ns, entries_max)
    query = Query(owner=owner, to_ns=to_ns)
    done = 0
    for run in runs_within(source, from_ns, to_ns):
        for scan in scans(source, run, query):
            builder.begin(run, scan)
            for record, subject in scan:
                builder.take(record, subject)
                done += 1
                if progress is not None:
                    progress(done)
    builder.finish()
    if not builder.known:
        raise CaseError(f"there is no owner `{owner}` in the record of that time")
    return case


class _Builder:
    """Fills a case file, record by record."""

    def __init__(self, source: Source, case: CaseFile, from_ns: int, entries_max: int) -> None:
        self.case = case
        self.known = False
        self._source = source
        self._from_ns = from_ns
        self._entries_max = entries_max
        self._pseudonyms: dict[tuple[str, str], str] = {}
        self._addresses: set[str] = set()
        self._order_ids: set[int] = set()
        self._symbols: set[int] = set()
        self._keys: dict[str, None] = {}
        self._accounts: dict[str, None] = {}
        self._books: dict[int, tuple[Reference, int]] = {}
        self._orders = Orders(self._order)
        self._touched: dict[int, list[int]] = {}
        """Records about each of the owner's orders within the time asked for."""
        self._totals: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._followed: Subjects | None = None

    def begin(self, run: Run, scan: Scan) -> None:
        """Begin with the records of a run."""
        subjects = scan.subjects
        self._run = run
        self._orders.begin(scan.start, lambda seq: self._source.origin(run, seq))
        if scan.start is not None:
            self._take_over(scan.start, subjects)
        self._subjects = self._followed = subjects
        self._ids = self._source.ids(run)
        self._names = CaseNames(
            subjects.directory,
            self.case.owner,
            self._pseudonyms,
            self._addresses,
            self._order_ids,
        )
        manifest = run.manifest
        if self.case.runs and self.case.runs[-1]["run"] == manifest.run_id:
            return
        self.case.runs.append(
            {
                "run": manifest.run_id,
                "rulebook": manifest.rulebook_name,
                "revision": manifest.rulebook_revision,
                "code": manifest.code_digest,
                "status": manifest.status,
                "life": life_of(run),
            }
        )

    def _take_over(self, start: Snapshot, subjects: Subjects) -> None:
        """Take up which open orders are the owner's."""
        number = subjects.directory.known(values.DEFINE_OWNER, self.case.owner)
        for order in open_orders(start):
            if order.owner == number:
                self._order_ids.add(order.order_id)
                self._symbols.add(order.symbol)

    def take(self, record: Record, subject: Subject | None) -> None:
        """Take up the next record; without a subject it does not name the owner."""
        event = record.event
        if isinstance(event, Reference):
            self._books[event.symbol] = (event, record.now_ns)
        run = self._run.manifest.run_id
        if subject is not None:
            self.known = True
            self._learn(record, subject)
        elif not self._concerns(event):
            self._orders.follow(record, run)
            return
        within = record.now_ns >= self._from_ns
        if within:
            # Before the order's life goes on: the record that ends it is about it too.
            self._entry(record, subject or NOBODY)
        executions = self._orders.follow(record, run)
        if not within:
            return
        for execution in executions:
            order = execution.order
            if order is None or order.order_id not in self._order_ids:
                continue
            fill = self._names.tree(execution.fill)
            self.case.trades.append(
                {
                    "seq": record.seq,
                    "time": time_text(record.now_ns),
                    "order_id": order.order_id,
                    "symbol": self._names.symbol(order.symbol),
                    "side": values.SIDE_NAMES[order.side],
                }
                | fill
            )

    def finish(self) -> None:
        """Fill in what is known only at the end."""
        case = self.case
        if self._followed is not None:
            known = self._followed.directory.known(values.DEFINE_OWNER, case.owner)
            self.known = self.known or bool(known)
        for order in list(self._orders.open.values()):
            self._order(order)
        case.orders.sort(key=lambda order: int(order["order_id"]))
        case.accounts, case.keys = list(self._accounts), list(self._keys)
        case.addresses = sorted(self._addresses)
        case.totals = dict(self._totals.most_common())
        case.refusals = dict(self._refusals.most_common())
        case.other_parties = dict(Counter(kind for kind, _ in self._pseudonyms))
        case.problems = list(self._source.problems)
        case.deleted = list(self._source.deleted)

    def _learn(self, record: Record, subject: Subject) -> None:
        """Take up what belongs to the owner: accounts, keys, addresses, orders, symbols."""
        event, decision, names = record.event, record.decision, self._names
        directory = self._subjects.directory
        for account in subject.accounts:
            if names.owns(account):
                self._accounts.setdefault(directory.accounts_by_number[account].name)
        for key in subject.keys:
            facts = directory.keys_by_number.get(key)
            if facts is not None and names.owns(facts.account):
                self._keys.setdefault(facts.name)
        if isinstance(event, Request) and self._is_own(record, event):
            address = directory.name(values.DEFINE_ADDRESS, event.ip)
            if address and event.auth == values.AUTH_OK:
                self._addresses.add(address)
            self._symbols.update(subject.symbols)
            if decision.order_id:
                self._order_ids.add(decision.order_id)

    def _is_own(self, record: Record, event: Request) -> bool:
        account, _ = self._subjects.account_of(record, event)
        return self._names.owns(account)

    def _concerns(self, event: Event) -> bool:
        """Tell whether an event that does not name the owner is about everybody, or them too."""
        if isinstance(event, SetState):
            return event.scope == values.SCOPE_VENUE or (
                event.scope == values.SCOPE_SYMBOL and event.subject in self._symbols
            )
        if isinstance(event, SetSymbolState):
            return event.symbol in self._symbols
        if isinstance(event, ClearBan):
            name = self._subjects.directory.name(values.DEFINE_ADDRESS, event.ip)
            return name in self._addresses
        return isinstance(event, RulebookChanged)

    def _entry(self, record: Record, subject: Subject) -> None:
        """Add the entry of one record; raises CaseError when there are too many."""
        if len(self.case.entries) >= self._entries_max:
            raise CaseError(
                f"there are more than {self._entries_max} entries; give a shorter time with "
                "--from and --to, or a larger --entries"
            )
        event, names = record.event, self._names
        decision = self._own_part(record.decision)
        foreign = isinstance(event, Request) and not self._is_own(record, event)
        if foreign:
            # Another's request is here only for what it brought to light about the owner.
            decision = Decision(0, alerts=decision.alerts, steps=decision.steps)
        shown = Record(record.seq, record.now_ns, event, decision)
        tree = record_tree(shown, NOBODY if foreign else subject, names, self._ids)
        tree["run"] = self._run.manifest.run_id
        tree["what"] = "" if foreign else names.text(summary(event, names))
        if foreign:
            tree["input"] = {}
            tree["verdict"] = VERDICT_NAMES[record.decision.verdict]
        tree["order_ids"] = [number for number in subject.order_ids if number in self._order_ids]
        tree["refusals"] = [_refusal(breach, "enforce", names) for breach in decision.breaches]
        tree["refusals"] += [_refusal(breach, "shadow", names) for breach in decision.shadows]
        tree["book"] = self._book(event, record, subject)
        self.case.entries.append(tree)
        self._totals[f"{EVENT_NAMES[type(event)]} {tree['verdict']}"] += 1
        for breach in decision.breaches:
            self._refusals[f"{breach.rule} {breach.reason.name}"] += 1
        for order_id in tree["order_ids"]:
            self._touched.setdefault(order_id, []).append(record.seq)
        if isinstance(event, _MEASURES) or decision.alerts or decision.steps:
            measure = {name: tree[name] for name in ("seq", "time", "event", "what", "input")}
            measure["actor"] = tree["input"].get("actor")
            measure["alerts"] = tree["decision"]["alerts"]
            measure["steps"] = tree["decision"]["steps"]
            measure["followed"] = names.text(followed(decision, names))
            self.case.measures.append(measure)

    def _own_part(self, decision: Decision) -> Decision:
        """Return a decision without what it says of others' conduct and fees."""
        if not (decision.alerts or decision.steps or decision.postings):
            return decision
        number = self._subjects.directory.known(values.DEFINE_OWNER, self.case.owner)
        alerts, steps = self._subjects.judged.part(decision, number)
        return msgspec.structs.replace(
            decision,
            alerts=alerts,
            steps=steps,
            postings=tuple(posting for posting in decision.postings if posting.owner == number),
        )

    def _book(self, event: Event, record: Record, subject: Subject) -> dict[str, Any] | None:
        """Return the market as it was known at a decision on a request, None for others."""
        decision = record.decision
        if not isinstance(event, Request) or not subject.symbols:
            return None
        found = self._books.get(subject.symbols[0])
        if found is None and not decision.bid_e8 and not decision.ask_e8:
            return None
        book: dict[str, Any] = {
            "bid": decimal_text(decision.bid_e8) if decision.bid_e8 else None,
            "ask": decimal_text(decision.ask_e8) if decision.ask_e8 else None,
        }
        if found is not None:
            reference, since_ns = found
            levels = self._names.tree(reference, ("bids", "asks", "bid_e8", "ask_e8", "last_e8"))
            book["bid"] = book["bid"] or levels["bid"]
            book["ask"] = book["ask"] or levels["ask"]
            book |= {"last": levels["last"], "bids": levels["bids"], "asks": levels["asks"]}
            book["known_since"] = time_text(since_ns)
        return book

    def _order(self, order: Order) -> None:
        """Add an order of the owner that some entry is about."""
        records = self._touched.pop(order.order_id, None)
        if records is None or order.order_id not in self._order_ids:
            return
        names = self._names
        tree = {field: getattr(order, field) for field in ("run", "order_id", "client_order_id")}
        tree |= {
            "account": names.account(order.account),
            "symbol": names.symbol(order.symbol),
            "side": values.SIDE_NAMES[order.side] or None,
            "order_type": values.ORDER_TYPE_NAMES[order.order_type] or None,
            "price": decimal_text(order.price_e8),
            "quantity": decimal_text(order.quantity_e8),
            "quote_quantity": decimal_text(order.quote_quantity_e8),
            "placed": time_text(order.placed_ns),
            "accepted": time_text(order.accepted_ns) if order.accepted_ns else None,
            "ended": time_text(order.ended_ns) if order.ended_ns else None,
            "status": values.ORDER_STATUS_NAMES[order.status] or None,
            "cause": values.CAUSE_NAMES[order.cause] or None,
            "reason": order.reason.name if order.reason is not None else None,
            "unknown": order.unknown,
            "filled": decimal_text(order.filled_e8),
            "fills": order.fills,
            "amends": order.amends,
            "records": records,
        }
        self.case.orders.append(tree)


def _refusal(breach: Breach, mode: str, names: CaseNames) -> dict[str, Any]:
    tree = names.tree(breach)
    for field in ("limit", "observed"):
        tree[field] = names.text(measured(getattr(breach, field), breach.rule, breach.reason.name))
    tree["retry"] = time_text(breach.retry_ns) if breach.retry_ns else None
    tree["mode"] = mode
    return tree
