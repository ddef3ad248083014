"""The facts several rules need: accounts, keys, open orders, balances, reference prices, halts.

Rules read the book; only the pipeline writes it (through `rules.settlement`). Nothing here
decides anything.
"""

from typing import Final

from rules.answers import Answer
from rules.averages import TradeAverage
from rules.conduct_facts import ConductFacts
from rules.deferred_cancels import DeferredCancels
from rules.events import CommandResult
from rules.instruments import Filters
from rules.open_orders import AccountOrders, Balance, OpenOrder
from rules.trades import Trades
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    NEW,
    OWNER_MARKET_MAKER,
    OWNER_ORDINARY,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    STATE_ACTIVE,
    SYMBOL_TRADING,
)


class SymbolFacts:
    """One instrument: its definition, its limits and the state of its market."""

    __slots__ = (
        "ask_e8",
        "ask_quantity_e8",
        "asks",
        "average",
        "base_asset",
        "bid_e8",
        "bid_quantity_e8",
        "bids",
        "filters",
        "halted_since_ns",
        "halted_total_ns",
        "last_e8",
        "last_ns",
        "maker_commission_ppm",
        "name",
        "previous_close_e8",
        "quote_asset",
        "quote_ns",
        "state",
        "symbol",
        "taker_commission_ppm",
    )

    def __init__(
        self, symbol: int, name: str, base_asset: int, quote_asset: int, filters: Filters
    ) -> None:
        self.symbol = symbol
        self.name = name
        self.base_asset = base_asset
        self.quote_asset = quote_asset
        self.filters = filters
        self.state = SYMBOL_TRADING
        self.maker_commission_ppm = 0
        self.taker_commission_ppm = 0
        self.previous_close_e8 = 0
        self.last_e8 = 0
        self.last_ns = 0
        self.bid_e8 = 0
        self.bid_quantity_e8 = 0
        self.ask_e8 = 0
        self.ask_quantity_e8 = 0
        self.quote_ns = 0
        """When best bid and offer were last reported."""
        self.bids: tuple[tuple[int, int], ...] = ()
        self.asks: tuple[tuple[int, int], ...] = ()
        self.halted_since_ns = 0
        """When the present halt began, 0 while orders can match."""
        self.halted_total_ns = 0
        """Length of all halts that ended."""
        self.average = TradeAverage()

    def unmatchable_ns(self, now_ns: int) -> int:
        """Return how long, up to `now_ns`, orders could not match because of halts."""
        if self.halted_since_ns:
            return self.halted_total_ns + now_ns - self.halted_since_ns
        return self.halted_total_ns


class AccountFacts:
    """One account."""

    __slots__ = ("account", "enabled", "flags", "name", "owner", "tier")

    def __init__(
        self, account: int, name: str, owner: int, tier: str, flags: int, enabled: bool
    ) -> None:
        self.account = account
        self.name = name
        self.owner = owner
        self.tier = tier
        self.flags = flags
        self.enabled = enabled


class KeyFacts:
    """One API key."""

    __slots__ = ("account", "addresses", "enabled", "expires_ns", "key", "name", "permissions")

    def __init__(
        self,
        key: int,
        name: str,
        account: int,
        permissions: int,
        addresses: frozenset[int],
        expires_ns: int,
        enabled: bool,
    ) -> None:
        self.key = key
        self.name = name
        self.account = account
        self.permissions = permissions
        self.addresses = addresses
        """Empty: usable from anywhere."""
        self.expires_ns = expires_ns
        self.enabled = enabled


NO_ORDERS: Final[dict[int, OpenOrder]] = {}
NOBODY: Final = -1
"""No key: those are numbers from 1 on, and 0 is a request without one."""


