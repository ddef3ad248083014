"""What the ladder of measures leads to outside the rules: a kill, and its release.

The rules refuse what a measure does not allow by themselves. A kill also cancels orders, so it is
an operator's act like any other, submitted here and recorded as `SetState`.
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.listeners import Listeners
from rules.book import Book
from rules.conduct_facts import STEP_KILL, Standing
from rules.decisions import Decision
from rules.events import Event, LinkOwners, SetState
from rules.ladder import EVERYWHERE
from rules.values import SCOPE_OWNER, STATE_ACTIVE, STATE_KILLED

ACTOR: Final = "ladder"
"""Who stops and releases owners because of a case."""


class LadderActs:
    """Stops owners the ladder has led to a kill; a listener of the core."""

    def __init__(self, book: Book, submit: Callable[[Event], None]) -> None:
        self._book = book
        self._submit = submit

    def listen_to(self, listeners: Listeners) -> None:
        """Have it told of what it follows."""
        listeners.add(self.on_link, LinkOwners)
        listeners.add_for_steps(self.on_record)

    def on_record(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        """Follow the steps of a recorded decision."""
        for step in decision.steps:
            if step.symbol:
                continue
            if step.step == STEP_KILL:
                self._stop(step.interest, step.case)
            elif step.before == STEP_KILL:
                self._release(step.interest, step.case)

    def on_link(self, seq: int, now_ns: int, event: Any, decision: Decision) -> None:
        """Stop an owner who was linked to a stopped group."""
        if event.group:
            standing = self._kills().get(-event.group)
            if standing is not None:
                self._stop(-event.group, standing.case)

    def catch_up(self) -> None:
        """Stop and release whom that was due for when the gate went down before it could."""
        kills = self._kills()
        killed = {owner for interest in kills for owner in self._book.conduct.owners_of(interest)}
        for interest, standing in kills.items():
            self._stop(interest, standing.case)
        led_there = {_note(case) for standing in kills.values() for case in standing.alone}
        for (scope, owner), (note, actor, _) in list(self._book.state_notes.items()):
            # Who has left a group that is stopped is not released by that.
            if (scope, actor) == (SCOPE_OWNER, ACTOR) and not (
                owner in killed or note in led_there
            ):
                self._submit(SetState(SCOPE_OWNER, owner, STATE_ACTIVE, note, ACTOR))

    def _kills(self) -> dict[int, Standing]:
        """Return the kills in force by interest."""
        return {
            interest: standings[EVERYWHERE]
            for interest, standings in self._book.conduct.standings.items()
            if EVERYWHERE in standings and standings[EVERYWHERE].step == STEP_KILL
        }

    def _stop(self, interest: int, case: int) -> None:
        for owner in self._book.conduct.owners_of(interest):
            if self._book.states.get((SCOPE_OWNER, owner)) != STATE_KILLED:
                self._submit(SetState(SCOPE_OWNER, owner, STATE_KILLED, _note(case), ACTOR))

    def _release(self, interest: int, case: int) -> None:
        """Release the owners it has stopped; a stop by an operator stays."""
        for owner in self._book.conduct.owners_of(interest):
            if self._book.state_notes.get((SCOPE_OWNER, owner), ("", "", 0))[1] == ACTOR:
                self._submit(SetState(SCOPE_OWNER, owner, STATE_ACTIVE, _note(case), ACTOR))


def _note(case: int) -> str:
    return f"case {case}"
