"""The standing of an API key: known, enabled, not expired, used from an allowed address."""

from typing import Any, ClassVar

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import ORDER_REQUESTS, Event, Query
from rules.explanations import first_breach, look
from rules.instruments import SECURITY_NONE
from rules.reasons import Reason
from rules.rule import GATE, Rule
from rules.rulebook import Rulebook
from rules.values import SCOPE_KEY


class KeyStanding(Rule):
    """Refuse the use of a key that is disabled, expired, or bound to other addresses.

    A key with an expiry is good up to, not at, that time (UTC, ns). A key without addresses may be
    used from anywhere. Source: Binance and Upbit key management (IP allow list, one year of life).
    """

    name: ClassVar[str] = "key_standing"
    stage: ClassVar[int] = GATE
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.KEY_UNKNOWN,
        Reason.KEY_DISABLED,
        Reason.KEY_EXPIRED,
        Reason.ADDRESS_NOT_ALLOWED,
    )
    wants: ClassVar[tuple[type[Event], ...]] = (Query, *ORDER_REQUESTS)
    source: ClassVar[str] = "Binance Spot API, rest-api.md, Request Security; Upbit API keys"

    def __init__(self, rulebook: Rulebook) -> None:
        self._entries = rulebook.entries

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the key may not be used now and from this address."""
        if self._entries[event.endpoint].security == SECURITY_NONE:
            return None
        key = book.keys.get(event.key)
        if (
            key is not None
            and key.enabled
            and (key.expires_ns == 0 or now_ns < key.expires_ns)
            and (not key.addresses or event.ip in key.addresses)
        ):
            return None
        return first_breach(self.explain(event, book, now_ns), SCOPE_KEY, event.key)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return what the key must be and is; `detail` names the property looked at.

        Limits and observed values: 1 for yes, the expiry and the time in ns, the number of allowed
        addresses and the address's number.
        """
        if self._entries[event.endpoint].security == SECURITY_NONE:
            return (Explanation(self.name, True, None, 0, event.key, "not asked for"),)
        key = book.keys.get(event.key)
        if key is None:
            return (look(self.name, False, Reason.KEY_UNKNOWN, 1, 0, "known"),)
        unexpired = key.expires_ns == 0 or now_ns < key.expires_ns
        allowed = not key.addresses or event.ip in key.addresses
        return (
            look(self.name, key.enabled, Reason.KEY_DISABLED, 1, int(key.enabled), "enabled"),
            look(self.name, unexpired, Reason.KEY_EXPIRED, key.expires_ns, now_ns, "expiry"),
            look(
                self.name,
                allowed,
                Reason.ADDRESS_NOT_ALLOWED,
                len(key.addresses),
                event.ip,
                "address",
            ),
        )
