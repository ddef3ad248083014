"""Who trades at high frequency: owners who send so many messages a second over the trading day.

A message is a new order, an amend or a cancel; a replacement is a cancel and an order, a cancel of
all orders is one message. The average is taken over the whole trading day, so an owner has reached
a rate as soon as the day's messages are as many as it needs: nothing that follows takes them back.
"""

from typing import Any, ClassVar, Final

from rules.book import Book
from rules.decisions import ACCEPTED, DEFERRED, Decision, Usage
from rules.deferred_cancels import NEVER_NS
from rules.events import (
    Amend,
    Cancel,
    CancelAll,
    Event,
    OwnerClassChanged,
    Place,
    Replace,
)
from rules.kinds import OWNER_CLASS_CHANGED, PLACE, REPLACE
from rules.patterns import time_of_day_ns
from rules.rule import LIMIT, Rule
from rules.rulebook import Rulebook
from rules.texts import read_decimal, read_duration
from rules.units import interval_label
from rules.values import (
    AUTH_OK,
    E8,
    FLAG_TEST,
    NS_PER_DAY,
    NS_PER_SECOND,
    OWNER_HIGH_FREQUENCY,
    OWNER_ORDINARY,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    split_pair,
)

_REPLACE_MESSAGES: Final = 2
_SENT: Final = (ACCEPTED, DEFERRED)


