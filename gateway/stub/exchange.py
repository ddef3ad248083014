"""The matching engine: all symbols, accounts, commands and reports.

Deterministic: time is an argument, so the same calls give the same results and reports to the
byte. Nothing here knows a clock, a loop or a wire; the gate embeds it, and the engine process
serves it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from gateway.engine.port import (
    AmendCommand,
    CancelCommand,
    Command,
    DepthSnapshot,
    PlaceCommand,
    PublicTrade,
    ReplaceCommand,
)
from gateway.stub.accounts import Ledger
from gateway.stub.book import StubOrder, SymbolBook
from gateway.stub.entry import OrderEntry, refused
from gateway.stub.matching import Matcher, release
from gateway.stub.seen import TOMBSTONES_MAX, SeenOrders
from gateway.stub.tape import Tape
from rules.events import (
    BalanceAdjusted,
    CommandResult,
    DefineAccount,
    DefineSymbol,
    Ended,
    Reference,
    Report,
    TradeBust,
)
from rules.reasons import Reason
from rules.values import (
    BUY,
    CANCELED,
    RESTRICT_NONE,
    RESTRICT_ONLY_NEW,
    SELL,
    STP_NONE,
)

FOREIGN_IDS_FROM: Final = 1 << 62
"""Orders of other channels are numbered from here on; the gate numbers its own from 1."""
COMMISSION_MAX_PPM: Final = 1_000_000


class MatchingExchange:
    """One venue's matching engine.

    `epoch` changes when the engine lost its orders, `engine_seq` is the number of the last
    report, `ledger` holds the balances and the commissions collected.
    """

    def __init__(self, epoch: int = 1, tombstones_max: int = TOMBSTONES_MAX) -> None:
        self.epoch = epoch
        self.ledger = Ledger()
        self._tape = Tape()
        self._books: dict[int, SymbolBook] = {}
        self._orders: dict[int, StubOrder] = {}
        self._seen = SeenOrders(tombstones_max)
        self._entry = OrderEntry(
            self._books,
            self._orders,
            self.ledger,
            Matcher(self.ledger, self._tape, self._orders),
            self._seen,
        )
        self._next_foreign_id = FOREIGN_IDS_FROM
        self._highest_order_id = 0

    # --- Definitions ----------------------------------------------------------------------

    def define_symbol(self, definition: DefineSymbol, lot_step_e8: int = 1) -> None:
        """Make an instrument known, or change one: commissions and lot step of later fills.

        `lot_step_e8` is what the quantity of an order given by its quote amount is rounded down
        to where the definition does not say. A definition that does not say changes nothing of an
        instrument that is known. Orders, state and prices stay. Raises ValueError on a commission
        or a step that can't be.
        """
        lot_step_e8 = definition.lot_step_e8 or lot_step_e8
        for ppm in (definition.maker_commission_ppm, definition.taker_commission_ppm):
            if not 0 <= ppm <= COMMISSION_MAX_PPM:
                raise ValueError(
                    f"commission {ppm} ppm of {definition.name} is not in 0 to {COMMISSION_MAX_PPM}"
                )
        if lot_step_e8 < 1:
            raise ValueError(f"lot step {lot_step_e8} of {definition.name} is not 1 or more")
        book = self._books.get(definition.symbol)
        if book is None:
            self._books[definition.symbol] = SymbolBook(definition, lot_step_e8)
        elif definition.lot_step_e8:
            book.maker_commission_ppm = definition.maker_commission_ppm
            book.taker_commission_ppm = definition.taker_commission_ppm
            book.lot_step_e8 = lot_step_e8

    def define_account(self, definition: DefineAccount) -> None:
        """Make an account and its owner known, or change its owner."""
        self._tape.owners[definition.account] = definition.owner

    def set_symbol_state(self, symbol: int, state: int) -> None:
        """Open, halt or restrict a symbol; resting orders stay and can be cancelled."""
        self._books[symbol].state = state

    @property
    def highest_order_id(self) -> int:
        """The highest id of an order of a gate that was ever accepted, in any epoch."""
        return max(self._highest_order_id, self._seen.highest)

    def restart(self) -> None:
        """Lose every open order and begin a new epoch, as after a crash.

        Balances are kept and nothing stays locked. Reports are numbered from 1 again.
        """
        for order in self._orders.values():
            book = self._books[order.symbol]
            book.side(order.side).remove(order)
            book.update_id += 1
            release(order)
        self._orders.clear()
        self._highest_order_id = self.highest_order_id
        self._seen.clear()
        self._tape.engine_seq = 0
        self.epoch += 1

    # --- Commands of the gate -------------------------------------------------------------

    def execute(self, command: Command, now_ns: int) -> tuple[CommandResult, tuple[Report, ...]]:
        """Carry out one command of the gate at `now_ns`.

        Returns its one result, with all immediate fills of the order it enters, and the reports
        on other orders and accounts, in sequence.
        """
        if isinstance(command, PlaceCommand):
            result = self._entry.place(command, 0, now_ns)
        elif isinstance(command, CancelCommand):
            result = self._cancel(command, now_ns)
        elif isinstance(command, AmendCommand):
            result = self._entry.amend(command, now_ns)
        else:
            result = self._replace(command, now_ns)
        return result, self._tape.take()

    def _cancel(self, command: CancelCommand, now_ns: int) -> CommandResult:
        if len(command.order_ids) == 1:
            order_id = command.order_ids[0]
            found = self._end(order_id, command.restriction)
            if isinstance(found, Reason):
                return refused(command.command_id, order_id, found, now_ns)
            return CommandResult(
                command.command_id, order_id, True, None, CANCELED, now_ns, (), (found,)
            )
        ended = tuple(
            found
            for order_id in command.order_ids
            if not isinstance(found := self._end(order_id, command.restriction), Reason)
        )
        return CommandResult(command.command_id, 0, True, None, CANCELED, now_ns, (), ended)

    def _replace(self, command: ReplaceCommand, now_ns: int) -> CommandResult:
        """Cancel, then place; what is refused is the whole unless the cancel worked.

        Where the cancel worked and the new order was refused, the result is not accepted, `ended`
        names the cancelled order and `replaced_refusal` repeats the reason. Where the cancel
        failed and `allow_failure` let the order be entered, `ended` is empty.
        """
        found = self._end(command.cancel_order_id, command.restriction)
        if isinstance(found, Reason) and not command.allow_failure:
            return refused(command.command_id, command.place.order_id, found, now_ns)
        result = self._entry.place(command.place, 0, now_ns)
        ended = () if isinstance(found, Reason) else (found,)
        return msgspec.structs.replace(
            result,
            command_id=command.command_id,
            ended=ended,
            replaced_refusal=result.reason if ended and not result.accepted else None,
        )

    def _end(self, order_id: int, restriction: int) -> Ended | Reason:
        """Cancel one order of the gate; return what it was, or why it was not cancelled."""
        order = self._orders.get(order_id)
        if order is None or order.channel:
            self._seen.bury(order_id)
            return Reason.ENGINE_UNKNOWN_ORDER
        if restriction != RESTRICT_NONE and (restriction == RESTRICT_ONLY_NEW) is not (
            order.filled_e8 == 0
        ):
            return Reason.CANCEL_RESTRICTED
        self._take_out(order)
        return Ended(order_id, CANCELED, order.filled_e8)

    def _take_out(self, order: StubOrder) -> None:
        book = self._books[order.symbol]
        book.side(order.side).remove(order)
        book.update_id += 1
        release(order)
        del self._orders[order.order_id]

    # --- The venue's own acts -------------------------------------------------------------

    def deposit(
        self, account: int, asset: int, amount_e8: int, note: str, now_ns: int
    ) -> BalanceAdjusted:
        """Credit, or below zero debit, an account.

        A debit of more than is free, or a credit the venue's total can't hold, is not done: the
        report then has `delta_e8` 0 and a note that says why.
        """
        fault = self.ledger.adjust(account, asset, amount_e8)
        if fault:
            amount_e8, note = 0, f"{note}: {fault}" if note else fault
        report = self._tape.adjusted(account, asset, amount_e8, note, now_ns)
        self._tape.take()
        return report

    def bust(self, trade_id: int, now_ns: int) -> tuple[Report, ...]:
        """Annul a trade; empty when it is unknown, too old or annulled already.

        The TradeBust takes price times quantity back from both sides; what they paid as
        commission is returned by a BalanceAdjusted each. Balances may fall below zero by it.
        """
        trade = self._tape.find_trade(trade_id)
        if trade is None or trade.busted:
            return ()
        trade.busted = True
        book = self._books[trade.symbol]
        ledger = self.ledger
        for account, base_e8 in (
            (trade.buy_account, -trade.quantity_e8),
            (trade.sell_account, trade.quantity_e8),
        ):
            quote_e8 = -trade.quote_e8 if base_e8 > 0 else trade.quote_e8
            ledger.holdings[account, book.base_asset].free_e8 += base_e8
            ledger.holdings[account, book.quote_asset].free_e8 += quote_e8
        self._tape.say(
            TradeBust(
                self._tape.engine_seq + 1,
                now_ns,
                trade_id,
                trade.symbol,
                trade.price_e8,
                trade.quantity_e8,
                trade.buy_order_id,
                trade.sell_order_id,
                trade.buy_account,
                trade.sell_account,
                trade.engine_ns,
                BUY if trade.buyer_is_maker else SELL,
            )
        )
        note = f"commission of annulled trade {trade_id}"
        for account, asset, paid_e8 in (
            (trade.buy_account, book.base_asset, trade.buy_commission_e8),
            (trade.sell_account, book.quote_asset, trade.sell_commission_e8),
        ):
            if paid_e8:
                ledger.collect(asset, -paid_e8)
                ledger.holdings[account, asset].free_e8 += paid_e8
                self._tape.adjusted(account, asset, paid_e8, note, now_ns)
        return self._tape.take()

    def reconcile(
        self, known: Mapping[int, tuple[int, int, int]], now_ns: int
    ) -> tuple[tuple[Report, ...], int]:
        """End the gate's orders that the gate and the engine do not know alike.

        `known` are the orders the gate believes open: price, quantity and executed quantity, all
        e8, by id. Returns a report for each of them that is not open any more, and the number of
        orders the gate did not know.
        """
        missing = sorted(known.keys() - self._orders.keys())
        unknown = 0
        for order in [each for each in self._orders.values() if not each.channel]:
            terms = known.get(order.order_id)
            if terms == (order.price_e8, order.quantity_e8, order.filled_e8):
                continue
            self._take_out(order)
            if terms is None:
                unknown += 1
            else:
                self._tape.lost(order.order_id, order.filled_e8, now_ns)
        for order_id in missing:
            self._tape.lost(order_id, known[order_id][2], now_ns)
        return self._tape.take(), unknown

    # --- Other ways into the market (drop copy) -------------------------------------------

    def enter_foreign(
        self,
        channel: int,
        account: int,
        symbol: int,
        side: int,
        order_type: int,
        time_in_force: int,
        price_e8: int,
        quantity_e8: int,
        now_ns: int,
        quote_quantity_e8: int = 0,
        stp_mode: int = STP_NONE,
    ) -> tuple[CommandResult, tuple[Report, ...]]:
        """Enter an order that does not come through the gate (`channel`: web, app or desk).

        The engine numbers it. Reports carry it and its trades with owner and channel.
        """
        order_id = self._next_foreign_id
        self._next_foreign_id += 1
        command = PlaceCommand(
            0,
            order_id,
            account,
            symbol,
            side,
            order_type,
            time_in_force,
            price_e8,
            quantity_e8,
            quote_quantity_e8,
            0,
            stp_mode,
            "",
        )
        result = self._entry.place(command, channel, now_ns)
        if result.accepted:
            order = self._orders.get(order_id) or StubOrder(
                order_id,
                account,
                symbol,
                side,
                order_type,
                price_e8,
                quantity_e8,
                stp_mode,
                0,
                "",
                channel,
                now_ns,
            )
            order.filled_e8 = sum(fill.quantity_e8 for fill in result.fills)
            self._tape.market_order(order, result.status, now_ns)
        return result, self._tape.take()

    def cancel_foreign(self, order_id: int, now_ns: int) -> tuple[Report, ...]:
        """Cancel an order of another channel; empty when no such order rests."""
        order = self._orders.get(order_id)
        if order is None or not order.channel:
            return ()
        self._take_out(order)
        self._tape.market_order(order, CANCELED, now_ns)
        return self._tape.take()

    # --- What can be stored ---------------------------------------------------------------

    def parts(
        self,
    ) -> tuple[dict[int, SymbolBook], dict[int, StubOrder], Ledger, Tape, SeenOrders, int]:
        """Return what the exchange consists of, for `gateway.stub.exchange_state`."""
        return (
            self._books,
            self._orders,
            self.ledger,
            self._tape,
            self._seen,
            self._next_foreign_id,
        )

    def number_foreign_from(self, order_id: int) -> None:
        """Give the next order of another channel this number."""
        self._next_foreign_id = order_id

    def number_trades_from(self, trade_id: int) -> None:
        """Give the next trade this number."""
        self._tape.last_trade_id = trade_id - 1

    # --- What can be looked up ------------------------------------------------------------

    @property
    def engine_seq(self) -> int:
        """Number of the last report, 0 before the first."""
        return self._tape.engine_seq

    @property
    def last_trade_id(self) -> int:
        """Number of the last trade of all symbols, 0 before the first."""
        return self._tape.last_trade_id

    @property
    def symbols(self) -> tuple[int, ...]:
        """Numbers of all instruments, in the order they were defined."""
        return tuple(self._books)

    def trades_since(self, trade_id: int) -> list[PublicTrade]:
        """Return the trades of all symbols after `trade_id`, oldest first, as far as kept."""
        return self._tape.trades_since(trade_id)

    def depth(self, symbol: int, levels: int, now_ns: int) -> DepthSnapshot:
        """Return up to `levels` levels of each side."""
        book = self._books[symbol]
        return DepthSnapshot(
            symbol, book.update_id, now_ns, book.bids.top(levels), book.asks.top(levels)
        )

    def reference(self, symbol: int, levels: int, now_ns: int) -> Reference:
        """Return last trade and best prices, with up to `levels` levels of each side."""
        book = self._books[symbol]
        bid, ask = book.bids.best, book.asks.best
        return Reference(
            symbol,
            now_ns,
            book.last_e8,
            book.last_ns,
            bid.price_e8 if bid is not None else 0,
            bid.quantity_e8 if bid is not None else 0,
            ask.price_e8 if ask is not None else 0,
            ask.quantity_e8 if ask is not None else 0,
            book.bids.top(levels) if levels else (),
            book.asks.top(levels) if levels else (),
        )

    def update_id(self, symbol: int) -> int:
        """Return the count of changes of a symbol's book."""
        return self._books[symbol].update_id

    def open_orders(self) -> Iterator[StubOrder]:
        """Yield every resting order, in the order they came to rest."""
        yield from self._orders.values()
