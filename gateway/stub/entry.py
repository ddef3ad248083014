"""Order entry: what a new or changed order must satisfy, and what becomes of it."""

from gateway.engine.port import AmendCommand, PlaceCommand
from gateway.stub.accounts import Holding, Ledger
from gateway.stub.book import StubOrder, SymbolBook
from gateway.stub.matching import (
    DONE,
    SELF_TRADE,
    TOO_MANY_TRADES,
    UNLIMITED_KEY,
    Matcher,
    limit_key,
    lock_need_e8,
    release,
    relock,
    survey,
)
from gateway.stub.seen import SeenOrders
from gateway.stub.tape import resting_status
from rules.events import CommandResult, Fill
from rules.reasons import Reason
from rules.values import (
    BUY,
    EXPIRED,
    EXPIRED_IN_MATCH,
    FILLED,
    FOK,
    GTC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    NEW,
    SELL,
    STP_NONE,
    SYMBOL_TRADING,
    TRANSFER,
)


def refused(command_id: int, order_id: int, reason: Reason, now_ns: int) -> CommandResult:
    """Return the result of a command that changed nothing."""
    return CommandResult(command_id, order_id, False, reason, 0, now_ns)


class OrderEntry:
    """Enters and amends orders in the books it is given."""

    __slots__ = ("_books", "_ledger", "_matcher", "_orders", "_seen")

    def __init__(
        self,
        books: dict[int, SymbolBook],
        orders: dict[int, StubOrder],
        ledger: Ledger,
        matcher: Matcher,
        seen: SeenOrders,
    ) -> None:
        self._books = books
        self._orders = orders
        self._ledger = ledger
        self._matcher = matcher
        self._seen = seen

    def place(self, command: PlaceCommand, channel: int, now_ns: int) -> CommandResult:
        """Enter a new order; `channel` is 0 for the gate's own."""
        reason = self._refusal(command, now_ns)
        if reason is not None:
            return refused(command.command_id, command.order_id, reason, now_ns)
        book = self._books[command.symbol]
        order = _order(command, channel, now_ns)
        limit_e8, rests = _bounds(command)
        amount_e8 = command.quote_quantity_e8 or -1
        if command.side == BUY:
            limit = -limit_e8 if limit_e8 else UNLIMITED_KEY
            best = book.asks.best
            holding = self._ledger.holdings[command.account, book.quote_asset]
        else:
            limit = limit_e8
            best = book.bids.best
            holding = self._ledger.holdings[command.account, book.base_asset]
        takes = best is not None and best.key >= limit
        if command.order_type == MARKET:
            need_e8 = _market_need_e8(book, order, limit, amount_e8)
        else:
            need_e8 = lock_need_e8(command.side, command.price_e8, command.quantity_e8)
        if holding.free_e8 < need_e8:
            reason = Reason.ENGINE_INSUFFICIENT_BALANCE
        elif takes and command.order_type == LIMIT_MAKER:
            reason = Reason.ENGINE_WOULD_TAKE
        if reason is not None:
            return refused(command.command_id, command.order_id, reason, now_ns)
        if not channel:
            self._seen.accept(command.order_id)
        if rests and not takes:
            self._rest(book, order, holding, need_e8)
            return CommandResult(command.command_id, command.order_id, True, None, NEW, now_ns)
        if (
            command.time_in_force == FOK
            and command.order_type == LIMIT
            and survey(book, order, limit)[0] < order.quantity_e8
        ):
            takes = False
        if not takes:
            return CommandResult(
                command.command_id,
                command.order_id,
                True,
                Reason.ENGINE_NO_LIQUIDITY,
                EXPIRED,
                now_ns,
            )
        return self._run(command.command_id, book, order, limit, amount_e8, rests, holding, now_ns)

    def amend(self, command: AmendCommand, now_ns: int) -> CommandResult:
        """Change quantity or price of a resting order; 0 keeps either.

        A quantity that is not above what was executed is refused (PARAMETER_OUT_OF_RANGE) and
        leaves the order as it is, as every refusal does. A decrease is possible in every state of
        the symbol, like a cancel.
        """
        order = self._orders.get(command.order_id)
        if order is None or order.channel:
            return refused(
                command.command_id, command.order_id, Reason.ENGINE_UNKNOWN_ORDER, now_ns
            )
        book = self._books[order.symbol]
        quantity_e8 = command.quantity_e8 or order.quantity_e8
        price_e8 = command.price_e8 or order.price_e8
        holding = order.locked_in
        assert holding is not None, f"order {order.order_id} rests without a lock"
        if price_e8 == order.price_e8 and order.filled_e8 < quantity_e8 <= order.quantity_e8:
            _decrease(book, order, quantity_e8)
            return CommandResult(
                command.command_id, order.order_id, True, None, resting_status(order), now_ns
            )
        need_e8 = lock_need_e8(order.side, price_e8, quantity_e8 - order.filled_e8)
        reason = None
        if quantity_e8 <= order.filled_e8 or price_e8 < 0:
            reason = Reason.PARAMETER_OUT_OF_RANGE
        elif book.state != SYMBOL_TRADING:
            reason = Reason.ENGINE_SYMBOL_CLOSED
        elif holding.free_e8 + order.locked_e8 < need_e8:
            reason = Reason.ENGINE_INSUFFICIENT_BALANCE
        elif order.order_type == LIMIT_MAKER and _would_take(book, order.side, price_e8):
            reason = Reason.ENGINE_WOULD_TAKE
        if reason is not None:
            return refused(command.command_id, command.order_id, reason, now_ns)
        book.side(order.side).remove(order)
        release(order)
        del self._orders[order.order_id]
        book.update_id += 1
        order.price_e8 = price_e8
        order.quantity_e8 = quantity_e8
        limit = limit_key(order.side, price_e8)
        return self._run(command.command_id, book, order, limit, -1, True, holding, now_ns)

    def _refusal(self, command: PlaceCommand, now_ns: int) -> Reason | None:
        """Return why the order can't be entered at all, whatever the book and the balances."""
        seen = self._seen
        if seen.tombstones and command.order_id in seen.tombstones:
            return Reason.ENGINE_TOMBSTONED
        if command.order_id <= seen.highest and seen.accepted(command.order_id):
            return Reason.ENGINE_DUPLICATE_ORDER
        book = self._books.get(command.symbol)
        if book is None or book.state != SYMBOL_TRADING:
            return Reason.ENGINE_SYMBOL_CLOSED
        if command.valid_until_ns and now_ns > command.valid_until_ns:
            return Reason.ENGINE_STALE
        order_type = command.order_type
        if order_type == MARKET:
            formed = (command.quantity_e8 > 0) is not (command.quote_quantity_e8 > 0) and (
                command.quantity_e8 >= 0 and command.quote_quantity_e8 >= 0
            )
        else:
            formed = (
                command.price_e8 > 0
                and command.quantity_e8 > 0
                and command.quote_quantity_e8 == 0
                and (
                    order_type == LIMIT_MAKER
                    or (order_type == LIMIT and GTC <= command.time_in_force <= FOK)
                )
            )
        if formed and BUY <= command.side <= SELL and 0 <= command.stp_mode <= TRANSFER:
            return None
        return Reason.ENGINE_UNSUPPORTED

    def _rest(self, book: SymbolBook, order: StubOrder, holding: Holding, need_e8: int) -> None:
        """Lock what the order needs and put it into the book."""
        order.locked_in = holding
        order.locked_e8 = need_e8
        holding.free_e8 -= need_e8
        holding.locked_e8 += need_e8
        (book.bids if order.side == BUY else book.asks).add(order)
        self._orders[order.order_id] = order
        book.update_id += 1

    def _run(
        self,
        command_id: int,
        book: SymbolBook,
        order: StubOrder,
        limit: int,
        amount_e8: int,
        rests: bool,
        holding: Holding,
        now_ns: int,
    ) -> CommandResult:
        """Match the order, let the rest of it rest or expire, and return the result."""
        fills: list[Fill] = []
        prevented_before_e8 = order.prevented_e8
        end = self._matcher.match(book, order, limit, amount_e8, fills, now_ns)
        reason: Reason | None = None
        if end == DONE and order.filled_e8:
            status = FILLED
        elif end == SELF_TRADE or (end == DONE and order.prevented_e8):
            status, reason = EXPIRED_IN_MATCH, Reason.ENGINE_STP_EXPIRED
        elif rests and end != TOO_MANY_TRADES:
            left_e8 = order.quantity_e8 - order.filled_e8
            need_e8 = lock_need_e8(order.side, order.price_e8, left_e8)
            self._rest(book, order, holding, need_e8)
            status = resting_status(order)
        else:
            status, reason = EXPIRED, Reason.ENGINE_NO_LIQUIDITY
        return CommandResult(
            command_id,
            order.order_id,
            True,
            reason,
            status,
            now_ns,
            tuple(fills),
            (),
            order.prevented_e8 - prevented_before_e8,
        )


