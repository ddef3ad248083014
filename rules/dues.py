"""What time brings: deferred cancels whose order is old enough, and changes of an owner's class.

Whoever runs the pipeline asks here before each event and submits what is due like any other event,
with a record of its own. A replay does not ask: it finds these events in the record.
"""

from rules.book import Book
from rules.conduct.owner_class import OwnerClass
from rules.deferred_cancels import NEVER_NS, HeldCancel
from rules.events import BulkCancel, Event
from rules.values import CAUSE_CLIENT, SCOPE_ORDER


class Dues:
    """The events that are due by themselves; looking changes nothing that is decided by."""

    __slots__ = ("_book", "_classes")

    def __init__(self, book: Book, classes: OwnerClass | None) -> None:
        self._book = book
        self._classes = classes

    @property
    def due_ns(self) -> int:
        """When to ask next; a time that does not come while nothing is waiting."""
        deferred_ns = self._book.deferred.due_ns
        if self._classes is None:
            return deferred_ns
        return min(deferred_ns, self._classes.due_ns)

    def next(self, now_ns: int) -> Event | None:
        """Return the next event that is due at `now_ns`, None when there is none.

        The caller has it decided before asking again.
        """
        if self._classes is not None and self._classes.due_ns <= now_ns:
            change = self._classes.due(self._book, now_ns)
            if change is not None:
                return change
        deferred = self._book.deferred
        while deferred.due_ns <= now_ns:
            held = deferred.first()
            assert held is not None, "a time is due and nothing is held"
            due_ns = self._due_ns(held, now_ns)
            if due_ns <= now_ns:
                return BulkCancel(
                    SCOPE_ORDER, held.order_id, 0, CAUSE_CLIENT, held.asked_seq, held.restriction
                )
            deferred.put_off(held.order_id, due_ns)
        return None

    def _due_ns(self, held: HeldCancel, now_ns: int) -> int:
        """Return when a held cancel can be carried out, as far as that is known now."""
        book = self._book
        order = book.orders[held.order_id]
        if order.cancel_cause or not book.engine_connected:
            # Looked at again when the cancel under way has failed, or the engine is back.
            return NEVER_NS
        remaining_ns = held.minimum_ns - book.matchable_age_ns(order, now_ns)
        if remaining_ns > 0 and book.symbols[order.symbol].halted_since_ns:
            return NEVER_NS
        return now_ns + max(remaining_ns, 0)
