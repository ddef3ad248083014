"""Deciding a recorded run again: the same decisions, or what another rulebook would have changed.

What-if is of first order: state follows the recorded course, so an order that the other rulebook
would have refused still fills and still counts, and what it would have led to is not shown.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway.journal import Manifest, Record, Run, read_run
from gateway.journal.manifest import code_digest
from gateway.logview.rendering import Names, because, record_tree, summary
from gateway.logview.subjects import Subject, Subjects
from gateway.logview.times import time_text
from rules.clauses import RulebookFile
from rules.decisions import ACCEPTED, REFUSED, VERDICT_NAMES, Breach, Decision
from rules.events import Request
from rules.pipeline import Pipeline
from rules.rulebook import Rulebook, RulebookError

EXAMPLES_MAX: Final = 10
"""Examples kept of each kind of change."""

_encode = msgspec.msgpack.Encoder().encode


class Difference(msgspec.Struct, frozen=True):
    """The first record whose decision came out differently."""

    seq: int
    time: str
    record: dict[str, Any]
    """The record as it stands."""
    replayed: dict[str, Any]
    """The decision made now."""


class ReplayReport(msgspec.Struct, frozen=True):
    """Result of deciding a run again with its own rulebook."""

    run: str
    rulebook: str
    revision: str
    same_code: bool
    """Whether the code that wrote the run is the code that decided it again."""
    records: int
    """Records decided again, the differing one included."""
    requests: int
    difference: Difference | None


class Change(msgspec.Struct, frozen=True):
    """One decision that another rulebook makes differently."""

    seq: int
    time: str
    event: str
    account: str | None
    symbol: str | None
    what: str
    recorded: str
    recorded_because: str
    now: str
    now_because: str


class RuleChange(msgspec.Struct):
    """How often one rule speaks differently."""

    refuses_now: int = 0
    """Decisions that name it as a breach now and did not."""
    refused_before: int = 0
    """Decisions that named it as a breach and do not now."""
    shadows_now: int = 0
    shadowed_before: int = 0


class WhatIfReport(msgspec.Struct):
    """Result of deciding a run with another rulebook while state follows the recorded course."""

    run: str
    recorded_rulebook: str
    recorded_revision: str
    rulebook: str
    revision: str
    first_order: bool = True
    records: int = 0
    requests: int = 0
    recorded_refused: int = 0
    refused_now: int = 0
    changed: int = 0
    """Requests whose verdict is another or, when refused both times, whose breaches are."""
    newly_refused: int = 0
    newly_accepted: int = 0
    refused_otherwise: int = 0
    """Refused both times, for other rules or reasons."""
    other: int = 0
    """Any other change of verdict, such as accepted to deferred."""
    rules: dict[str, RuleChange] = msgspec.field(default_factory=dict)
    accounts: dict[str, int] = msgspec.field(default_factory=dict)
    """Changed decisions by account, most first."""
    symbols: dict[str, int] = msgspec.field(default_factory=dict)
    examples: list[Change] = msgspec.field(default_factory=list)


def manifest_rulebook(manifest: Manifest) -> Rulebook:
    """Return the rulebook a run was written with, from its manifest.

    Raises RulebookError when this version can't read it.
    """
    try:
        return Rulebook(msgspec.json.decode(manifest.rulebook_text, type=RulebookFile))
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise RulebookError([f"the rulebook of run {manifest.run_id}: {error}"]) from None


def same_decision(one: Decision, other: Decision) -> bool:
    """Tell whether two decisions are the same byte for byte, as the record has them."""
    return _encode(one) == _encode(other)


def replay(run: Run, progress: Callable[[int], None] | None = None) -> ReplayReport:
    """Decide a run again with its own rulebook, up to the first difference.

    Raises JournalError and RulebookError.
    """
    pipeline = Pipeline(manifest_rulebook(run.manifest))
    rulebook = pipeline.rulebook
    decide, encode = pipeline.apply, _encode
    records = requests = 0
    difference = None
    for record in read_run(run.path):
        records += 1
        event = record.event
        requests += isinstance(event, Request)
        decision = decide(event, record.now_ns, seq=record.seq)
        if encode(decision) != encode(record.decision):
            difference = _difference(run, record, decision)
            break
        if progress is not None:
            progress(record.seq)
    return ReplayReport(
        run=run.manifest.run_id,
        rulebook=rulebook.name,
        revision=rulebook.revision,
        same_code=run.manifest.code_digest == code_digest(),
        records=records,
        requests=requests,
        difference=difference,
    )


def what_if(
    run: Run, rulebook: Rulebook, progress: Callable[[int], None] | None = None
) -> WhatIfReport:
    """Decide a run with another rulebook, first order, and count what comes out differently.

    Raises JournalError.
    """
    pipeline = Pipeline(rulebook)
    report = WhatIfReport(
        run=run.manifest.run_id,
        recorded_rulebook=run.manifest.rulebook_name,
        recorded_revision=run.manifest.rulebook_revision,
        rulebook=rulebook.name,
        revision=rulebook.revision,
    )
    comparison = _Comparison(report)
    for record in read_run(run.path):
        decision = pipeline.apply(
            record.event, record.now_ns, seq=record.seq, course=record.decision
        )
        comparison.take(record, decision)
        if progress is not None:
            progress(record.seq)
    comparison.finish()
    return report


class _Comparison:
    """Counts changes into a report."""

    def __init__(self, report: WhatIfReport) -> None:
        self.report = report
        self._subjects = Subjects()
        self._names = Names(self._subjects.directory)
        self._accounts: Counter[str] = Counter()
        self._symbols: Counter[str] = Counter()
        self._examples: Counter[str] = Counter()

    def take(self, record: Record, decision: Decision) -> None:
        """Compare one decision with the recorded one."""
        subject = self._subjects.observe(record)
        report, recorded = self.report, record.decision
        report.records += 1
        if not isinstance(record.event, Request):
            return
        report.requests += 1
        report.recorded_refused += recorded.verdict == REFUSED
        report.refused_now += decision.verdict == REFUSED
        before, now = _named(recorded.breaches), _named(decision.breaches)
        if recorded.shadows or decision.shadows:
            self._shadows(_named(recorded.shadows), _named(decision.shadows))
        if recorded.verdict == decision.verdict and before == now:
            return
        what = _kind(recorded.verdict, decision.verdict)
        report.changed += 1
        setattr(report, what, getattr(report, what) + 1)
        for rule in dict.fromkeys(rule for rule, reason in now if (rule, reason) not in before):
            self._rule(rule).refuses_now += 1
        for rule in dict.fromkeys(rule for rule, reason in before if (rule, reason) not in now):
            self._rule(rule).refused_before += 1
        self._whom(record, decision, subject, what)

    def finish(self) -> None:
        """Put the counts by account and symbol into the report, most first."""
        self.report.accounts = dict(self._accounts.most_common())
        self.report.symbols = dict(self._symbols.most_common())
        self.report.rules = dict(
            sorted(
                self.report.rules.items(),
                key=lambda item: (-item[1].refuses_now - item[1].refused_before, item[0]),
            )
        )

    def _shadows(self, before: list[tuple[str, int]], now: list[tuple[str, int]]) -> None:
        for rule, _ in now:
            self._rule(rule).shadows_now += 1
        for rule, _ in before:
            self._rule(rule).shadowed_before += 1

    def _rule(self, name: str) -> RuleChange:
        return self.report.rules.setdefault(name, RuleChange())

    def _whom(self, record: Record, decision: Decision, subject: Subject, what: str) -> None:
        names = self._names
        account = names.account(subject.accounts[0]) if subject.accounts else None
        symbol = names.symbol(subject.symbols[0]) if subject.symbols else None
        self._accounts[account or "unknown"] += 1
        self._symbols[symbol or "none"] += 1
        self._examples[what] += 1
        if self._examples[what] <= EXAMPLES_MAX:
            self.report.examples.append(
                Change(
                    seq=record.seq,
                    time=time_text(record.now_ns),
                    event=summary(record.event, names),
                    account=account,
                    symbol=symbol,
                    what=what,
                    recorded=VERDICT_NAMES[record.decision.verdict],
                    recorded_because=because(record.decision),
                    now=VERDICT_NAMES[decision.verdict],
                    now_because=because(decision),
                )
            )


def _named(breaches: tuple[Breach, ...]) -> list[tuple[str, int]]:
    return [(breach.rule, int(breach.reason)) for breach in breaches]


def _kind(recorded: int, now: int) -> str:
    if recorded == now:
        return "refused_otherwise"
    if now == REFUSED:
        return "newly_refused"
    if recorded == REFUSED and now == ACCEPTED:
        return "newly_accepted"
    return "other"


def _difference(run: Run, record: Record, decision: Decision) -> Difference:
    """Render a differing record with the names the record has given by then."""
    subjects = Subjects()
    names = Names(subjects.directory)
    for earlier in read_run(run.path):
        subject = subjects.observe(earlier)
        if earlier.seq == record.seq:
            break
    return Difference(
        seq=record.seq,
        time=time_text(record.now_ns),
        record=record_tree(record, subject, names, None),
        replayed=names.tree(decision),
    )
