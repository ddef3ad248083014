"""Duplicate client order id: a name may not be given to two orders of an account."""

from collections import deque
from typing import Any

from rules.book import Book
from rules.decisions import ACCEPTED, Decision, Explanation, Verdict
from rules.events import Event, Place, Replace
from rules.explanations import first_breach, look
from rules.reasons import RATE_LIMIT_REASONS, Reason
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import FLAG_TEST, SCOPE_ACCOUNT


class DuplicateClientOrderId(Rule):
    """A client order id must be unused among the account's orders the rulebook names.

    `open`: orders open, in flight or of unknown fate. `window`: also those accepted less than the
    window ago, whatever has become of them. `forever`: every order ever asked for, refused ones
    too, unless a rate limit or a check before the limits refused them.

    A replacement may not take the id of the order it replaces: that one is open until the engine
    has answered. Test orders are judged but not remembered.

    The ids of `forever` can't be forgotten, so their memory grows with every order; those of
    `window` are dropped as they leave it.
    """

    name = "duplicate_client_order_id"
    stage = LIMIT
    reasons = (Reason.DUPLICATE_CLIENT_ORDER_ID,)
    wants = (Place, Replace)
    applies = (Place, Replace)
    source = "Binance Spot API, New order: newClientOrderId; Upbit, New order: identifier"

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.duplicate_client_order_id
        self._forever = clause.among == "forever"
        self._window_ns = duration_ns(clause.window) if clause.among == "window" else 0
        self._ever: dict[int, set[str]] = {}
        self._recent: dict[tuple[int, str], int] = {}
        self._recent_order: deque[tuple[int, int, str]] = deque()
        """(accepted at, account, id), oldest first: the order in which `_recent` expires."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when the client order id is in use."""
        client_order_id = event.client_order_id
        if not client_order_id:
            return None
        account = book.account_of(event.key)
        if not self._used(account, client_order_id, book, now_ns):
            return None
        accepted_ns = self._recent.get((account, client_order_id))
        open_now = (account, client_order_id) in book.client_ids
        return first_breach(
            self.explain(event, book, now_ns),
            SCOPE_ACCOUNT,
            account,
            0 if accepted_ns is None or open_now else accepted_ns + self._window_ns,
        )

    def does_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether ids of orders that have ended are not remembered."""
        return not self._window_ns and not self._forever

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Remember the id of an order that was asked for."""
        if self._window_ns:
            self._forget(now_ns)
        elif not self._forever:
            return
        client_order_id = event.client_order_id or decision.client_order_id
        if not client_order_id or event.flags & FLAG_TEST:
            return
        account = book.account_of(event.key)
        if decision.verdict == ACCEPTED:
            if self._window_ns:
                self._recent[account, client_order_id] = now_ns
                self._recent_order.append((now_ns, account, client_order_id))
                return
        elif self._window_ns or not _reached_limits(decision):
            return
        self._ever.setdefault(account, set()).add(client_order_id)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return how many orders may have the id, and how many would."""
        client_order_id = event.client_order_id
        if not client_order_id:
            return ()
        used = self._used(book.account_of(event.key), client_order_id, book, now_ns)
        reason = Reason.DUPLICATE_CLIENT_ORDER_ID
        return (look(self.name, not used, reason, 1, 2 if used else 1, client_order_id),)

    def _used(self, account: int, client_order_id: str, book: Book, now_ns: int) -> bool:
        if (account, client_order_id) in book.client_ids:
            return True
        if self._forever:
            return client_order_id in self._ever.get(account, ())
        if self._window_ns:
            accepted_ns = self._recent.get((account, client_order_id))
            return accepted_ns is not None and now_ns - accepted_ns < self._window_ns
        return False

    def _forget(self, now_ns: int) -> None:
        """Drop the ids whose window has ended."""
        order = self._recent_order
        expired_ns = now_ns - self._window_ns
        while order and order[0][0] <= expired_ns:
            accepted_ns, account, client_order_id = order.popleft()
            if self._recent.get((account, client_order_id)) == accepted_ns:
                del self._recent[account, client_order_id]

    def state(self) -> Any:
        """Return the ids remembered: all of them by account, and the recent ones with their time."""
        return [
            [[account, sorted(ids)] for account, ids in sorted(self._ever.items())],
            [list(entry) for entry in self._recent_order],
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        ever, recent = state
        self._ever = {account: set(ids) for account, ids in ever}
        self._recent_order = deque(
            (accepted_ns, account, client_order_id)
            for accepted_ns, account, client_order_id in recent
        )
        self._recent = {
            (account, client_order_id): accepted_ns
            for accepted_ns, account, client_order_id in self._recent_order
        }


def _reached_limits(decision: Decision) -> bool:
    """Return whether a refused order was understood, authenticated and let through the gates."""
    if not decision.breaches:
        return False
    reason = decision.breaches[0].reason
    return Reason.PRICE_MIN <= reason < Reason.RULE_FAULT and reason not in RATE_LIMIT_REASONS
