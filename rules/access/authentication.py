"""The verdict of authentication, where the endpoint asks for it."""

from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import ORDER_REQUESTS, Event, Query
from rules.explanations import first_breach, look
from rules.instruments import SECURITY_KEY, SECURITY_NONE
from rules.reasons import Reason
from rules.rule import ACCESS, Rule
from rules.rulebook import Rulebook
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_MALFORMED_KEY,
    AUTH_MISSING_KEY,
    AUTH_MISSING_SIGNATURE,
    AUTH_NAMES,
    AUTH_NONCE_USED,
    AUTH_NOT_REQUIRED,
    AUTH_OK,
    AUTH_UNKNOWN_KEY,
    SCOPE_IP,
)

_KEY_REASONS: Final = {
    AUTH_MISSING_KEY: Reason.KEY_MISSING,
    AUTH_MALFORMED_KEY: Reason.KEY_MALFORMED,
    AUTH_UNKNOWN_KEY: Reason.KEY_UNKNOWN,
}
_SIGNATURE_REASONS: Final = {
    AUTH_NOT_REQUIRED: Reason.SIGNATURE_MISSING,
    AUTH_BAD_SIGNATURE: Reason.SIGNATURE_INVALID,
    AUTH_MISSING_SIGNATURE: Reason.SIGNATURE_MISSING,
    AUTH_NONCE_USED: Reason.NONCE_USED,
}


class Authentication(Rule):
    """Refuse what is not authenticated as its endpoint's security level asks.

    `none` asks for nothing, `key` for a known key, `signed` for a verified signature. A result
    this rule does not know counts as not checked: it refuses. Malformed requests are left alone,
    because venues report malformed parameters before a wrong signature. Source: Binance Spot API,
    "Request Security" and error codes -1022, -2014, -2015.
    """

    name: ClassVar[str] = "authentication"
    stage: ClassVar[int] = ACCESS
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.KEY_MISSING,
        Reason.KEY_MALFORMED,
        Reason.KEY_UNKNOWN,
        Reason.SIGNATURE_INVALID,
        Reason.SIGNATURE_MISSING,
        Reason.NONCE_USED,
        Reason.SIGNATURE_NOT_CHECKED,
    )
    wants: ClassVar[tuple[type[Event], ...]] = (Query, *ORDER_REQUESTS)
    source: ClassVar[str] = "Binance Spot API, rest-api.md, Request Security"

    def __init__(self, rulebook: Rulebook) -> None:
        self._entries = rulebook.entries

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when key or signature are not what the endpoint asks for."""
        if event.auth == AUTH_OK and event.key in book.keys:
            return None
        if self._reason(event, book) is None:
            return None
        return first_breach(self.explain(event, book, now_ns), SCOPE_IP, event.ip)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the result asked for and the result found (`AUTH_*`)."""
        level = self._entries[event.endpoint].security
        asked = AUTH_NOT_REQUIRED if level == SECURITY_NONE else AUTH_OK
        reason = self._reason(event, book)
        known = 0 <= event.auth < len(AUTH_NAMES)
        return (
            look(
                self.name,
                reason is None,
                reason or Reason.SIGNATURE_NOT_CHECKED,
                asked,
                event.auth,
                AUTH_NAMES[event.auth] if known else "",
            ),
        )

    def _reason(self, event: Any, book: Book) -> Reason | None:
        """Return why the request is not authenticated well enough, None when it is."""
        level = self._entries[event.endpoint].security
        if level == SECURITY_NONE:
            return None
        auth = event.auth
        reason = _KEY_REASONS.get(auth)
        if reason is not None:
            return reason
        if event.key not in book.keys:
            return Reason.KEY_UNKNOWN if event.key else Reason.KEY_MISSING
        if level == SECURITY_KEY or auth == AUTH_OK:
            return None
        return _SIGNATURE_REASONS.get(auth, Reason.SIGNATURE_NOT_CHECKED)
