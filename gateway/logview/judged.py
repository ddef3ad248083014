"""Whom conduct cases, measures and posted fees are about: owners, alone or linked in groups."""

from collections.abc import Iterator

from gateway.journal import Record
from gateway.snapshots import Snapshot
from rules.conduct_facts import ConductFacts
from rules.decisions import Alert, Decision, LadderStep
from rules.events import LinkOwners


class Judged:
    """Follows groups and cases, so that a record which names only one of them is found by owner."""

    def __init__(self) -> None:
        self._facts = ConductFacts()
        self._cases: dict[int, tuple[int, ...]] = {}

    def prime(self, snapshot: Snapshot) -> None:
        """Take up the groups and cases of a snapshot."""
        stored = snapshot.pipeline["settlement"]["book"].get("conduct")
        if stored is None:
            return
        self._facts = ConductFacts()
        self._facts.restore(stored)
        for case in self._facts.cases.values():
            self._put(case.number, (*self._facts.owners_of(case.interest), *case.owners))

    def follow(self, record: Record) -> None:
        """Take up a record: who is linked with whom, and whom a case is about."""
        event = record.event
        if isinstance(event, LinkOwners):
            self._facts.link(event.owner, event.group)
        for alert in record.decision.alerts:
            if alert.case:
                self._put(alert.case, self._of_alert(alert))

    def of_case(self, number: int) -> tuple[int, ...]:
        """Return the owners whom a case is about."""
        return self._cases.get(number, ())

    def owners(self, decision: Decision) -> Iterator[int]:
        """Yield the owners whom a decision's findings, measures and fees are about."""
        for alert in decision.alerts:
            yield from self._of_alert(alert)
        for step in decision.steps:
            yield from self._of_step(step)
        for posting in decision.postings:
            yield posting.owner

    def part(
        self, decision: Decision, owner: int
    ) -> tuple[tuple[Alert, ...], tuple[LadderStep, ...]]:
        """Return what conduct rules told of one owner, and the measures against him."""
        return (
            tuple(alert for alert in decision.alerts if owner in self._of_alert(alert)),
            tuple(step for step in decision.steps if owner in self._of_step(step)),
        )

    def _of_alert(self, alert: Alert) -> tuple[int, ...]:
        return (*self._facts.owners_of(alert.interest), *alert.owners)

    def _of_step(self, step: LadderStep) -> tuple[int, ...]:
        # A measure against a group is one against each of its owners, whoever took part.
        return (*self._facts.owners_of(step.interest), *self._of_own_case(step))

    def _of_own_case(self, step: LadderStep) -> tuple[int, ...]:
        """Return a group's owners at the time of its case; since then some may stand alone."""
        return self._cases.get(step.case, ()) if step.interest < 0 else ()

    def _put(self, number: int, owners: tuple[int, ...]) -> None:
        known = self._cases.get(number, ())
        self._cases[number] = tuple(dict.fromkeys((*known, *owners)))
