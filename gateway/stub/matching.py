"""Matching one order against the other side of its book.

Price-time priority: the best price first, at one price the order that came first. A trade is made
at the resting order's price. The taker's self-trade prevention mode decides what happens when it
meets an order of its own account or group. The quote amount of a trade is rounded down to 1e-8,
commissions are rounded up.
"""

from typing import Final

from gateway.stub.accounts import Ledger, commission_e8
from gateway.stub.book import StubOrder, SymbolBook
from gateway.stub.tape import Tape, TradeEntry
from rules.events import Fill
from rules.values import (
    BUY,
    E8,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    INT63_MAX,
    STP_NONE,
    TRANSFER,
)

# How matching ended.
DONE: Final = 1
"""Nothing is left of the order, or its quote amount buys no further lot."""
NO_LIQUIDITY: Final = 2
"""The other side has nothing more at an allowed price."""
SELF_TRADE: Final = 3
"""Self-trade prevention ended the order."""

TOO_MANY_TRADES: Final = 4
"""The order has had `TRADES_MAX` trades."""

TRADES_MAX: Final = 50_000
"""Trades of one order in one go. What is left of it expires, so that a result has a bounded size: it
is one message to the gate and one record there."""
UNLIMITED_KEY: Final = -INT63_MAX - 1
"""The key limit of an order that takes any price."""


def limit_key(side: int, price_e8: int) -> int:
    """Return the key the other side's levels must reach; price 0 allows any."""
    if not price_e8:
        return UNLIMITED_KEY
    return -price_e8 if side == BUY else price_e8


