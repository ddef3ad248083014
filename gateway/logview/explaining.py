"""One decision explained: the run is replayed to just before it, then every rule is asked.

What comes out is what the rules saw, not a guess from the recorded answer; `agrees` tells whether
the decision made again is the recorded one.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.decision_id import DecisionIds
from gateway.journal import JournalError, Record, Run, read_run
from gateway.logview.rendering import Names, record_tree
from gateway.logview.subjects import Subjects
from gateway.replay import same_decision
from gateway.replica import Replica, manifest_rulebook
from gateway.snapshots import Snapshot, nearest
from rules.book import Book
from rules.decisions import Charge, Decision, Defer, Explanation
from rules.events import BulkCancel, Event, Request
from rules.pipeline import Pipeline, StateError
from rules.reasons import Reason
from rules.rule import STAGE_NAMES
from rules.rulebook import Rulebook
from rules.units import decimal_text
from rules.values import SCOPE_NAMES, STATE_ACTIVE, STATE_NAMES

_KEY_FIELDS: Final = ("name", "account", "permissions", "addresses", "expires_ns", "enabled")
_ACCOUNT_FIELDS: Final = ("name", "owner", "tier", "flags", "enabled")
_SYMBOL_FIELDS: Final = (
    "name",
    "state",
    "last_e8",
    "last_ns",
    "bid_e8",
    "bid_quantity_e8",
    "ask_e8",
    "ask_quantity_e8",
    "quote_ns",
    "previous_close_e8",
    "halted_since_ns",
)
_ORDER_FIELDS: Final = (
    "order_id",
    "client_order_id",
    "account",
    "symbol",
    "side",
    "order_type",
    "time_in_force",
    "price_e8",
    "quantity_e8",
    "quote_quantity_e8",
    "filled_e8",
    "status",
    "accepted_ns",
    "live_ns",
    "reserved_asset",
    "reserved_e8",
    "cancel_cause",
    "unknown",
)


class RuleVerdict(msgspec.Struct, frozen=True):
    """What one rule said of the event."""

    rule: str
    stage: str
    mode: str
    passed: bool
    reason: str | None
    limit: int | str
    observed: int | str
    detail: str
    source: str
    asked: str | None = None
    """The reason it would have refused for, where the rule looked for several."""
    verdict: str = ""
    """`passed`, `refused`, `deferred` (a cancel that is held) or `charged` (passes at a price)."""


class Beginning(msgspec.Struct, frozen=True):
    """Where the state came from."""

    snapshot_seq: int
    """The record after which the snapshot was made; 0: none, from the beginning of the run."""
    replayed: int
    """Records that were followed from there."""
    unusable: list[str] = msgspec.field(default_factory=list)
    """Nearer snapshots that are damaged or not understood by this version, and why."""


class ExplainedDecision(msgspec.Struct, frozen=True):
    """A record, what every rule said of it, and the facts that led to it."""

    run: str
    rulebook: str
    revision: str
    record: dict[str, Any]
    agrees: bool
    """Whether deciding it again gives the recorded decision."""
    rules: list[RuleVerdict]
    facts: dict[str, Any]
    beginning: Beginning


def explain(
    run: Run,
    seq: int,
    ids: DecisionIds | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExplainedDecision:
    """Return the explanation of record `seq` of a run.

    The state is that of the nearest usable snapshot before the record, and the records from there
    on. Raises JournalError when the run has no such record or can't be read, RulebookError when its
    rulebook can't be used by this version, and StateError when none of its snapshots can.
    """
    rulebook = manifest_rulebook(run.manifest)
    unusable: list[str] = []
    start, replica = _nearest_state(run, seq - 1, rulebook, unusable)
    subjects = Subjects()
    if start is not None:
        subjects.prime(start)
    first = start.seq + 1 if start is not None else 1
    for replayed, record in enumerate(read_run(run.path, first)):
        subject = subjects.observe(record)
        if record.seq == seq:
            names = Names(subjects.directory)
            tree = record_tree(record, subject, names, ids)
            began = Beginning(start.seq if start is not None else 0, replayed, unusable)
            return _explained(run, replica.pipeline, record, names, tree, began)
        if record.seq > seq:
            break
        replica.pipeline.apply(record.event, record.now_ns, course=record.decision, seq=record.seq)
        if progress is not None:
            progress(replayed + 1)
    raise JournalError(f"{run.path}: there is no record {seq}")


def _nearest_state(
    run: Run, seq: int, rulebook: Rulebook, unusable: list[str]
) -> tuple[Snapshot | None, Replica]:
    """Return the nearest snapshot this version can use, and the state it holds.

    `unusable` takes why nearer ones could not be used.
    """
    while True:
        start = nearest(run, seq, unusable)
        if start is None:
            return None, Replica(rulebook)
        try:
            return start, Replica.restored(start, rulebook)
        except StateError as error:
            # Another version made it; an earlier one may still be understood.
            if start.seq < run.manifest.first_seq:
                raise
            unusable.append(f"snapshot after record {start.seq}: {error}")
            seq = start.seq - 1


def _explained(
    run: Run,
    pipeline: Pipeline,
    record: Record,
    names: Names,
    tree: dict[str, Any],
    began: Beginning,
) -> ExplainedDecision:
    event, now_ns = record.event, record.now_ns
    rulebook = pipeline.rulebook
    entries = pipeline.explain(event, now_ns)
    asked: dict[str, set[Reason | None]] = {}
    for entry in entries:
        asked.setdefault(entry.rule, set()).add(entry.asked)
    rules = [
        _rule_verdict(
            pipeline, entry, len(asked[entry.rule]) > 1, _word(pipeline, entry, record), names
        )
        for entry in entries
    ]
    facts = facts_of(pipeline.book, event, record.decision, names)
    again = pipeline.apply(event, now_ns, seq=record.seq)
    return ExplainedDecision(
        run=run.manifest.run_id,
        rulebook=rulebook.name,
        revision=run.manifest.rulebook_revision,
        record=tree,
        agrees=same_decision(again, record.decision),
        beginning=began,
        rules=rules,
        facts=facts,
    )


def _word(pipeline: Pipeline, entry: Explanation, record: Record) -> str:
    """Return what a rule said of a record in one word."""
    rule = pipeline.rule(entry.rule)
    if not entry.passed or rule is None:
        return "passed" if entry.passed else "refused"
    match rule.check(record.event, pipeline.book, record.now_ns):
        case Defer():
            return "deferred"
        case Charge():
            return "charged"
    return "passed"


def _rule_verdict(
    pipeline: Pipeline, entry: Explanation, several: bool, verdict: str, names: Names
) -> RuleVerdict:
    """Return what a rule said; `several` says that it looked for more than one reason."""
    observed = entry.observed
    if entry.asked == Reason.ADDRESS_NOT_ALLOWED and isinstance(observed, int):
        # An address is compared by its number, which says nothing to anybody.
        observed = names.address(observed) or observed
    rule = pipeline.rule(entry.rule)
    clause = getattr(pipeline.rulebook.clauses, entry.rule, None)
    return RuleVerdict(
        rule=entry.rule,
        stage=STAGE_NAMES[rule.stage] if rule is not None else "",
        mode=getattr(clause, "mode", ""),
        passed=entry.passed,
        reason=entry.reason.name if entry.reason is not None else None,
        limit=entry.limit,
        observed=observed,
        detail=entry.detail,
        source=rule.source if rule is not None else "",
        asked=entry.asked.name if several and entry.asked is not None else None,
        verdict=verdict,
    )


def facts_of(book: Book, event: Event, decision: Decision, names: Names) -> dict[str, Any]:
    """Return what the book held on whom and what the event is about, before it was decided."""
    facts: dict[str, Any] = {}
    key = book.keys.get(getattr(event, "key", 0))
    if key is not None:
        facts["key"] = names.tree(key, _KEY_FIELDS)
    number = decision.account or (key.account if key is not None else 0)
    account = book.accounts.get(number)
    symbol = book.symbols.get(getattr(event, "symbol", 0))
    order = _order(book, event, decision, number)
    if order is not None:
        facts["order"] = names.tree(order, _ORDER_FIELDS)
        account = account or book.accounts.get(order.account)
        symbol = symbol or book.symbols.get(order.symbol)
    if account is not None:
        facts["account"] = names.tree(account, _ACCOUNT_FIELDS)
        facts["account"]["open_orders"] = len(book.open_orders(account.account))
    if symbol is not None:
        facts["symbol"] = names.tree(symbol, _SYMBOL_FIELDS)
        if account is not None:
            facts["balances"] = {
                str(names.directory.asset_name(asset) or asset): decimal_text(
                    book.free_e8(account.account, asset)
                )
                for asset in (symbol.base_asset, symbol.quote_asset)
            }
    if isinstance(event, Request):
        owner = account.owner if account is not None else 0
        symbol_number = symbol.symbol if symbol is not None else 0
        state, scope, subject = book.stop_state(owner, number, event.key, symbol_number)
        if state != STATE_ACTIVE:
            facts["stop_state"] = {
                "state": STATE_NAMES[state],
                "scope": SCOPE_NAMES[scope],
                "subject": names.subject(scope, subject),
            }
    return facts


def _order(book: Book, event: Event, decision: Decision, account: int) -> Any:
    """Return the open order an event names, None when it names none that is open."""
    order_id = getattr(event, "order_id", 0) or decision.order_id
    if order_id:
        return book.orders.get(order_id)
    client_order_id = getattr(event, "orig_client_order_id", "")
    if client_order_id:
        return book.client_ids.get((account, client_order_id))
    if isinstance(event, BulkCancel) and len(decision.cancels) == 1:
        return book.orders.get(decision.cancels[0])
    return None
