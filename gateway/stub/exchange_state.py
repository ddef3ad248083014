"""A matching exchange as plain values, and back: part of a snapshot of a gate that embeds it.

Orders are stored in the order in which they came to rest. Within a price that is their priority,
so putting them back one after another makes the same book.
"""

from typing import Any, Final

from gateway.stub.accounts import Ledger
from gateway.stub.book import StubOrder, SymbolBook
from gateway.stub.exchange import MatchingExchange
from gateway.stub.seen import SeenOrders
from gateway.stub.tape import Tape, TradeEntry
from rules.events import DefineSymbol

_BOOK_FIELDS: Final = ("state", "last_e8", "last_ns", "update_id")
_DEFINITION_FIELDS: Final = (
    "symbol",
    "name",
    "base_asset",
    "quote_asset",
    "maker_commission_ppm",
    "taker_commission_ppm",
    "lot_step_e8",
)
_ORDER_FIELDS: Final = (
    "order_id",
    "account",
    "symbol",
    "side",
    "order_type",
    "price_e8",
    "quantity_e8",
    "stp_mode",
    "stp_group",
    "client_order_id",
    "channel",
    "entered_ns",
)
"""What an order is made with, in that order."""


def exchange_state(exchange: MatchingExchange) -> dict[str, Any]:
    """Return everything the exchange's later results depend on, as plain values."""
    books, orders, ledger, tape, seen, next_foreign_id = exchange.parts()
    return {
        "epoch": exchange.epoch,
        "next_foreign_id": next_foreign_id,
        "ledger": _ledger_state(ledger),
        "books": [
            [
                [getattr(book, name) for name in _DEFINITION_FIELDS],
                [getattr(book, name) for name in _BOOK_FIELDS],
            ]
            for book in books.values()
        ],
        "orders": [
            [
                [getattr(order, name) for name in _ORDER_FIELDS],
                [order.filled_e8, order.prevented_e8, order.locked_e8],
            ]
            for order in orders.values()
        ],
        "tape": _tape_state(tape),
        "seen": [seen.highest, seen.ring(), list(seen.tombstones)],
    }


def restored_exchange(state: dict[str, Any]) -> MatchingExchange:
    """Return the exchange that `exchange_state` stored."""
    exchange = MatchingExchange(state["epoch"])
    books, orders, ledger, tape, seen, _ = exchange.parts()
    exchange.number_foreign_from(state["next_foreign_id"])
    _restore_ledger(ledger, state["ledger"])
    for definition, values in state["books"]:
        symbol, name, base_asset, quote_asset, maker_ppm, taker_ppm, lot_step_e8 = definition
        exchange.define_symbol(
            DefineSymbol(symbol, name, base_asset, quote_asset, 0, 0, maker_ppm, taker_ppm),
            lot_step_e8,
        )
        for field, value in zip(_BOOK_FIELDS, values, strict=False):
            setattr(books[symbol], field, value)
    for fields, (filled_e8, prevented_e8, locked_e8) in state["orders"]:
        order = StubOrder(*fields)
        order.filled_e8 = filled_e8
        order.prevented_e8 = prevented_e8
        order.locked_e8 = locked_e8
        _rest(order, books[order.symbol], ledger)
        orders[order.order_id] = order
    _restore_tape(tape, state["tape"])
    _restore_seen(seen, state["seen"])
    return exchange


def _rest(order: StubOrder, book: SymbolBook, ledger: Ledger) -> None:
    side = book.side(order.side)
    asset = book.quote_asset if side is book.bids else book.base_asset
    order.locked_in = ledger.holdings[order.account, asset]
    side.add(order)


def _ledger_state(ledger: Ledger) -> dict[str, Any]:
    return {
        "holdings": [list(holding) for holding in ledger.all_holdings()],
        "supply": [[asset, ledger.supply_e8(asset)] for asset in ledger.assets()],
        "commissions": [list(item) for item in ledger.commissions.items()],
    }


def _restore_ledger(ledger: Ledger, state: dict[str, Any]) -> None:
    for account, asset, free_e8, locked_e8 in state["holdings"]:
        holding = ledger.holdings[account, asset]
        holding.free_e8 = free_e8
        holding.locked_e8 = locked_e8
    for asset, amount_e8 in state["supply"]:
        ledger.put_supply(asset, amount_e8)
    ledger.commissions.update(dict(state["commissions"]))


def _tape_state(tape: Tape) -> dict[str, Any]:
    return {
        "engine_seq": tape.engine_seq,
        "last_trade_id": tape.last_trade_id,
        "owners": list(tape.owners.items()),
        "trades": [
            [getattr(entry, name) for name in TradeEntry.__slots__] for entry in tape.kept()
        ],
        "fields": list(TradeEntry.__slots__),
    }


def _restore_tape(tape: Tape, state: dict[str, Any]) -> None:
    for values in state["trades"]:
        entry = TradeEntry.__new__(TradeEntry)
        for name, value in zip(state["fields"], values, strict=True):
            setattr(entry, name, value)
        tape.trade(entry)
    tape.engine_seq = state["engine_seq"]
    tape.last_trade_id = state["last_trade_id"]
    tape.owners.update(dict(state["owners"]))


def _restore_seen(seen: SeenOrders, state: list[Any]) -> None:
    highest, ring, tombstones = state
    seen.restore(highest, ring, tombstones)