def lock_need_e8(side: int, price_e8: int, quantity_e8: int) -> int:
    """Return what a resting order must hold: quote asset for a buy, base asset for a sell."""
    return -(-price_e8 * quantity_e8 // E8) if side == BUY else quantity_e8


def relock(order: StubOrder) -> None:
    """Give back to the holding what the order's open quantity no longer needs."""
    need_e8 = lock_need_e8(order.side, order.price_e8, order.quantity_e8 - order.filled_e8)
    released_e8 = order.locked_e8 - need_e8
    holding = order.locked_in
    assert holding is not None, f"order {order.order_id} rests without a lock"
    order.locked_e8 = need_e8
    holding.locked_e8 -= released_e8
    holding.free_e8 += released_e8


def release(order: StubOrder) -> None:
    """Give back to the holding everything the order holds."""
    holding = order.locked_in
    assert holding is not None, f"order {order.order_id} rests without a lock"
    holding.locked_e8 -= order.locked_e8
    holding.free_e8 += order.locked_e8
    order.locked_e8 = 0


def same_party(taker: StubOrder, maker: StubOrder) -> bool:
    """Tell whether a trade of the two would be a self-trade."""
    return taker.account == maker.account or (
        taker.stp_group != 0 and taker.stp_group == maker.stp_group
    )


def lot_e8(
    available_e8: int, price_e8: int, left_e8: int, amount_e8: int, filled_e8: int, step_e8: int
) -> int:
    """Return how much to take of a resting order.

    `amount_e8` is what is left of the quote amount, -1 for an order given by its quantity, of
    which `left_e8` is left. Where the quote amount is what limits, the total executed is rounded
    down to the lot step; 0 then means that the amount buys no further lot.
    """
    if amount_e8 < 0:
        return min(available_e8, left_e8)
    affordable_e8 = amount_e8 * E8 // price_e8
    if affordable_e8 >= available_e8:
        return available_e8
    return max((filled_e8 + affordable_e8) // step_e8 * step_e8 - filled_e8, 0)


def survey(
    book: SymbolBook, taker: StubOrder, limit: int, amount_e8: int = -1
) -> tuple[int, int, int]:
    """Return (executed quantity, base moved, quote moved) if the order were matched now.

    Changes nothing. Orders that self-trade prevention would remove are not liquidity. What moves
    without execution is a TRANSFER between accounts of one group.
    """
    left_e8 = taker.quantity_e8 - taker.filled_e8
    mode = taker.stp_mode
    executed_e8 = base_e8 = quote_e8 = trades = 0
    for level in book.opposite(taker.side).best_first():
        if level.key < limit:
            break
        maker = level.first
        while maker is not None:
            prevented = mode != STP_NONE and same_party(taker, maker)
            if prevented and mode in (EXPIRE_TAKER, EXPIRE_BOTH):
                return executed_e8, base_e8, quote_e8
            if prevented and mode == EXPIRE_MAKER:
                maker = maker.following
                continue
            size_e8 = lot_e8(
                maker.quantity_e8 - maker.filled_e8,
                level.price_e8,
                left_e8,
                amount_e8,
                taker.filled_e8 + executed_e8,
                book.lot_step_e8,
            )
            if not size_e8 or trades == TRADES_MAX:
                return executed_e8, base_e8, quote_e8
            trades += 1
            worth_e8 = level.price_e8 * size_e8 // E8
            if not prevented or transfers(taker, maker):
                base_e8 += size_e8
                quote_e8 += worth_e8
            if not prevented:
                executed_e8 += size_e8
            left_e8 -= size_e8
            if amount_e8 >= 0:
                if size_e8 < maker.quantity_e8 - maker.filled_e8:
                    return executed_e8, base_e8, quote_e8
                amount_e8 -= worth_e8
            maker = maker.following
    return executed_e8, base_e8, quote_e8


def transfers(taker: StubOrder, maker: StubOrder) -> bool:
    """Tell whether a prevented trade moves the assets between two accounts of one group.

    TRANSFER does so when both orders ask for it; in one account it works as DECREMENT.
    """
    return (
        taker.stp_mode == TRANSFER and maker.stp_mode == TRANSFER and taker.account != maker.account
    )


class Matcher:
    """Matches orders and settles their trades in the ledger and on the tape."""

    __slots__ = ("_ledger", "_orders", "_tape")

    def __init__(self, ledger: Ledger, tape: Tape, orders: dict[int, StubOrder]) -> None:
        self._ledger = ledger
        self._tape = tape
        self._orders = orders
        """Resting orders by id; makers that end leave it."""

    def match(
        self,
        book: SymbolBook,
        taker: StubOrder,
        limit: int,
        amount_e8: int,
        fills: list[Fill],
        now_ns: int,
    ) -> int:
        """Match `taker` as far as the key `limit` allows; append its fills and return the end.

        `amount_e8` is the quote amount of an order given by it, else -1.
        """
        side = book.opposite(taker.side)
        prevents = taker.stp_mode != STP_NONE
        while True:
            left_e8 = taker.quantity_e8 - taker.filled_e8
            if not (left_e8 if amount_e8 < 0 else amount_e8):
                return DONE
            level = side.best
            if level is None or level.key < limit:
                return NO_LIQUIDITY
            maker = level.first
            assert maker is not None, f"level {level.price_e8} is empty"
            prevented = prevents and same_party(taker, maker)
            if prevented and taker.stp_mode in (EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH):
                if taker.stp_mode != EXPIRE_TAKER:
                    self._expire_maker(book, maker, now_ns)
                if taker.stp_mode != EXPIRE_MAKER:
                    taker.prevented_e8 += left_e8 if amount_e8 < 0 else 0
                    return SELF_TRADE
                continue
            size_e8 = lot_e8(
                maker.quantity_e8 - maker.filled_e8,
                level.price_e8,
                left_e8,
                amount_e8,
                taker.filled_e8,
                book.lot_step_e8,
            )
            if not size_e8:
                return DONE
            if len(fills) == TRADES_MAX:
                return TOO_MANY_TRADES
            quote_e8 = level.price_e8 * size_e8 // E8
            if amount_e8 >= 0:
                # What no longer buys all that is offered has bought what it can. The trade's worth
                # is rounded down, to nothing even, and would seem to leave something for another.
                whole = size_e8 == maker.quantity_e8 - maker.filled_e8
                amount_e8 = amount_e8 - quote_e8 if whole else 0
            book.update_id += 1
            if prevented:
                self._decrement(book, taker, maker, size_e8, quote_e8, now_ns)
                if amount_e8 < 0 and taker.quantity_e8 == taker.filled_e8:
                    return SELF_TRADE
            else:
                fills.append(self._trade(book, taker, maker, size_e8, quote_e8, now_ns))

    def _expire_maker(self, book: SymbolBook, maker: StubOrder, now_ns: int) -> None:
        left_e8 = maker.quantity_e8 - maker.filled_e8
        maker.prevented_e8 += left_e8
        book.update_id += 1
        self._drop(book, maker)
        self._tape.maker_expired(maker, left_e8, now_ns)

    def _drop(self, book: SymbolBook, maker: StubOrder) -> None:
        book.side(maker.side).remove(maker)
        release(maker)
        del self._orders[maker.order_id]

    def _decrement(
        self,
        book: SymbolBook,
        taker: StubOrder,
        maker: StubOrder,
        size_e8: int,
        quote_e8: int,
        now_ns: int,
    ) -> None:
        """Take the matched quantity off both orders instead of trading it."""
        taker.prevented_e8 += size_e8
        if taker.quantity_e8:
            taker.quantity_e8 -= size_e8
        maker.prevented_e8 += size_e8
        if size_e8 == maker.quantity_e8 - maker.filled_e8:
            self._drop(book, maker)
            self._tape.maker_expired(maker, size_e8, now_ns)
        else:
            level = maker.level
            assert level is not None, f"order {maker.order_id} does not rest in the book"
            level.quantity_e8 -= size_e8
            maker.quantity_e8 -= size_e8
            relock(maker)
            self._tape.maker_reduced(maker, size_e8, now_ns)
        if transfers(taker, maker):
            self._transfer(book, taker, maker, size_e8, quote_e8, now_ns)

    def _transfer(
        self,
        book: SymbolBook,
        taker: StubOrder,
        maker: StubOrder,
        size_e8: int,
        quote_e8: int,
        now_ns: int,
    ) -> None:
        buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
        note = f"transfer instead of a self-trade of orders {buyer.order_id} and {seller.order_id}"
        for account, asset, delta_e8 in (
            (seller.account, book.base_asset, -size_e8),
            (buyer.account, book.base_asset, size_e8),
            (buyer.account, book.quote_asset, -quote_e8),
            (seller.account, book.quote_asset, quote_e8),
        ):
            self._ledger.holdings[account, asset].free_e8 += delta_e8
            self._tape.adjusted(account, asset, delta_e8, note, now_ns)

    def _trade(
        self,
        book: SymbolBook,
        taker: StubOrder,
        maker: StubOrder,
        size_e8: int,
        quote_e8: int,
        now_ns: int,
    ) -> Fill:
        """Trade at the maker's price; settle, report the maker, return the taker's fill."""
        level = maker.level
        assert level is not None, f"order {maker.order_id} does not rest in the book"
        price_e8 = level.price_e8
        maker.filled_e8 += size_e8
        taker.filled_e8 += size_e8
        level.quantity_e8 -= size_e8
        relock(maker)
        if maker.filled_e8 == maker.quantity_e8:
            book.side(maker.side).remove(maker)
            del self._orders[maker.order_id]
        book.last_e8 = price_e8
        book.last_ns = now_ns
        buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
        buy_commission_e8, sell_commission_e8 = self._settle(
            book, buyer.account, seller.account, size_e8, quote_e8, buyer is maker
        )
        trade_id = self._tape.last_trade_id + 1
        entry = TradeEntry(
            trade_id,
            book.symbol,
            price_e8,
            size_e8,
            quote_e8,
            now_ns,
            buyer,
            seller,
            buy_commission_e8,
            sell_commission_e8,
            buyer is maker,
        )
        self._tape.trade(entry)
        self._tape.maker_filled(maker, fill_of(entry, book, maker, taker, True), now_ns)
        if taker.channel or maker.channel:
            self._tape.market_trade(entry, taker, maker, book)
        return fill_of(entry, book, taker, maker, False)

    def _settle(
        self,
        book: SymbolBook,
        buyer: int,
        seller: int,
        size_e8: int,
        quote_e8: int,
        buyer_is_maker: bool,
    ) -> tuple[int, int]:
        """Exchange base and quote of two accounts; return the commissions of buyer and seller."""
        maker_ppm, taker_ppm = book.maker_commission_ppm, book.taker_commission_ppm
        buyer_ppm, seller_ppm = (maker_ppm, taker_ppm) if buyer_is_maker else (taker_ppm, maker_ppm)
        buy_commission_e8 = commission_e8(size_e8, buyer_ppm)
        sell_commission_e8 = commission_e8(quote_e8, seller_ppm)
        holdings = self._ledger.holdings
        holdings[buyer, book.base_asset].free_e8 += size_e8 - buy_commission_e8
        holdings[buyer, book.quote_asset].free_e8 -= quote_e8
        holdings[seller, book.base_asset].free_e8 -= size_e8
        holdings[seller, book.quote_asset].free_e8 += quote_e8 - sell_commission_e8
        if buy_commission_e8:
            self._ledger.collect(book.base_asset, buy_commission_e8)
        if sell_commission_e8:
            self._ledger.collect(book.quote_asset, sell_commission_e8)
        return buy_commission_e8, sell_commission_e8


def fill_of(
    entry: TradeEntry, book: SymbolBook, own: StubOrder, counter: StubOrder, maker: bool
) -> Fill:
    """Return a trade as the side of `own` sees it."""
    buys = own.side == BUY
    return Fill(
        entry.trade_id,
        entry.price_e8,
        entry.quantity_e8,
        entry.quote_e8,
        entry.buy_commission_e8 if buys else entry.sell_commission_e8,
        book.base_asset if buys else book.quote_asset,
        maker,
        counter.order_id,
        counter.account,
    )
