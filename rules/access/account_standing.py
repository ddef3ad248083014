"""The standing of an account: it exists and is enabled."""

from typing import Any, ClassVar

from rules.book import Book
from rules.decisions import Explanation, Verdict
from rules.events import ORDER_REQUESTS, Event, Query
from rules.explanations import first_breach, look
from rules.instruments import SECURITY_NONE
from rules.reasons import Reason
from rules.rule import GATE, Rule
from rules.rulebook import Rulebook
from rules.values import SCOPE_ACCOUNT


class AccountStanding(Rule):
    """Refuse what a key asks for in the name of an account that is not enabled, or not there.

    Source: RTS 7 (2017/584) Art. 18(2), suspension of access.
    """

    name: ClassVar[str] = "account_standing"
    stage: ClassVar[int] = GATE
    reasons: ClassVar[tuple[Reason, ...]] = (Reason.ACCOUNT_DISABLED,)
    wants: ClassVar[tuple[type[Event], ...]] = (Query, *ORDER_REQUESTS)
    source: ClassVar[str] = "RTS 7 (2017/584) Art. 18(2)"

    def __init__(self, rulebook: Rulebook) -> None:
        self._entries = rulebook.entries

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the key's account is not enabled."""
        if self._entries[event.endpoint].security == SECURITY_NONE:
            return None
        account = book.holder_of(event.key)
        if account is not None and account.enabled:
            return None
        number = book.account_of(event.key)
        return first_breach(self.explain(event, book, now_ns), SCOPE_ACCOUNT, number)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return 1 as limit, and 1 as observed value when the account is enabled, else 0."""
        if self._entries[event.endpoint].security == SECURITY_NONE:
            return (Explanation(self.name, True, None, 0, event.key, "not asked for"),)
        account = book.holder_of(event.key)
        enabled = account is not None and account.enabled
        detail = "enabled" if account is not None else "unknown account"
        return (look(self.name, enabled, Reason.ACCOUNT_DISABLED, 1, int(enabled), detail),)
