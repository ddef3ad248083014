"""What another rulebook would have decided on recorded runs.

What-if is of first order: state follows the recorded course, so an order that the other rulebook
would have refused still fills and still counts, and what it would have led to is not shown.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gateway.journal import JournalError, Record, Run, read_run
from gateway.logview.lines import because, summary
from gateway.logview.rendering import EVENT_NAMES, Names
from gateway.logview.subjects import Subject, Subjects
from gateway.logview.times import time_text
from gateway.replica import Replica
from gateway.snapshots import start_of
from rules.decisions import ACCEPTED, REFUSED, VERDICT_NAMES, Breach, Decision
from rules.events import Request
from rules.pipeline import StateError
from rules.rulebook import Rulebook

EXAMPLES_MAX: Final = 10
"""Examples kept of each kind of change."""


class Change(msgspec.Struct, frozen=True):
    """One decision that another rulebook makes differently."""

    run: str
    seq: int
    time: str
    event: str
    """The request in a few words."""
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
    """Decisions it would have refused in shadow mode now, changed or not."""
    shadowed_before: int = 0


class WhatIfReport(msgspec.Struct):
    """Result of deciding runs with another rulebook while state follows the recorded course."""

    runs: list[str]
    recorded_rulebooks: list[str]
    """Name and revision of each rulebook the runs were written with."""
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
    problems: list[str] = msgspec.field(default_factory=list)
    """What can't be read in the runs: of each, only what is before it was decided again."""


def what_if(
    runs: Sequence[Run], rulebook: Rulebook, progress: Callable[[int], None] | None = None
) -> WhatIfReport:
    """Decide runs with another rulebook, first order, and count what comes out differently.

    A run that continues another begins with the state it took over. `progress` is called with the
    number of records decided. What can't be read is a problem of the report.
    """
    manifests = [run.manifest for run in runs]
    recorded = (f"{m.rulebook_name} ({m.rulebook_revision})" for m in manifests)
    report = WhatIfReport(
        runs=[manifest.run_id for manifest in manifests],
        recorded_rulebooks=list(dict.fromkeys(recorded)),
        rulebook=rulebook.name,
        revision=rulebook.revision,
    )
    comparison = Comparison(report)
    for run in runs:
        try:
            start = start_of(run)
            replica = Replica(rulebook) if start is None else Replica.restored(start, rulebook)
        except (JournalError, StateError) as error:
            report.problems.append(f"run {run.manifest.run_id} can't be decided again: {error}")
            continue
        subjects = Subjects()
        if start is not None:
            subjects.prime(start)
        comparison.begin(run.manifest.run_id, subjects)
        decide = replica.pipeline.apply
        try:
            for record in read_run(run.path, start.seq + 1 if start is not None else 1):
                decision = decide(
                    record.event, record.now_ns, seq=record.seq, course=record.decision
                )
                comparison.take(record, decision)
                if progress is not None:
                    progress(report.records)
        except JournalError as error:
            report.problems.append(str(error))
    comparison.finish()
    return report


class Comparison:
    """Counts changes into a report."""

    def __init__(self, report: WhatIfReport) -> None:
        self.report = report
        self._accounts: Counter[str] = Counter()
        self._symbols: Counter[str] = Counter()
        self._examples: Counter[str] = Counter()

    def begin(self, run: str, subjects: Subjects) -> None:
        """Begin with the records of a run."""
        self._run = run
        self._subjects = subjects
        self._names = Names(subjects.directory)

    def take(self, record: Record, decision: Decision) -> None:
        """Compare one decision with the recorded one."""
        report, recorded = self.report, record.decision
        report.records += 1
        if not isinstance(record.event, Request):
            self._subjects.follow(record)
            return
        report.requests += 1
        report.recorded_refused += recorded.verdict == REFUSED
        report.refused_now += decision.verdict == REFUSED
        before, now = named(recorded.breaches), named(decision.breaches)
        if recorded.shadows or decision.shadows:
            self._shadows(named(recorded.shadows), named(decision.shadows))
        if recorded.verdict == decision.verdict and before == now:
            self._subjects.follow(record)
            return
        what = kind_of_change(recorded.verdict, decision.verdict)
        report.changed += 1
        setattr(report, what, getattr(report, what) + 1)
        for rule in dict.fromkeys(rule for rule, reason in now if (rule, reason) not in before):
            self._rule(rule).refuses_now += 1
        for rule in dict.fromkeys(rule for rule, reason in before if (rule, reason) not in now):
            self._rule(rule).refused_before += 1
        self._whom(record, decision, self._subjects.observe(record), what)

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
                    run=self._run,
                    seq=record.seq,
                    time=time_text(record.now_ns),
                    event=_described(record, subject, names),
                    account=account,
                    symbol=symbol,
                    what=what,
                    recorded=VERDICT_NAMES[record.decision.verdict],
                    recorded_because=because(record.decision),
                    now=VERDICT_NAMES[decision.verdict],
                    now_because=because(decision),
                )
            )


def _described(record: Record, subject: Subject, names: Names) -> str:
    """Return a request in a few words: its kind, its terms, and the orders it is about."""
    orders = (f"#{order_id}" for order_id in subject.order_ids[:3])
    parts = (EVENT_NAMES[type(record.event)], summary(record.event, names), *orders)
    return " ".join(part for part in parts if part)


def named(breaches: tuple[Breach, ...]) -> list[tuple[str, int]]:
    """Return breaches as rule and reason, which is what a change is judged by."""
    return [(breach.rule, int(breach.reason)) for breach in breaches]


def kind_of_change(recorded: int, now: int) -> str:
    """Return the field of a report in which a change from one verdict to another is counted."""
    if recorded == now:
        return "refused_otherwise"
    if now == REFUSED:
        return "newly_refused"
    if recorded == REFUSED and now == ACCEPTED:
        return "newly_accepted"
    return "other"
