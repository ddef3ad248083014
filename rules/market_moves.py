"""When the middle of each symbol's market last went up and down by at least a tick."""

from typing import Any

from rules.book import SymbolFacts
from rules.values import BUY, SELL


class MarketMoves:
    """Follows the middle of best bid and offer, or the last price where a side is empty.

    A move counts from where the one before it ended, so a slow drift adds up to moves as well.
    """

    __slots__ = ("_anchors", "_moves")

    def __init__(self) -> None:
        self._anchors: dict[int, int] = {}
        """Twice the middle after the last move, by symbol."""
        self._moves: dict[tuple[int, int], tuple[int, int]] = {}
        """(time, record) of the last move by symbol and direction: BUY is up, SELL is down."""

    def refer(self, facts: SymbolFacts, seq: int, now_ns: int) -> None:
        """Take up the best prices as they were just reported."""
        if facts.bid_e8 and facts.ask_e8:
            middle = facts.bid_e8 + facts.ask_e8
        else:
            middle = 2 * facts.last_e8
        if not middle:
            return
        anchor = self._anchors.setdefault(facts.symbol, middle)
        if abs(middle - anchor) >= 2 * (facts.filters.tick_e8 or 1):
            self._anchors[facts.symbol] = middle
            direction = BUY if middle > anchor else SELL
            self._moves[facts.symbol, direction] = (now_ns, seq)

    def last(self, symbol: int, direction: int) -> tuple[int, int]:
        """Return (time, record) of the last move up (BUY) or down (SELL), zeros for none."""
        return self._moves.get((symbol, direction), (0, 0))

    def state(self) -> Any:
        """Return everything as plain values."""
        return [
            [[symbol, str(anchor)] for symbol, anchor in self._anchors.items()],
            [[*key, *move] for key, move in self._moves.items()],
        ]

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        anchors, moves = state
        self._anchors = {symbol: int(anchor) for symbol, anchor in anchors}
        self._moves = {(symbol, side): (now_ns, seq) for symbol, side, now_ns, seq in moves}
