"""Cancels that came before their order was old enough, and are held until it is.

One cancel is held for each order. It ends with its order, or when the gate itself cancels the order
(a kill does not wait), or when the restriction its client gave does not hold any more; a cancel the
engine has not carried out is tried again.

When a cancel is to be looked at next is an index over what is held, not part of the state: whoever
looks makes sure that the order is old enough, and puts off what is not.
"""

from heapq import heapify, heappop, heappush
from typing import Any, Final, NamedTuple

from rules.values import INT63_MAX, NS_PER_SECOND, RESTRICT_NONE

NEVER_NS: Final = INT63_MAX
"""A time that does not come by itself."""
RETRY_NS: Final = NS_PER_SECOND
"""After so long a cancel is tried again that the engine has not carried out."""


class HeldCancel(NamedTuple):
    """One cancel that is held."""

    order_id: int
    symbol: int
    asked_seq: int
    """The request it was asked for with."""
    asked_ns: int
    minimum_ns: int
    """The age its order must have: what was in force when it was asked for."""
    restriction: int
    """Status the order must have for it (`RESTRICT_*`)."""


class DeferredCancels:
    """The cancels that are held, by order.

    `due_ns` is the earliest time at which one of them is to be looked at.
    """

    __slots__ = ("_due", "_held", "_queue", "due_ns")

    def __init__(self) -> None:
        self.due_ns = NEVER_NS
        self._held: dict[int, HeldCancel] = {}
        self._due: dict[int, int] = {}
        """When the cancel of each order is to be looked at, for those that have such a time."""
        self._queue: list[tuple[int, int, int]] = []
        """(due, asked_seq, order) as a heap; an entry that `_due` does not bear out is stale."""

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, order_id: int) -> bool:
        return order_id in self._held

    def get(self, order_id: int) -> HeldCancel | None:
        """Return the cancel held for an order, None when there is none."""
        return self._held.get(order_id)

    def asked_with(self, seq: int, order_ids: tuple[int, ...]) -> tuple[int, ...]:
        """Return those orders whose cancel is held since request `seq`, and not from before."""
        return tuple(
            order_id
            for order_id in order_ids
            if order_id in self._held and self._held[order_id].asked_seq == seq
        )

    def hold(self, cancel: HeldCancel, due_ns: int) -> None:
        """Hold a cancel until it is looked at at `due_ns`; the first one for an order counts.

        Where a later one is for another status of the order, or for any, the one held is for any:
        whichever the order is in by then, one of the two means it.
        """
        held = self._held.get(cancel.order_id)
        if held is None:
            self._held[cancel.order_id] = cancel
            self.put_off(cancel.order_id, due_ns)
        elif held.restriction not in (RESTRICT_NONE, cancel.restriction):
            self._held[cancel.order_id] = held._replace(restriction=RESTRICT_NONE)

    def drop(self, order_id: int) -> None:
        """Forget the cancel of an order, if one is held."""
        if self._held.pop(order_id, None) is not None:
            self._due.pop(order_id, None)
            self._settle()

    def put_off(self, order_id: int, due_ns: int) -> None:
        """Have a held cancel looked at at `due_ns`, and not before; `NEVER_NS`: not by itself."""
        held = self._held.get(order_id)
        if held is None:
            return
        if due_ns == NEVER_NS:
            self._due.pop(order_id, None)
        else:
            self._due[order_id] = due_ns
            heappush(self._queue, (due_ns, held.asked_seq, order_id))
        self._settle()

    def look_again(self, symbol: int = 0) -> None:
        """Have the cancels of a symbol's orders, or (0) all, looked at that have no time."""
        for held in self._held.values():
            if symbol in (0, held.symbol):
                self._due.setdefault(held.order_id, 0)
        self._index()

    def first(self) -> HeldCancel | None:
        """Return the cancel that is to be looked at first, None when none has a time."""
        return self._held[self._queue[0][2]] if self._queue else None

    def _settle(self) -> None:
        """Take stale entries off the front, so that the first one is what is due first."""
        queue, due = self._queue, self._due
        while queue and due.get(queue[0][2]) != queue[0][0]:
            heappop(queue)
        self.due_ns = queue[0][0] if queue else NEVER_NS
        if len(queue) > 2 * len(due) + 64:
            self._index()

    def _index(self) -> None:
        """Make the queue anew from what is due."""
        self._queue = [
            (due_ns, self._held[order_id].asked_seq, order_id)
            for order_id, due_ns in self._due.items()
        ]
        heapify(self._queue)
        self.due_ns = self._queue[0][0] if self._queue else NEVER_NS

    def state(self) -> Any:
        """Return what is held, as plain values."""
        return [list(held) for held in self._held.values()]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned; nothing is looked at before `look_again`.

        An engine that comes, or comes back, has everything looked at again.
        """
        self._held = {values[0]: HeldCancel(*values) for values in state}
        self._due = {}
        self._index()
