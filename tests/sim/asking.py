"""Decide a run again with every rule asked and told of everything, as if none could be left out."""

from typing import Any
from unittest import mock

from gateway.builds import is_compiled
from gateway.journal import Run, read_run
from gateway.replay import same_decision
from gateway.replica import Replica
from rules.answers import ALL_REPORTED
from rules.book import Book
from rules.plans import Plan
from rules.rule import ACCESS, GATE, LIMIT, Rule


def _stage(rules: list[Rule], stage: int) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.stage == stage)


def _take_all(plan: Any, book: Book) -> None:
    """Arrange a plan with every rule that wants its type of event."""
    wanting = [rule for rule in plan._rules if plan._kind in rule.wants]
    enforced = [rule for rule in wanting if plan._enforced[rule.name]]
    plan.access, plan.gates = _stage(enforced, ACCESS), _stage(enforced, GATE)
    plan.limits = plan.limits_priced = _stage(enforced, LIMIT)
    shadows = [rule for rule in wanting if rule not in enforced]
    plan.shadows = tuple(shadows)
    plan.early_shadows = _stage(shadows, ACCESS) + _stage(shadows, GATE)
    told = tuple(rule for rule in plan._rules if plan._kind in rule.applies)
    plan.applies = plan.applies_refused = told
    plan.results = dict.fromkeys(range(ALL_REPORTED + 1), told)


def asked_in_vain(run: Run) -> str:
    """Return what comes out differently when no rule is left out, empty when nothing does.

    That is a decision, or a rule's state at the end of the run. Compiled plans can't be changed,
    so there nothing is looked at.
    """
    if is_compiled():
        return ""
    as_is, records = Replica.at_start(run), []
    for record in read_run(run.path):
        records.append(record)
        as_is.take(record)
    with mock.patch.object(Plan, "arrange", _take_all):
        asking = Replica.at_start(run)
        for record in records:
            decision = asking.take(record)
            if not same_decision(decision, record.decision):
                return f"record {record.seq}: {decision} instead of {record.decision}"
    now, then = (replica.pipeline.state()["rules"] for replica in (as_is, asking))
    return "".join(f"state of {name}; " for name in now if now[name] != then[name])
