"""The permissions of an API key."""

from typing import Any, ClassVar

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import ORDER_REQUESTS, Event, Query
from rules.explanations import first_breach, look
from rules.reasons import Reason
from rules.rule import GATE, Rule
from rules.rulebook import Rulebook
from rules.values import PERMISSION_NAMES, SCOPE_KEY


class Permission(Rule):
    """Refuse a request whose endpoint needs a permission that the key does not hold.

    Limit and observed value are bit sets (`PERMIT_*`). Source: Binance Spot API, "Request
    Security": by default a key may not trade.
    """

    name: ClassVar[str] = "permission"
    stage: ClassVar[int] = GATE
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.PERMISSION_DENIED,)
    wants: ClassVar[tuple[type[Event], ...]] = (Query, *ORDER_REQUESTS)
    source: ClassVar[str] = "Binance Spot API, rest-api.md, Request Security"

    def __init__(self, rulebook: Rulebook) -> None:
        self._entries = rulebook.entries

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the key lacks the endpoint's permission."""
        needed = self._entries[event.endpoint].permission
        if needed == 0:
            return None
        key = book.keys.get(event.key)
        if key is not None and key.permissions & needed == needed:
            return None
        return first_breach(self.explain(event, book, now_ns), SCOPE_KEY, event.key)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the permission needed and the permissions held."""
        needed = self._entries[event.endpoint].permission
        key = book.keys.get(event.key)
        held = key.permissions if key is not None else 0
        passed = held & needed == needed
        detail = PERMISSION_NAMES.get(needed, "")
        return (look(self.name, passed, Reason.PERMISSION_DENIED, needed, held, detail),)
