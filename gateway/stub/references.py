"""References of all symbols, conflated: rarely enough to be recorded, often enough to be used."""

from typing import Final

from gateway.stub.exchange import MatchingExchange
from rules.events import Reference
from rules.values import NS_PER_MS, NS_PER_SECOND

INTERVAL_NS: Final = 100 * NS_PER_MS
"""References are looked for no more often than this."""
CONFIRM_NS: Final = 30 * NS_PER_SECOND
"""A two-sided market that stands still is confirmed this often, so that it is not taken for a
dead one: rules stop using best prices that nobody reported for a minute."""


class ReferenceFeed:
    """Tells which references are due.

    `levels` is how many levels of each side a reference carries; `next_ns` is when to ask again.
    """

    __slots__ = ("_exchange", "_levels", "_sent", "_update_ids", "next_ns")

    def __init__(self, exchange: MatchingExchange, levels: int = 0) -> None:
        self._exchange = exchange
        self._levels = levels
        self._sent: dict[int, Reference] = {}
        self._update_ids: dict[int, int] = {}
        self.next_ns = 0

    def poll(self, now_ns: int) -> list[Reference]:
        """Return the references that changed since they were last returned; none before due."""
        if now_ns < self.next_ns:
            return []
        self.next_ns = now_ns + INTERVAL_NS
        due: list[Reference] = []
        for symbol in self._exchange.symbols:
            sent = self._sent.get(symbol)
            update_id = self._exchange.update_id(symbol)
            confirms = (
                sent is not None
                and sent.bid_e8 != 0
                and sent.ask_e8 != 0
                and now_ns - sent.engine_ns >= CONFIRM_NS
            )
            if self._update_ids.get(symbol, 0) == update_id and not confirms:
                continue
            self._update_ids[symbol] = update_id
            reference = self._exchange.reference(symbol, self._levels, now_ns)
            if confirms or sent is None or _differs(reference, sent):
                self._sent[symbol] = reference
                due.append(reference)
        return due


def _differs(one: Reference, other: Reference) -> bool:
    return (
        one.last_ns != other.last_ns
        or one.last_e8 != other.last_e8
        or one.bid_e8 != other.bid_e8
        or one.ask_e8 != other.ask_e8
        or one.bid_quantity_e8 != other.bid_quantity_e8
        or one.ask_quantity_e8 != other.ask_quantity_e8
        or one.bids != other.bids
        or one.asks != other.asks
    )
