"""The facts several rules need: accounts, keys, open orders, balances, reference prices, halts.

Rules read the book; only the pipeline writes it (through `rules.settlement`). Nothing here
decides anything.
"""

from typing import Final

from rules.averages import TradeAverage
from rules.conduct_facts import ConductFacts
from rules.deferred_cancels import DeferredCancels
from rules.instruments import Filters
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    FOK,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    NEW,
    OWNER_MARKET_MAKER,
    OWNER_ORDINARY,
    PENDING_NEW,
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


class OpenOrder:
    """An order that is in flight, live or of unknown fate."""

    __slots__ = (
        "accepted_ns",
        "account",
        "algo",
        "cancel_cause",
        "client_order_id",
        "command_id",
        "filled_e8",
        "flags",
        "halted_at_live_ns",
        "key",
        "live_ns",
        "order_id",
        "order_type",
        "owner",
        "price_e8",
        "price_limit_e8",
        "quantity_e8",
        "quote_filled_e8",
        "quote_quantity_e8",
        "reserved_asset",
        "reserved_e8",
        "rests",
        "session",
        "side",
        "status",
        "symbol",
        "time_in_force",
        "unknown",
    )

    def __init__(
        self,
        order_id: int,
        command_id: int,
        account: int,
        owner: int,
        key: int,
        session: int,
        symbol: int,
        side: int,
        order_type: int,
        time_in_force: int,
        price_e8: int,
        quantity_e8: int,
        quote_quantity_e8: int,
        price_limit_e8: int,
        client_order_id: str,
        flags: int,
        algo: int,
        accepted_ns: int,
    ) -> None:
        self.order_id = order_id
        self.command_id = command_id
        """The place or replace command that made it."""
        self.account = account
        self.owner = owner
        self.key = key
        self.session = session
        self.symbol = symbol
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price_e8 = price_e8
        self.quantity_e8 = quantity_e8
        self.quote_quantity_e8 = quote_quantity_e8
        self.price_limit_e8 = price_limit_e8
        self.client_order_id = client_order_id
        self.flags = flags
        self.algo = algo
        self.accepted_ns = accepted_ns
        """When the gate accepted it: names the windows its order count came from."""
        self.rests = order_type in (LIMIT, LIMIT_MAKER) and time_in_force not in (IOC, FOK)
        """Whether it is of a kind that stands in the book."""
        self.live_ns = 0
        """When the engine confirmed it, or its last amend that restarts the age; 0 before."""
        self.halted_at_live_ns = 0
        """The symbol's `unmatchable_ns` at `live_ns`."""
        self.status = PENDING_NEW
        self.filled_e8 = 0
        self.quote_filled_e8 = 0
        self.reserved_asset = 0
        self.reserved_e8 = 0
        self.cancel_cause = 0
        """Cause of a cancel in flight, 0 when none is."""
        self.unknown = False
        """The engine did not answer in time; reconciled later."""

    @property
    def remaining_e8(self) -> int:
        """Quantity still to be executed (0 for an order given by its quote amount)."""
        return self.quantity_e8 - self.filled_e8 if self.quantity_e8 else 0

    @property
    def live(self) -> bool:
        """Whether the engine has confirmed it."""
        return self.status != PENDING_NEW and not self.unknown


class Balance:
    """One account's holding of one asset; free is `total_e8 - reserved_e8`."""

    __slots__ = ("reserved_e8", "total_e8")

    def __init__(self, total_e8: int = 0, reserved_e8: int = 0) -> None:
        self.total_e8 = total_e8
        self.reserved_e8 = reserved_e8

    @property
    def free_e8(self) -> int:
        """What a new order may reserve."""
        return self.total_e8 - self.reserved_e8


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
        "orders_by_account_symbol",
        "owner_classes",
        "state_notes",
        "states",
        "stirred",
        "symbols",
    )

    def __init__(self) -> None:
        self.symbols: dict[int, SymbolFacts] = {}
        self.accounts: dict[int, AccountFacts] = {}
        self.keys: dict[int, KeyFacts] = {}
        self.addresses: dict[int, str] = {}
        self.orders: dict[int, OpenOrder] = {}
        self.ended: dict[int, OpenOrder] = {}
        """Orders the event being settled took out of `orders`; emptied before the next one."""
        self.orders_by_account: dict[int, dict[int, OpenOrder]] = {}
        self.orders_by_account_symbol: dict[tuple[int, int], dict[int, OpenOrder]] = {}
        self.client_ids: dict[tuple[int, str], OpenOrder] = {}
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
        self.stirred = True
        """Whether a rule that had nothing to say or do may have by now; set it when that begins."""
        self.began_epoch = False
        """Whether the engine's session being applied began a new epoch: what stood is gone."""
        self.engine_connected = True
        self.engine_epoch = 0
        self.engine_seq = 0

    def add_order(self, order: OpenOrder) -> None:
        """Take an order up among the open ones; its client order id is entered apart."""
        order_id, account = order.order_id, order.account
        self.orders[order_id] = order
        by_account = self.orders_by_account.get(account)
        if by_account is None:
            by_account = self.orders_by_account[account] = {}
        by_account[order_id] = order
        by_symbol = self.orders_by_account_symbol.get((account, order.symbol))
        if by_symbol is None:
            by_symbol = self.orders_by_account_symbol[account, order.symbol] = {}
        by_symbol[order_id] = order

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
        if symbol:
            return self.orders_by_account_symbol.get((account, symbol), NO_ORDERS)
        return self.orders_by_account.get(account, NO_ORDERS)

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

    def count_new(self, account: int, symbol: int) -> int:
        """Return how many orders the account has on `symbol`, in flight and unknown ones too."""
        return len(self.open_orders(account, symbol))


__all__ = [
    "NEW",
    "AccountFacts",
    "Balance",
    "Book",
    "KeyFacts",
    "OpenOrder",
    "SymbolFacts",
]
