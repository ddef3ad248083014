"""What the engine says: reports in its own gap-free sequence, and its trades."""

from collections import deque
from itertools import islice
from typing import Final

from gateway.engine.port import PublicTrade
from gateway.stub.book import StubOrder, SymbolBook
from rules.events import (
    BalanceAdjusted,
    Fill,
    MarketOrder,
    MarketTrade,
    OrderEnded,
    OrderReduced,
    OrderTrade,
    Report,
)
from rules.values import (
    BUY,
    CAUSE_ENGINE,
    CAUSE_SELF_TRADE,
    ENGINE_LOST,
    EXPIRED_IN_MATCH,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
)

TRADES_KEPT: Final = 100_000
"""Trades that can still be shown or annulled; older ones are forgotten."""


class TradeEntry:
    """One trade with what each side paid and received."""

    __slots__ = (
        "busted",
        "buy_account",
        "buy_commission_e8",
        "buy_order_id",
        "buyer_is_maker",
        "engine_ns",
        "price_e8",
        "quantity_e8",
        "quote_e8",
        "sell_account",
        "sell_commission_e8",
        "sell_order_id",
        "symbol",
        "trade_id",
    )

    def __init__(
        self,
        trade_id: int,
        symbol: int,
        price_e8: int,
        quantity_e8: int,
        quote_e8: int,
        engine_ns: int,
        buy: StubOrder,
        sell: StubOrder,
        buy_commission_e8: int,
        sell_commission_e8: int,
        buyer_is_maker: bool,
    ) -> None:
        self.trade_id = trade_id
        self.symbol = symbol
        self.price_e8 = price_e8
        self.quantity_e8 = quantity_e8
        self.quote_e8 = quote_e8
        self.engine_ns = engine_ns
        self.buy_order_id = buy.order_id
        self.sell_order_id = sell.order_id
        self.buy_account = buy.account
        self.sell_account = sell.account
        self.buy_commission_e8 = buy_commission_e8
        """In base asset."""
        self.sell_commission_e8 = sell_commission_e8
        """In quote asset."""
        self.buyer_is_maker = buyer_is_maker
        self.busted = False


