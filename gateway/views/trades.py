"""Trades of each account, the newest kept."""

from collections import OrderedDict, deque
from typing import Final

import msgspec

TRADES_PER_ACCOUNT: Final = 10_000
TRADES_TOTAL: Final = 1_000_000
"""Trades kept over all accounts; the oldest go first."""


class AccountTrade(msgspec.Struct, frozen=True, gc=False):
    """One execution as one account saw it."""

    trade_id: int
    order_id: int
    account: int
    symbol: int
    price_e8: int
    quantity_e8: int
    quote_e8: int
    """Price times quantity, in quote asset."""
    commission_e8: int
    commission_asset: int
    time_ns: int
    """The engine's time of the execution."""
    is_buyer: bool
    is_maker: bool


class TradesView:
    """Trades by account, in the order in which the engine reported them."""

    def __init__(self, per_account: int = TRADES_PER_ACCOUNT, total: int = TRADES_TOTAL) -> None:
        self._per_account = per_account
        self._total = total
        self._by_account: dict[int, deque[AccountTrade]] = {}
        self._all: OrderedDict[tuple[int, int], AccountTrade] = OrderedDict()
        """By (trade id, order id): in a trade of an account with itself both sides are kept."""

    def add(self, trade: AccountTrade) -> None:
        """Take up one trade; beyond a bound the oldest is dropped."""
        kept = self._by_account.get(trade.account)
        if kept is None:
            kept = self._by_account[trade.account] = deque()
        kept.append(trade)
        self._all[trade.trade_id, trade.order_id] = trade
        if len(kept) > self._per_account:
            oldest = kept.popleft()
            del self._all[oldest.trade_id, oldest.order_id]
        elif len(self._all) > self._total:
            _, oldest = self._all.popitem(last=False)
            self._by_account[oldest.account].popleft()

    def bust(self, trade_id: int, order_id: int) -> AccountTrade | None:
        """Remove one side of an annulled trade and return it, None when it is not kept."""
        trade = self._all.pop((trade_id, order_id), None)
        if trade is not None:
            self._by_account[trade.account].remove(trade)
        return trade

    def of_account(
        self,
        account: int,
        symbol: int = 0,
        order_id: int = 0,
        from_trade_id: int = 0,
        start_ns: int = 0,
        end_ns: int = 0,
        limit: int = 500,
    ) -> list[AccountTrade]:
        """Return up to `limit` trades, oldest first; 0 leaves a condition out.

        With `from_trade_id` or `start_ns` these are the first from there on, else the latest.
        Times are inclusive.
        """
        found = [
            trade
            for trade in self._by_account.get(account, ())
            if (not symbol or trade.symbol == symbol)
            and (not order_id or trade.order_id == order_id)
            and trade.trade_id >= from_trade_id
            and trade.time_ns >= start_ns
            and (not end_ns or trade.time_ns <= end_ns)
        ]
        if symbol:
            # A maker's report can follow a taker's result of the same account.
            found.sort(key=_trade_id)
        if from_trade_id or start_ns:
            return found[:limit]
        return found[-limit:] if limit else []


def _trade_id(trade: AccountTrade) -> int:
    return trade.trade_id