class OwnerClass(Rule):
    """Class owners as high-frequency by their messages; other rules ask for an owner's class.

    It never refuses. An owner is of the class from the message on that completes the number, and
    until `kept_days` trading days have gone by in which he did not reach it. Each change is an
    event of its own, so the class that holds is in the record. Who is a market maker is a matter of
    his agreement, and stands in the configuration of his account.

    Source: Delegated Regulation (EU) 2017/565 Art. 19(1): at least 2 messages a second on average
    in one instrument, or 4 in all; Art. 19(2): in instruments with a liquid market.
    """

    name: ClassVar[str] = "owner_class"
    stage: ClassVar[int] = LIMIT
    wants: ClassVar[tuple[type[Event], ...]] = ()
    applies: ClassVar[tuple[type[Event], ...]] = (
        Place,
        Cancel,
        CancelAll,
        Replace,
        Amend,
        OwnerClassChanged,
    )
    source: ClassVar[str] = "Delegated Regulation (EU) 2017/565 Art. 19(1) and (2)"
    discloses: ClassVar[bool] = True

    def __init__(self, rulebook: Rulebook) -> None:
        clause = rulebook.clauses.owner_class
        day_ns = read_duration(clause.trading_day)
        if not 0 < day_ns <= NS_PER_DAY:
            raise ValueError(f"trading_day `{clause.trading_day}` is not within one day")
        self.in_one = _messages("one_instrument", clause.one_instrument, day_ns)
        """So many messages in one instrument make the class."""
        self.in_all = _messages("all_instruments", clause.all_instruments, day_ns)
        """So many in all instruments do too."""
        self._offset_ns = time_of_day_ns(clause.session_starts)
        self._liquid = clause.symbols
        self._count_rejects = clause.count_rejects
        self._kept_days = clause.kept_days
        self._classes = clause.mode == "enforce"
        self._session = 0
        self._session_ends_ns = 0
        """When it ends, 0 before that is known."""
        self._counts: dict[int, dict[int, int]] = {}
        """Messages of the running session by owner, then by symbol; under 0 those in all."""
        self._reached: dict[int, int] = {}
        """The last session in which each high-frequency owner has reached a rate."""
        self._waiting: dict[int, tuple[int, int]] = {}
        """Owners who have reached a rate and are not classed yet: symbol (0: all), messages."""
        self._ends_ns = NEVER_NS
        """When the first of the classes ends, as far as is known now."""

    # --- Counting -----------------------------------------------------------------------------

    def apply(self, event: Any, decision: Decision, book: Book, now_ns: int) -> None:
        """Count a message of a client, or take up a change of class."""
        if type(event) is OWNER_CLASS_CHANGED:
            self._changed(event, now_ns)
            return
        if decision.verdict not in _SENT and not (self._count_rejects and event.auth == AUTH_OK):
            return
        account = book.holder_of(event.key)
        if account is None or not account.owner:
            return
        symbol: int = event.symbol
        kind = type(event)
        if kind is PLACE:
            if event.flags & FLAG_TEST:
                return
        else:
            if kind is REPLACE and event.flags & FLAG_TEST:
                return
            order = book.orders.get(decision.order_id)
            if order is not None:
                symbol = order.symbol
        if self._liquid:
            facts = book.symbols.get(symbol)
            if facts is None or facts.name not in self._liquid:
                return
        self._count(account.owner, symbol, _REPLACE_MESSAGES if kind is REPLACE else 1, now_ns)

    def _count(self, owner: int, symbol: int, messages: int, now_ns: int) -> None:
        if now_ns >= self._session_ends_ns:
            session = self._session_at(now_ns)
            self._session_ends_ns = (session + 1) * NS_PER_DAY + self._offset_ns
            if session > self._session:
                self._session = session
                self._counts = {}
        counts = self._counts.get(owner)
        if counts is None:
            counts = self._counts[owner] = {0: 0}
        in_all = counts[0] = counts[0] + messages
        in_one = 0
        if symbol:
            in_one = counts[symbol] = counts.get(symbol, 0) + messages
        if in_one < self.in_one and in_all < self.in_all:
            return
        if not self._classes or self._reached.get(owner) == self._session:
            return
        if in_one >= self.in_one:
            self._reaches(owner, symbol, in_one)
        else:
            self._reaches(owner, 0, in_all)

    def _reaches(self, owner: int, symbol: int, messages: int) -> None:
        """Note that an owner has reached a rate in the running session."""
        if owner not in self._reached:
            self._waiting[owner] = (symbol, messages)
        self._reached[owner] = self._session
        self._ends_ns = min(self._ends_ns, self._end_ns(owner))

    def _changed(self, event: OwnerClassChanged, now_ns: int) -> None:
        self._waiting.pop(event.owner, None)
        if event.owner_class == OWNER_HIGH_FREQUENCY:
            self._reached.setdefault(event.owner, self._session_at(now_ns))
        else:
            self._reached.pop(event.owner, None)
        self._find_end()

    # --- What is due --------------------------------------------------------------------------

    @property
    def due_ns(self) -> int:
        """When an owner's class changes next; 0: now."""
        if not self._classes:
            return NEVER_NS
        return 0 if self._waiting else self._ends_ns

    def due(self, book: Book, now_ns: int) -> Event | None:
        """Return the next change of class that is due, None when there is none."""
        if not self._classes:
            return None
        for owner, (symbol, messages) in self._waiting.items():
            return OwnerClassChanged(
                owner, OWNER_HIGH_FREQUENCY, symbol, messages, self._end_ns(owner)
            )
        while self._ends_ns <= now_ns:
            for owner in self._reached:
                if self._end_ns(owner) <= now_ns:
                    return OwnerClassChanged(owner, OWNER_ORDINARY)
            self._find_end()
        return None

    def _find_end(self) -> None:
        self._ends_ns = min(map(self._end_ns, self._reached), default=NEVER_NS)

    def _end_ns(self, owner: int) -> int:
        """Return when the class of an owner ends who does not reach a rate again."""
        return (self._reached[owner] + self._kept_days + 1) * NS_PER_DAY + self._offset_ns

    def _session_at(self, now_ns: int) -> int:
        return (now_ns - self._offset_ns) // NS_PER_DAY

    # --- Looking ------------------------------------------------------------------------------

    def usage(self, scope: int, subject: int, book: Book, now_ns: int) -> tuple[Usage, ...]:
        """Return an owner's messages of the day in all instruments, or in one, and what is high."""
        if scope == SCOPE_OWNER:
            owner, symbol, limit = subject, 0, self.in_all
        elif scope == SCOPE_OWNER_SYMBOL:
            owner, symbol = split_pair(subject)
            limit = self.in_one
        else:
            return ()
        session = self._session_at(now_ns)
        counts = self._counts.get(owner, {}) if session == self._session else {}
        ends_ns = (session + 1) * NS_PER_DAY + self._offset_ns
        used, label = counts.get(symbol, 0), interval_label(NS_PER_DAY)
        return (Usage(self.name, scope, subject, used, limit, NS_PER_DAY, ends_ns, label),)

    def state(self) -> Any:
        """Return the counts of the session, and who is of the class since when."""
        return {
            "session": self._session,
            "counts": [
                [owner, [list(one) for one in counts.items()]]
                for owner, counts in self._counts.items()
            ],
            "reached": [list(one) for one in self._reached.items()],
            "waiting": [[owner, *found] for owner, found in self._waiting.items()],
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        self._session = state["session"]
        self._session_ends_ns = 0
        self._counts = {owner: dict(counts) for owner, counts in state["counts"]}
        self._reached = dict(state["reached"])
        self._waiting = {owner: (symbol, messages) for owner, symbol, messages in state["waiting"]}
        self._find_end()


def _messages(name: str, rate: str, day_ns: int) -> int:
    """Return the messages that make an average rate over the trading day; raises ValueError."""
    rate_e8 = read_decimal(rate)
    if not rate_e8:
        raise ValueError(f"{name} `{rate}` would make everybody a high-frequency trader")
    return -(-rate_e8 * day_ns // (E8 * NS_PER_SECOND))
