"""The book and the commands in flight as plain values, and back.

What is stored is what later decisions depend on; what can be derived from it is made anew. Fields
are only ever appended to the lists below, so a later version reads what an earlier one stored.
An integer that may pass 63 bits is stored as decimal text.
"""

from typing import Any, Final

from rules.book import AccountFacts, Balance, Book, KeyFacts, OpenOrder, SymbolFacts
from rules.decisions import stored
from rules.pending import PendingCommand
from rules.rulebook import Rulebook

ORDER_FIELDS: Final = (
    "order_id",
    "command_id",
    "account",
    "owner",
    "key",
    "session",
    "symbol",
    "side",
    "order_type",
    "time_in_force",
    "price_e8",
    "quantity_e8",
    "quote_quantity_e8",
    "price_limit_e8",
    "client_order_id",
    "flags",
    "algo",
    "accepted_ns",
    "live_ns",
    "halted_at_live_ns",
    "status",
    "filled_e8",
    "quote_filled_e8",
    "reserved_asset",
    "reserved_e8",
    "cancel_cause",
    "unknown",
)
"""An order's fields in the order they are stored."""
_ORDER_ARGUMENTS: Final = 18
"""The first of them are what an order is made with."""
_ORDER_WIDE: Final = ("quote_filled_e8", "reserved_e8")

SYMBOL_FIELDS: Final = (
    "maker_commission_ppm",
    "taker_commission_ppm",
    "previous_close_e8",
    "state",
    "last_e8",
    "last_ns",
    "bid_e8",
    "bid_quantity_e8",
    "ask_e8",
    "ask_quantity_e8",
    "quote_ns",
    "halted_since_ns",
    "halted_total_ns",
)
"""A symbol's fields that are stored as they stand."""

_COUNTERS: Final = (
    "next_order_id",
    "current_seq",
    "engine_connected",
    "engine_epoch",
    "engine_seq",
)
"""The book's own fields that are stored as they stand."""


def order_state(order: OpenOrder) -> list[Any]:
    """Return an order as a list in the order of `ORDER_FIELDS`."""
    values = [getattr(order, name) for name in ORDER_FIELDS]
    for name in _ORDER_WIDE:
        place = ORDER_FIELDS.index(name)
        values[place] = stored(values[place])
    return values


def restored_order(values: list[Any]) -> OpenOrder:
    """Return the order that `order_state` stored."""
    order = OpenOrder(*values[:_ORDER_ARGUMENTS])
    for name, value in zip(
        ORDER_FIELDS[_ORDER_ARGUMENTS:], values[_ORDER_ARGUMENTS:], strict=False
    ):
        setattr(order, name, int(value) if name in _ORDER_WIDE else value)
    return order


def book_state(book: Book) -> dict[str, Any]:
    """Return everything in the book as plain values."""
    client_ids = book.client_ids
    return {
        "counters": {name: getattr(book, name) for name in _COUNTERS},
        "addresses": [[number, name] for number, name in book.addresses.items()],
        "symbols": [_symbol_state(facts) for facts in book.symbols.values()],
        "accounts": [
            [facts.account, facts.name, facts.owner, facts.tier, facts.flags, facts.enabled]
            for facts in book.accounts.values()
        ],
        "keys": [
            [
                facts.key,
                facts.name,
                facts.account,
                facts.permissions,
                sorted(facts.addresses),
                facts.expires_ns,
                facts.enabled,
            ]
            for facts in book.keys.values()
        ],
        "balances": [
            [account, asset, stored(balance.total_e8), stored(balance.reserved_e8)]
            for (account, asset), balance in book.balances.items()
        ],
        "states": [
            [scope, subject, state, *book.state_notes[scope, subject]]
            for (scope, subject), state in book.states.items()
        ],
        "conduct": book.conduct.state(),
        "deferred": book.deferred.state(),
        "owner_classes": list(map(list, book.owner_classes.items())),
        "orders": [order_state(order) for order in book.orders.values()],
        # Where a client id was used twice, only the later order is found by it.
        "unnamed": [
            order.order_id
            for order in book.orders.values()
            if client_ids.get((order.account, order.client_order_id)) is not order
        ],
    }


def restore_book(book: Book, state: dict[str, Any], rulebook: Rulebook) -> None:
    """Fill an empty book with what `book_state` returned; filters are those of `rulebook`."""
    for name, value in state["counters"].items():
        if name in _COUNTERS:
            setattr(book, name, value)
    book.addresses.update(state["addresses"])
    for symbol in state["symbols"]:
        _restore_symbol(book, symbol, rulebook)
    for values in state["accounts"]:
        book.accounts[values[0]] = AccountFacts(*values)
    for key, name, account, permissions, addresses, expires_ns, enabled in state["keys"]:
        book.keys[key] = KeyFacts(
            key, name, account, permissions, frozenset(addresses), expires_ns, enabled
        )
    for account, asset, total_e8, reserved_e8 in state["balances"]:
        book.balances[account, asset] = Balance(int(total_e8), int(reserved_e8))
    for scope, subject, stop_state, note, actor, since_ns in state["states"]:
        book.states[scope, subject] = stop_state
        book.state_notes[scope, subject] = (note, actor, since_ns)
    if "conduct" in state:
        book.conduct.restore(state["conduct"])
    if "deferred" in state:
        book.deferred.restore(state["deferred"])
        book.owner_classes.update(state["owner_classes"])
    unnamed = frozenset(state["unnamed"])
    for values in state["orders"]:
        order = restored_order(values)
        book.add_order(order)
        if order.order_id not in unnamed:
            book.client_ids[order.account, order.client_order_id] = order


def pending_state(pending: dict[int, PendingCommand]) -> list[Any]:
    """Return the commands in flight as plain values."""
    return [
        [
            command_id,
            command.kind,
            list(command.order_ids),
            command.new_order_id,
            command.quantity_e8,
            command.price_e8,
        ]
        for command_id, command in pending.items()
    ]


def restored_pending(state: list[Any]) -> dict[int, PendingCommand]:
    """Return the commands in flight that `pending_state` stored."""
    return {
        command_id: PendingCommand(kind, tuple(order_ids), *rest)
        for command_id, kind, order_ids, *rest in state
    }


def _symbol_state(facts: SymbolFacts) -> list[Any]:
    return [
        facts.symbol,
        facts.name,
        facts.base_asset,
        facts.quote_asset,
        [getattr(facts, name) for name in SYMBOL_FIELDS],
        facts.bids,
        facts.asks,
        facts.average.state(),
    ]


def _restore_symbol(book: Book, state: list[Any], rulebook: Rulebook) -> None:
    symbol, name, base_asset, quote_asset, values, bids, asks, average = state
    facts = SymbolFacts(symbol, name, base_asset, quote_asset, rulebook.filters(name))
    for field, value in zip(SYMBOL_FIELDS, values, strict=False):
        setattr(facts, field, value)
    facts.bids = tuple((price_e8, quantity_e8) for price_e8, quantity_e8 in bids)
    facts.asks = tuple((price_e8, quantity_e8) for price_e8, quantity_e8 in asks)
    facts.average.restore(average)
    book.symbols[symbol] = facts
