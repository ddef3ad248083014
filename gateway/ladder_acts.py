"""What the ladder of measures leads to outside the rules: a kill, and its release.

The rules refuse what a measure does not allow by themselves. A kill also cancels orders, so it is
an operator's act like any other, submitted here and recorded as `SetState`.
"""

from collections.abc import Callable
from typing import Final

from rules.book import Book
from rules.conduct_facts import STEP_KILL
from rules.decisions import Decision
from rules.events import Event, LinkOwners, SetState
from rules.values import SCOPE_OWNER, STATE_ACTIVE, STATE_KILLED

ACTOR: Final = "ladder"
"""Who stops and releases owners because of a case."""


class LadderActs:
    """Stops owners the ladder has led to a kill; a listener of the core."""

    def __init__(self, book: Book, submit: Callable[[Event], None]) -> None:
        self._book = book
        self._submit = submit

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Follow the steps of a recorded decision; a link to a stopped group stops the owner."""
        if isinstance(event, LinkOwners) and event.group:
            standing = self._book.conduct.standings.get(-event.group, {}).get(0)
            if standing is not None and standing.step == STEP_KILL:
                self._stop(-event.group, standing.case)
        for step in decision.steps:
            if step.symbol:
                continue
            if step.step == STEP_KILL:
                self._stop(step.interest, step.case)
            elif step.before == STEP_KILL:
                self._release(step.interest, step.case)

    def catch_up(self) -> None:
        """Stop whom a kill was due for when the gate went down before it could."""
        for interest, standings in list(self._book.conduct.standings.items()):
            standing = standings.get(0)
            if standing is not None and standing.step == STEP_KILL:
                self._stop(interest, standing.case)

    def _stop(self, interest: int, case: int) -> None:
        for owner in self._book.conduct.owners_of(interest):
            if self._book.states.get((SCOPE_OWNER, owner)) != STATE_KILLED:
                self._submit(SetState(SCOPE_OWNER, owner, STATE_KILLED, f"case {case}", ACTOR))

    def _release(self, interest: int, case: int) -> None:
        """Release the owners it has stopped; a stop by an operator stays."""
        for owner in self._book.conduct.owners_of(interest):
            if self._book.state_notes.get((SCOPE_OWNER, owner), ("", "", 0))[1] == ACTOR:
                self._submit(SetState(SCOPE_OWNER, owner, STATE_ACTIVE, f"case {case}", ACTOR))
