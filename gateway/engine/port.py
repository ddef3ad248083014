"""What the core asks of a matching engine, and what the engine promises.

The gate assigns `order_id` and `command_id` (the sequence number of the event whose decision sent
the command). The engine answers each command with exactly one `CommandResult` with all immediate
fills; everything else it says is a `Report` in its own gap-free sequence. Reports are handed to
the sink and enqueued there, never decided inside the call that caused them.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

import msgspec

from rules.events import DefineAccount, DefineSymbol, Event

OPENING_BALANCE: Final = "opening balance"
"""Note of the deposit an account begins with: made once, however often a start dies in between."""


class PlaceCommand(msgspec.Struct, frozen=True, gc=False):
    """Enter a new order."""

    command_id: int
    order_id: int
    account: int
    symbol: int
    side: int
    order_type: int
    time_in_force: int
    price_e8: int
    quantity_e8: int
    quote_quantity_e8: int
    price_limit_e8: int
    """Never execute worse than this; what is left of a market order then expires. 0: no limit."""
    stp_mode: int
    client_order_id: str
    stp_group: int = 0
    """Orders of one group count as self-trades; 0: the account alone."""
    valid_until_ns: int = 0
    """The engine refuses the order (ENGINE_STALE) after this time; 0: never."""


class CancelCommand(msgspec.Struct, frozen=True, gc=False):
    """Cancel orders; unknown ids become tombstones against a late place."""

    command_id: int
    order_ids: tuple[int, ...]
    cause: int
    restriction: int = 0


class AmendCommand(msgspec.Struct, frozen=True, gc=False):
    """Change quantity or price of a resting order; a mere decrease keeps its priority."""

    command_id: int
    order_id: int
    quantity_e8: int
    price_e8: int


class ReplaceCommand(msgspec.Struct, frozen=True, gc=False):
    """Cancel one order, then enter another, with no other command between."""

    command_id: int
    cancel_order_id: int
    place: PlaceCommand
    allow_failure: bool = False
    restriction: int = 0


Command: TypeAlias = PlaceCommand | CancelCommand | AmendCommand | ReplaceCommand

EventSink: TypeAlias = Callable[[Event], None]
"""Takes engine reports into the core's queue."""


class DepthSnapshot(msgspec.Struct, frozen=True, gc=False):
    """The book of one symbol: levels (price, quantity), best first."""

    symbol: int
    update_id: int
    engine_ns: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]


class PublicTrade(msgspec.Struct, frozen=True, gc=False):
    """One trade as the market sees it."""

    symbol: int
    trade_id: int
    price_e8: int
    quantity_e8: int
    quote_e8: int
    engine_ns: int
    buyer_is_maker: bool


class MarketDataListener(Protocol):
    """Takes the unrecorded market-data subscription (the views)."""

    def on_trade(self, trade: PublicTrade) -> None:
        """Take one public trade."""

    def on_depth(self, depth: DepthSnapshot) -> None:
        """Take the newest depth of a symbol."""


class EnginePort(Protocol):
    """A matching engine, embedded or remote."""

    def start(self, sink: EventSink, market_data: MarketDataListener) -> None:
        """Begin a session: reports go to `sink`, public market data to `market_data`."""

    def define_symbol(self, symbol: DefineSymbol) -> None:
        """Make an instrument known, or change its commissions and lot step from here on."""

    def define_account(self, account: DefineAccount) -> None:
        """Make an account known."""

    def deposit(self, account: int, asset: int, amount_e8: int, note: str) -> None:
        """Ask the engine to credit (or, below zero, debit) an account: one BalanceAdjusted."""

    def set_symbol_state(self, symbol: int, state: int) -> None:
        """Open, halt or restrict matching in a symbol."""

    def send(self, command: Command) -> None:
        """Hand over one command; its CommandResult comes to the sink."""

    def depth(self, symbol: int, levels: int) -> DepthSnapshot:
        """Return the newest known depth of a symbol."""

    def close(self) -> None:
        """End the session."""
