"""Stop states of venue, symbol, owner, account and key: what may still be asked in each."""

from typing import Any, ClassVar, Final

from rules.book import Book, OpenOrder
from rules.decisions import ACCEPTED, Breach, Decision, Explanation, Usage, Verdict
from rules.events import ORDER_REQUESTS, Amend, Event, Place, Replace
from rules.kinds import AMEND, CANCEL, CANCEL_ALL, PLACE
from rules.reasons import Reason
from rules.recent import Recent
from rules.rule import GATE, Rule
from rules.rulebook import Rulebook
from rules.units import duration_ns
from rules.values import (
    FLAG_TEST,
    SCOPE_OWNER,
    SELL,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    STATE_NAMES,
    STATE_REDUCE_ONLY,
    STATE_SLOW,
)

_REASONS: Final = {
    STATE_REDUCE_ONLY: Reason.STATE_REDUCE_ONLY,
    STATE_CANCEL_ONLY: Reason.STATE_CANCEL_ONLY,
    STATE_KILLED: Reason.STATE_KILLED,
}


class StopState(Rule):
    """Refuse what the strictest stop state of all scopes of a request does not allow.

    | request | SLOW | REDUCE_ONLY | CANCEL_ONLY | KILLED |
    | --- | --- | --- | --- | --- |
    | new order, replacement | one each `slow_interval` and owner | only if it sells | no | no |
    | amend that only takes quantity off | yes | yes | yes | no |
    | any other amend | yes | only of a sell order | no | no |
    | cancel, cancel all | yes | yes | yes | no |

    On a spot market a sell gives up what is held already, so it reduces. A KILLED scope's cancels
    are refused because the gate is cancelling its orders itself. Queries are never refused. Source:
    RTS 6 (2017/589) Art. 12, RTS 7 (2017/584) Art. 18(2); FIA, Best Practices for Automated Trading
    Risk Controls (2024), 1.5; Eurex advanced risk protection (slow-down).
    """

    name: ClassVar[str] = "stop_state"
    stage: ClassVar[int] = GATE
    reasons: ClassVar[tuple[Reason, ...]] = (
        Reason.STATE_KILLED,
        Reason.STATE_CANCEL_ONLY,
        Reason.STATE_REDUCE_ONLY,
        Reason.STATE_SLOW,
    )
    wants: ClassVar[tuple[type[Event], ...]] = ORDER_REQUESTS
    applies: ClassVar[tuple[type[Event], ...]] = (Place, Replace)
    heeds_refused: ClassVar[bool] = False
    source: ClassVar[str] = "RTS 6 (2017/589) Art. 12; RTS 7 (2017/584) Art. 18(2)"

    def __init__(self, rulebook: Rulebook) -> None:
        self._slow_interval_ns = duration_ns(rulebook.clauses.stop_state.slow_interval)
        self._slowed = Recent(self._slow_interval_ns)
        """Time of the last new order accepted in state SLOW, by owner."""

    def check(self, event: Any, book: Book, now_ns: int) -> Verdict | None:
        """Return a breach when a stop state does not allow the request."""
        if not book.states:
            return None
        owner, state, scope, subject = self._find(event, book)
        if state == STATE_ACTIVE or self._allows(state, event, book, owner, now_ns):
            return None
        if state == STATE_SLOW:
            last_ns = self._last_ns(owner)
            return Breach(
                rule=self.name,
                reason=Reason.STATE_SLOW,
                limit=self._slow_interval_ns,
                observed=now_ns - last_ns,
                retry_ns=last_ns + self._slow_interval_ns,
                scope=SCOPE_OWNER,
                subject=owner,
                detail=STATE_NAMES[state],
            )
        return Breach(
            rule=self.name,
            reason=_REASONS[state],
            limit=_strictest_allowed(event, book),
            observed=state,
            scope=scope,
            subject=subject,
            detail=STATE_NAMES[state],
        )

    def says_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether no stop state is set."""
        return not book.states

    def does_nothing(self, kind: type[Event], book: Book) -> bool:
        """Return whether no stop state is set."""
        return not book.states

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Note the time of a new order accepted in state SLOW; a test order leaves no trace."""
        if not book.states or decision.verdict != ACCEPTED or event.flags & FLAG_TEST:
            return
        owner, state, _, _ = self._find(event, book)
        if state == STATE_SLOW:
            self._slowed.put(owner, (now_ns,), now_ns)

    def explain(self, event: Any, book: Book, now_ns: int) -> tuple[Explanation, ...]:
        """Return the strictest state the request may pass in and the state found.

        For a new order in SLOW: the least time between two of them, and the time since the last.
        """
        breach = self.check(event, book, now_ns)
        if isinstance(breach, Breach):
            return (
                Explanation(
                    self.name, False, breach.reason, breach.limit, breach.observed, breach.detail
                ),
            )
        owner, state, _, _ = self._find(event, book)
        last_ns = self._last_ns(owner)
        if state == STATE_SLOW and type(event) in (Place, Replace) and last_ns:
            limit, observed = self._slow_interval_ns, now_ns - last_ns
        else:
            limit, observed = _strictest_allowed(event, book), state
        return (Explanation(self.name, True, None, limit, observed, STATE_NAMES[state]),)

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return, of an owner slowed down, the one new order of the current interval."""
        last_ns = self._last_ns(subject) if scope == SCOPE_OWNER else 0
        free_ns = last_ns + self._slow_interval_ns
        if not last_ns or now_ns >= free_ns:
            return ()
        return (Usage(self.name, scope, subject, 1, 1, self._slow_interval_ns, free_ns, "SLOW"),)

    def state(self) -> Any:
        """Return when slowed owners placed their last orders; the states are the book's."""
        return self._slowed.state()

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._slowed.restore(state)

    def _find(self, event: Any, book: Book) -> tuple[int, int, int, int]:
        """Return the owner, and the strictest state with its scope and subject."""
        account = book.account_of(event.key)
        facts = book.accounts.get(account)
        owner = facts.owner if facts is not None else 0
        symbol = event.symbol
        if symbol == 0 and type(event) is not CANCEL_ALL:
            order = _order_of(event, book)
            symbol = order.symbol if order is not None else 0
        state, scope, subject = book.stop_state(owner, account, event.key, symbol)
        return owner, state, scope, subject

    def _allows(self, state: int, event: Any, book: Book, owner: int, now_ns: int) -> bool:
        if state == STATE_SLOW and type(event) in (Place, Replace):
            last_ns = self._last_ns(owner)
            return not last_ns or now_ns - last_ns >= self._slow_interval_ns
        return state <= _strictest_allowed(event, book)

    def _last_ns(self, owner: int) -> int:
        """Return when an owner's last order in state SLOW was accepted, 0 when long ago."""
        found = self._slowed.get(owner)
        return found[0] if found is not None else 0


def _strictest_allowed(event: Any, book: Book) -> int:
    """Return the strictest state in which the request may still pass."""
    kind = type(event)
    if kind is CANCEL or kind is CANCEL_ALL:
        return STATE_CANCEL_ONLY
    if kind is not AMEND:
        return STATE_REDUCE_ONLY if event.side == SELL else STATE_SLOW
    order = _order_of(event, book)
    if order is None:
        return STATE_SLOW
    if _only_takes_off(event, order):
        return STATE_CANCEL_ONLY
    return STATE_REDUCE_ONLY if order.side == SELL else STATE_SLOW


def _order_of(event: Any, book: Book) -> OpenOrder | None:
    """Return the open order that a cancel, amend or replacement names, None when there is none."""
    if type(event) is PLACE:
        return None
    return book.find_order(
        book.account_of(event.key), event.symbol, event.order_id, event.orig_client_order_id
    )


def _only_takes_off(event: Amend, order: OpenOrder) -> bool:
    """Return whether an amend leaves the price and lowers the quantity."""
    return event.price_e8 in (0, order.price_e8) and 0 < event.quantity_e8 < order.quantity_e8
