"""What is shed so that trading goes on: strangers, then queries, then new orders."""

from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import Decision, Explanation, Verdict
from rules.events import REQUESTS, Amend, Event, Place, Query, RecordSpace, Replace, Request
from rules.explanations import first_breach, look
from rules.instruments import SECURITY_SIGNED
from rules.reasons import Reason
from rules.rule import ACCESS, Rule
from rules.rulebook import Rulebook
from rules.values import AUTH_OK, SCOPE_IP, SPACE_AMPLE, SPACE_LOW

_PASSES_AT: Final[dict[type[Event], int]] = {
    Query: SPACE_AMPLE,
    Place: SPACE_LOW,
    Replace: SPACE_LOW,
    Amend: SPACE_LOW,
}
"""The least space at which a request still passes; cancels pass always."""


class Overload(Rule):
    """Refuse what the gate has no room for.

    While the disk of the record is LOW, queries are refused; while it is SCARCE, new orders,
    replacements and amends too. Cancels are never refused here. A request that comes from an
    address without a number, and is not signed, is refused always: it has no limits that it could be
    counted under. The state of the disk is recorded as an event, so a replay knows it.
    Source: Binance Spot API, error -1008 and its order of shedding; RTS 7 (2017/584) Art. 11.
    """

    name: ClassVar[str] = "overload"
    stage: ClassVar[int] = ACCESS
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.OVERLOADED,)
    wants: ClassVar[tuple[type[Event], ...]] = REQUESTS
    applies: ClassVar[tuple[type[Event], ...]] = (RecordSpace,)
    source: ClassVar[str] = "Binance Spot API, error -1008; RTS 7 (2017/584) Art. 11"

    def __init__(self, rulebook: Rulebook) -> None:
        self._entries = rulebook.entries
        self.space = SPACE_AMPLE
        """The room on the disk of the record (`SPACE_*`)."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when there is no room for the request."""
        if self.space == SPACE_AMPLE and event.ip:
            return None
        explanations = self.explain(event, book, now_ns)
        if all(explanation.passed for explanation in explanations):
            return None
        return first_breach(explanations, SCOPE_IP, event.ip)

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Take up how much room there is."""
        self.space = event.space

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return 1 and whether the address is known, then the room needed and the room there is."""
        return (self._known(event), *self._room(event))

    def state(self) -> Any:
        """Return how much room there is."""
        return self.space

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self.space = state

    def _known(self, event: Request) -> Explanation:
        signed = self._entries[event.endpoint].security == SECURITY_SIGNED
        known = event.ip != 0 or (signed and event.auth == AUTH_OK)
        return look(self.name, known, Reason.OVERLOADED, 1, int(known), "address")

    def _room(self, event: Request) -> tuple[Explanation, ...]:
        passes_at = _PASSES_AT.get(type(event))
        if passes_at is None:
            return ()
        passed = self.space <= passes_at
        return (look(self.name, passed, Reason.OVERLOADED, passes_at, self.space, "record space"),)