class Book:
    """All facts, in plain dictionaries keyed by interned numbers."""

    __slots__ = (
        "_account",
        "_holder",
        "accounts",
        "addresses",
        "answer",
        "asking",
        "balances",
        "began_epoch",
        "client_ids",
        "conduct",
        "current_seq",
        "deferred",
        "ended",
        "engine_connected",
        "engine_epoch",
        "engine_seq",
        "keys",
        "next_order_id",
        "orders",
        "orders_by_account",
        "owner_classes",
        "state_notes",
        "states",
        "stirred",
        "symbols",
        "trades",
    )

    def __init__(self) -> None:
        self.symbols: dict[int, SymbolFacts] = {}
        self.accounts: dict[int, AccountFacts] = {}
        self.keys: dict[int, KeyFacts] = {}
        self.addresses: dict[int, str] = {}
        self.orders: dict[int, OpenOrder] = {}
        self.ended: dict[int, OpenOrder] = {}
        """Orders the event being settled took out of `orders`; emptied before the next one."""
        self.orders_by_account: dict[int, AccountOrders] = {}
        """Of the accounts that have any open."""
        self.client_ids: dict[tuple[int, str], OpenOrder] = {}
        """Open orders by account and client order id; of two with one id, the later."""
        self.balances: dict[tuple[int, int], Balance] = {}
        self.states: dict[tuple[int, int], int] = {}
        """Stop states that are not ACTIVE, by (scope, subject)."""
        self.state_notes: dict[tuple[int, int], tuple[str, str, int]] = {}
        """Note, actor and time of each stop state in `states`."""
        self.conduct = ConductFacts()
        self.deferred = DeferredCancels()
        """Cancels that are held until their order is old enough."""
        self.owner_classes: dict[int, int] = {}
        """Class of each owner that is not ordinary by its messages (`OWNER_*`)."""
        self.next_order_id = 1
        self.current_seq = 0
        """Sequence number of the event being applied: the id of the command its decision sends."""
        self.asking = NOBODY
        """The key of the request being applied, so that its account is looked up once."""
        self._account = 0
        self._holder: AccountFacts | None = None
        self.answer = Answer()
        """What the engine's answer being applied is about."""
        self.trades = Trades()
        """What the event being applied reports as traded."""
        self.stirred = True
        """Whether a rule that had nothing to say or do may have by now; set it when that begins."""
        self.began_epoch = False
        """Whether the engine's session being applied began a new epoch: what stood is gone."""
        self.engine_connected = True
        self.engine_epoch = 0
        self.engine_seq = 0

    def add_order(self, order: OpenOrder) -> None:
        """Take an order up among the open ones; its client order id is entered apart."""
        order_id = order.order_id
        self.orders[order_id] = order
        others = self.orders_by_account.get(order.account)
        if others is None:
            others = self.orders_by_account[order.account] = AccountOrders()
        order.others = others
        others.by_id[order_id] = order
        of_symbol = others.by_symbol.get(order.symbol)
        if of_symbol is None:
            of_symbol = others.by_symbol[order.symbol] = {}
        of_symbol[order_id] = order

    def end_order(self, order: OpenOrder) -> None:
        """Move an order from the open ones to those that the present event has ended."""
        order_id = order.order_id
        del self.orders[order_id]
        self.ended[order_id] = order
        named = (order.account, order.client_order_id)
        if self.client_ids.get(named) is order:
            del self.client_ids[named]
        others = order.others
        if others is not None:
            del others.by_id[order_id]
            of_symbol = others.by_symbol[order.symbol]
            del of_symbol[order_id]
            if not of_symbol:
                del others.by_symbol[order.symbol]
                if not others.by_id:
                    del self.orders_by_account[order.account]
            order.others = None

    def answers(self, result: CommandResult) -> int:
        """Look at the answer being applied, which this book is settled with; return `WITH_*`."""
        return self.answer.take(result, self.orders, self.ended)

    def entered_by(self, result: CommandResult) -> OpenOrder | None:
        """Return the order a result confirms as newly entered, None for any other result."""
        if self.answer.result is not result:
            self._looks_apart(result)
        return self.answer.entered

    def changed_by(self, result: CommandResult) -> OpenOrder | None:
        """Return the order a result confirms as amended, None for any other result."""
        if self.answer.result is not result:
            self._looks_apart(result)
        return self.answer.changed

    def _looks_apart(self, result: CommandResult) -> None:
        """Look at a result that is not being applied; nothing of it is kept for later."""
        self.answers(result)
        self.answer.result = None

    def asks(self, key: int) -> None:
        """Look up who holds a key, for the request to come; it ends with `asking` NOBODY."""
        self.asking = key
        facts = self.keys.get(key)
        if facts is None:
            self._account = 0
            self._holder = None
        else:
            self._account = facts.account
            self._holder = self.accounts.get(facts.account)

    def holder_of(self, key: int) -> AccountFacts | None:
        """Return the account a key belongs to, None when key or account is unknown."""
        if key == self.asking:
            return self._holder
        facts = self.keys.get(key)
        return self.accounts.get(facts.account) if facts is not None else None

    def account_of(self, key: int) -> int:
        """Return the account a key belongs to, 0 when the key is unknown."""
        if key == self.asking:
            return self._account
        facts = self.keys.get(key)
        return facts.account if facts is not None else 0

    def find_order(
        self, account: int, symbol: int, order_id: int, client_order_id: str
    ) -> OpenOrder | None:
        """Return the account's open order on `symbol` named by either id.

        The order id is looked up first; None when there is no such order, or it is another
        account's or another symbol's.
        """
        if order_id:
            order = self.orders.get(order_id)
        else:
            order = self.client_ids.get((account, client_order_id))
        if order is None or order.account != account or (symbol and order.symbol != symbol):
            return None
        return order

    def order_of(self, order_id: int) -> OpenOrder | None:
        """Return an order that is open, or was ended by the event being settled."""
        order = self.orders.get(order_id)
        return order if order is not None else self.ended.get(order_id)

    def open_orders(self, account: int, symbol: int = 0) -> dict[int, OpenOrder]:
        """Return the account's orders in flight, live or unknown, oldest first."""
        others = self.orders_by_account.get(account)
        if others is None:
            return NO_ORDERS
        return others.by_symbol.get(symbol, NO_ORDERS) if symbol else others.by_id

    def owner_class(self, account: int) -> int:
        """Return the class of an account's owner; a market maker's is its own account's."""
        facts = self.accounts.get(account)
        if facts is None:
            return OWNER_ORDINARY
        if facts.flags & ACCOUNT_MARKET_MAKER:
            return OWNER_MARKET_MAKER
        return self.owner_classes.get(facts.owner, OWNER_ORDINARY)

    def free_e8(self, account: int, asset: int) -> int:
        """Return what the account could still reserve of an asset."""
        balance = self.balances.get((account, asset))
        return balance.total_e8 - balance.reserved_e8 if balance is not None else 0

    def stop_state(self, owner: int, account: int, key: int, symbol: int) -> tuple[int, int, int]:
        """Return (state, scope, subject) of the strictest stop state that applies."""
        states = self.states
        strictest = (STATE_ACTIVE, 0, 0)
        if not states:
            return strictest
        for scope, subject in (
            (SCOPE_VENUE, 0),
            (SCOPE_SYMBOL, symbol),
            (SCOPE_OWNER, owner),
            (SCOPE_ACCOUNT, account),
            (SCOPE_KEY, key),
        ):
            state = states.get((scope, subject), STATE_ACTIVE)
            if state > strictest[0]:
                strictest = (state, scope, subject)
        return strictest

    def matchable_age_ns(self, order: OpenOrder, now_ns: int) -> int:
        """Return how long a live order has been executable, halts left out."""
        halted_ns = self.symbols[order.symbol].unmatchable_ns(now_ns) - order.halted_at_live_ns
        return now_ns - order.live_ns - halted_ns


__all__ = [
    "NEW",
    "AccountFacts",
    "Balance",
    "Book",
    "KeyFacts",
    "OpenOrder",
    "SymbolFacts",
]