def _market_need_e8(book: SymbolBook, order: StubOrder, limit: int, amount_e8: int) -> int:
    """Return the most a market order could take from its holding if entered now."""
    if order.side == BUY:
        return amount_e8 if amount_e8 >= 0 else survey(book, order, limit)[2]
    return survey(book, order, limit, amount_e8)[1] if amount_e8 >= 0 else order.quantity_e8


def _bounds(command: PlaceCommand) -> tuple[int, bool]:
    """Return the worst price the order may trade at (0: any), and whether the rest of it rests."""
    limit_e8 = command.price_limit_e8
    if command.order_type == MARKET:
        return limit_e8, False
    price_e8 = command.price_e8
    if limit_e8 and (limit_e8 < price_e8 if command.side == BUY else limit_e8 > price_e8):
        # Resting at its own price it could execute worse than the limit, so the rest expires.
        return limit_e8, False
    return price_e8, command.time_in_force == GTC or command.order_type == LIMIT_MAKER


def _would_take(book: SymbolBook, side: int, price_e8: int) -> bool:
    best = book.opposite(side).best
    return best is not None and best.key >= limit_key(side, price_e8)


def _decrease(book: SymbolBook, order: StubOrder, quantity_e8: int) -> None:
    level = order.level
    assert level is not None, f"order {order.order_id} does not rest in the book"
    level.quantity_e8 -= order.quantity_e8 - quantity_e8
    order.quantity_e8 = quantity_e8
    relock(order)
    book.update_id += 1


def _order(command: PlaceCommand, channel: int, now_ns: int) -> StubOrder:
    """Return the order a command asks for."""
    return StubOrder(
        command.order_id,
        command.account,
        command.symbol,
        command.side,
        command.order_type,
        command.price_e8,
        command.quantity_e8,
        command.stp_mode or STP_NONE,
        command.stp_group,
        command.client_order_id,
        channel,
        now_ns,
    )