class Tape:
    """Numbers and collects reports and trades.

    `owners` maps accounts to owners, for the drop copy of orders that came another way.
    """

    __slots__ = ("_reports", "_trades", "engine_seq", "last_trade_id", "owners")

    def __init__(self) -> None:
        self.engine_seq = 0
        self.last_trade_id = 0
        self.owners: dict[int, int] = {}
        self._reports: list[Report] = []
        self._trades: deque[TradeEntry] = deque(maxlen=TRADES_KEPT)

    def take(self) -> tuple[Report, ...]:
        """Return the reports since the last call, in sequence."""
        if not self._reports:
            return ()
        reports = tuple(self._reports)
        self._reports.clear()
        return reports

    def trade(self, entry: TradeEntry) -> None:
        """Keep a trade; its number must be the next one."""
        self.last_trade_id = entry.trade_id
        self._trades.append(entry)

    def kept(self) -> tuple[TradeEntry, ...]:
        """Return the trades that are still kept, oldest first."""
        return tuple(self._trades)

    def find_trade(self, trade_id: int) -> TradeEntry | None:
        """Return a trade that is still kept."""
        if not self._trades:
            return None
        place = trade_id - self._trades[0].trade_id
        return self._trades[place] if 0 <= place < len(self._trades) else None

    def trades_since(self, trade_id: int) -> list[PublicTrade]:
        """Return the public trades after `trade_id`, oldest first, as far as they are kept."""
        wanted = min(self.last_trade_id - trade_id, len(self._trades))
        if wanted <= 0:
            return []
        newest_first = islice(reversed(self._trades), wanted)
        trades = [
            PublicTrade(
                entry.symbol,
                entry.trade_id,
                entry.price_e8,
                entry.quantity_e8,
                entry.quote_e8,
                entry.engine_ns,
                entry.buyer_is_maker,
            )
            for entry in newest_first
        ]
        trades.reverse()
        return trades

    def maker_filled(self, maker: StubOrder, fill: Fill, now_ns: int) -> None:
        """Report the execution of a resting order."""
        if maker.channel:
            self.market_order(maker, resting_status(maker), now_ns)
            return
        self.engine_seq += 1
        self._reports.append(
            OrderTrade(self.engine_seq, now_ns, maker.order_id, fill, resting_status(maker))
        )

    def maker_expired(self, maker: StubOrder, prevented_e8: int, now_ns: int) -> None:
        """Report that self-trade prevention ended a resting order."""
        if maker.channel:
            self.market_order(maker, EXPIRED_IN_MATCH, now_ns)
            return
        self.engine_seq += 1
        self._reports.append(
            OrderEnded(
                self.engine_seq,
                now_ns,
                maker.order_id,
                EXPIRED_IN_MATCH,
                CAUSE_SELF_TRADE,
                maker.filled_e8,
                prevented_e8,
            )
        )

    def maker_reduced(self, maker: StubOrder, prevented_e8: int, now_ns: int) -> None:
        """Report that self-trade prevention took quantity off a resting order."""
        if maker.channel:
            self.market_order(maker, resting_status(maker), now_ns)
            return
        self.engine_seq += 1
        self._reports.append(
            OrderReduced(
                self.engine_seq,
                now_ns,
                maker.order_id,
                maker.quantity_e8,
                CAUSE_SELF_TRADE,
                prevented_e8,
            )
        )

    def lost(self, order_id: int, filled_e8: int, now_ns: int) -> None:
        """Report that an order a gate believes open is not, or not as the gate believes."""
        self.engine_seq += 1
        self._reports.append(
            OrderEnded(self.engine_seq, now_ns, order_id, ENGINE_LOST, CAUSE_ENGINE, filled_e8)
        )

    def market_order(self, order: StubOrder, status: int, now_ns: int) -> None:
        """Report the state of an order that came another way (drop copy)."""
        self.engine_seq += 1
        self._reports.append(
            MarketOrder(
                self.engine_seq,
                now_ns,
                order.symbol,
                order.order_id,
                order.account,
                self.owners.get(order.account, 0),
                order.channel,
                order.side,
                order.order_type,
                status,
                order.price_e8,
                order.quantity_e8,
                order.filled_e8,
            )
        )

    def market_trade(
        self, entry: TradeEntry, taker: StubOrder, maker: StubOrder, book: SymbolBook
    ) -> None:
        """Report a trade with a side that came another way (drop copy)."""
        buy, sell = (taker, maker) if taker.side == BUY else (maker, taker)
        self.engine_seq += 1
        self._reports.append(
            MarketTrade(
                self.engine_seq,
                entry.engine_ns,
                book.symbol,
                entry.trade_id,
                entry.price_e8,
                entry.quantity_e8,
                buy.order_id,
                sell.order_id,
                self.owners.get(buy.account, 0),
                self.owners.get(sell.account, 0),
                buy.channel,
                sell.channel,
                entry.buyer_is_maker,
            )
        )

    def adjusted(
        self, account: int, asset: int, delta_e8: int, note: str, now_ns: int
    ) -> BalanceAdjusted:
        """Report a change of an account's total that no order explains."""
        self.engine_seq += 1
        report = BalanceAdjusted(self.engine_seq, now_ns, account, asset, delta_e8, note)
        self._reports.append(report)
        return report

    def say(self, report: Report) -> None:
        """Put in a report that was made with the number `engine_seq + 1`."""
        assert report.engine_seq == self.engine_seq + 1, "engine reports are numbered without gap"
        self.engine_seq = report.engine_seq
        self._reports.append(report)


def resting_status(order: StubOrder) -> int:
    """Return the status of an order that rests or was just executed to its end."""
    if order.filled_e8 == 0:
        return NEW
    return FILLED if order.filled_e8 == order.quantity_e8 else PARTIALLY_FILLED
