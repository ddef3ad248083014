"""Everything that can change a decision, as frozen records.

An event is written to the record as it stands, so its tag and the order of its fields are a file
format: fields are only appended (with a default), never moved, retyped or removed, and a tag is
never reused. `Request` and `Report` are the fixed beginnings of several events and are closed: a
new common field is appended to each event, not to them.

Units: `_e8` counts 1e-8 of a price, quantity or amount; `_ns` is nanoseconds since the Unix epoch
or a duration in nanoseconds. Keys, accounts, owners, symbols, assets, addresses and client
programs are interned integers, introduced by the `Define*` events; 0 means absent. All other
codes are in `rules.values`.
"""

from typing import TypeAlias

import msgspec

from rules.reasons import Reason


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of everything that enters through the core's one door."""


# --- Requests of clients ----------------------------------------------------------------------


class Request(Event, frozen=True, array_like=True, gc=False):
    """The closed beginning of every client request."""

    endpoint: int
    """What was asked (`rules.endpoints`): decides weight, security level and limits' group."""
    ip: int
    """Interned peer address: an IPv4 address or an IPv6 /64."""
    key: int
    """Interned API key, 0 when none or unknown."""
    auth: int
    """Result of authentication (`AUTH_*`)."""
    received_ns: int
    """Receive clock, UTC: what `timestamp_ns` is compared with. Never moved by a manual clock."""
    timestamp_ns: int
    """The client's own time of sending, 0 when the dialect has none, -1 when malformed."""
    recv_window_ns: int
    """How long after `timestamp_ns` the client still wants the request, 0 when it has none."""
    size: int
    """What the weight of the endpoint depends on (depth levels, number of symbols), else 0."""
    channel: int
    """The way in (`CHANNEL_*`)."""
    session: int
    """Connection number, 0 when the way in has none."""
    agent: int
    """Interned client program or device identification, 0 when not told."""


class Query(Request, frozen=True, array_like=True, gc=False, tag="Q"):
    """A request that reads: market data, orders, balances, limits."""

    symbol: int = 0
    order_id: int = 0
    client_order_id: str = ""
    detail: str = ""
    """The rest of what was asked, as text, at most 256 characters; for the record only."""


class RefusedRequest(Request, frozen=True, array_like=True, gc=False, tag="X"):
    """A request that could not be understood; it is charged like any other and always refused."""

    reason: Reason
    detail: str = ""
    """The parameter or value at fault, at most 256 characters."""
    symbol: int = 0
    client_order_id: str = ""
    expected: str = ""
    """What would have been accepted, at most 256 characters."""


class Place(Request, frozen=True, array_like=True, gc=False, tag="P"):
    """A new order."""

    symbol: int
    side: int
    order_type: int
    time_in_force: int
    """`GTC`, `IOC`, `FOK`; 0 for MARKET and LIMIT_MAKER."""
    price_e8: int
    quantity_e8: int
    """In base asset, 0 when `quote_quantity_e8` is given instead."""
    quote_quantity_e8: int
    """Amount of quote asset to spend or receive; MARKET orders only."""
    client_order_id: str = ""
    """Empty: the pipeline derives one from the order id."""
    stp_mode: int = 0
    """Self-trade prevention; 0: the symbol's default."""
    flags: int = 0
    algo: int = 0
    """Interned algorithm identification of RTS 6, 0 when none."""
    stop_price_e8: int = 0
    iceberg_quantity_e8: int = 0
    strategy_id: int = 0
    strategy_type: int = 0


class Cancel(Request, frozen=True, array_like=True, gc=False, tag="C"):
    """Cancel one order, named by order id, by client order id, or by both."""

    symbol: int
    order_id: int
    orig_client_order_id: str
    client_order_id: str = ""
    """The client's name for this cancel."""
    restriction: int = 0


class CancelAll(Request, frozen=True, array_like=True, gc=False, tag="CA"):
    """Cancel every open order of the account, on one symbol or (0) on all."""

    symbol: int


class Replace(Request, frozen=True, array_like=True, gc=False, tag="R"):
    """Cancel one order and place another in its stead; the new one loses time priority."""

    symbol: int
    order_id: int
    orig_client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    price_e8: int
    quantity_e8: int
    quote_quantity_e8: int
    client_order_id: str = ""
    stp_mode: int = 0
    flags: int = 0
    algo: int = 0
    cancel_client_order_id: str = ""
    allow_failure: bool = False
    """Place the new order even when the old one could not be cancelled."""
    restriction: int = 0


class Amend(Request, frozen=True, array_like=True, gc=False, tag="A"):
    """Change price or quantity of an open order under the same order id.

    A smaller quantity at the same price keeps time priority; anything else loses it.
    """

    symbol: int
    order_id: int
    orig_client_order_id: str
    quantity_e8: int
    """New total quantity, 0 to keep it."""
    price_e8: int = 0
    """New price, 0 to keep it."""
    client_order_id: str = ""
    keep_priority: bool = False
    """Only a smaller quantity at the same price will do: all that keeps time priority."""


class RefusedShare(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an aggregate holds of one address."""

    ip: int
    reasons: tuple[tuple[Reason, int], ...]
    """How many were refused for each reason."""
    gate_count: int = 0
    """How many were for the gate's own routes, which are no raw requests."""
    weight: int = 0
    """What they cost of the address's request weight."""
    gate_weight: int = 0
    """What they cost of its budget for the gate's own routes."""
    last_seq: int = 0
    """The last refusal of the address that was recorded alone; 0 when none was within the second.
    Clients were told its decision id."""


class RefusedAggregate(Event, frozen=True, array_like=True, gc=False, tag="XA"):
    """Refusals of banned or unauthenticated addresses within one second, counted in one record."""

    ip: int
    """The address, 0 when there are several shares."""
    reason: Reason
    """The first reason of the first share."""
    count: int
    """All of them."""
    first_ns: int
    last_ns: int
    """Core time of the first and the last one."""
    shares: tuple[RefusedShare, ...] = ()
    """By address; one of address 0 stands for addresses that could not be told apart."""


# --- Reports of the engine --------------------------------------------------------------------


class Fill(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One execution as one side sees it."""

    trade_id: int
    price_e8: int
    quantity_e8: int
    quote_e8: int
    """Price times quantity, in quote asset."""
    commission_e8: int
    commission_asset: int
    maker: bool
    counter_order_id: int = 0
    counter_account: int = 0


class Ended(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An order that a cancel command ended."""

    order_id: int
    status: int
    filled_e8: int
    """Quantity executed over the order's life."""


class CommandResult(Event, frozen=True, array_like=True, gc=False, tag="ER"):
    """The engine's one answer to one command, with all immediate fills."""

    command_id: int
    """The sequence number of the event whose decision sent the command."""
    order_id: int
    """The order placed, amended or (single) cancelled; 0 for a bulk cancel."""
    accepted: bool
    reason: Reason | None
    """Why it was refused, or why an accepted order ended at once; else None."""
    status: int
    """Status of the order after the command (`NEW`, `FILLED`, `EXPIRED` …), 0 when refused."""
    engine_ns: int
    fills: tuple[Fill, ...] = ()
    ended: tuple[Ended, ...] = ()
    """What a cancel, replace or bulk cancel ended."""
    prevented_e8: int = 0
    """Quantity taken off by self-trade prevention."""
    unknown: bool = False
    """The deadline passed without an answer: sent, but execution unknown."""
    replaced_refusal: Reason | None = None
    """Replace only: the cancel worked (see `ended`) but the new order was refused for this."""


class Report(Event, frozen=True, array_like=True, gc=False):
    """The closed beginning of every unsolicited report: the engine's own gap-free sequence."""

    engine_seq: int
    engine_ns: int


class OrderTrade(Report, frozen=True, array_like=True, gc=False, tag="OT"):
    """A resting order was executed, wholly or in part."""

    order_id: int
    fill: Fill
    status: int


class OrderEnded(Report, frozen=True, array_like=True, gc=False, tag="OE"):
    """A resting order ended without the gate having asked for it."""

    order_id: int
    status: int
    cause: int
    filled_e8: int
    prevented_e8: int = 0


class OrderReduced(Report, frozen=True, array_like=True, gc=False, tag="OR"):
    """A resting order lost quantity without ending (self-trade prevention DECREMENT)."""

    order_id: int
    quantity_e8: int
    """New total quantity."""
    cause: int
    prevented_e8: int = 0


class TradeBust(Report, frozen=True, array_like=True, gc=False, tag="TB"):
    """The venue annulled a trade; both sides' effects are reversed."""

    trade_id: int
    symbol: int
    price_e8: int
    quantity_e8: int
    buy_order_id: int
    sell_order_id: int
    buy_account: int
    sell_account: int
    traded_ns: int = 0
    """When it was executed, 0 when not told: then it counts as executed just now."""
    maker_side: int = 0
    """Side of the order that rested, 0 when not told."""
    buy_channel: int = 0
    """Channel the buyer's order came by, 0 when it came through the gate; as in `MarketTrade`."""
    sell_channel: int = 0


class BalanceAdjusted(Report, frozen=True, array_like=True, gc=False, tag="BA"):
    """Deposit, withdrawal, fee or correction: the account's total of an asset changed."""

    account: int
    asset: int
    delta_e8: int
    note: str = ""


class MarketOrder(Report, frozen=True, array_like=True, gc=False, tag="MO"):
    """Drop copy: an order of another channel (web, app, desk) was entered, changed or ended."""

    symbol: int
    order_id: int
    account: int
    owner: int
    channel: int
    side: int
    order_type: int
    status: int
    price_e8: int
    quantity_e8: int
    filled_e8: int


class MarketTrade(Report, frozen=True, array_like=True, gc=False, tag="MT"):
    """Drop copy: a trade in which at least one side did not come through this gate."""

    symbol: int
    trade_id: int
    price_e8: int
    quantity_e8: int
    buy_order_id: int
    sell_order_id: int
    buy_owner: int
    sell_owner: int
    buy_channel: int
    sell_channel: int
    buyer_is_maker: bool


class Reference(Event, frozen=True, array_like=True, gc=False, tag="RF"):
    """The state of one symbol's market, conflated: at most every 100 ms and only if changed."""

    symbol: int
    engine_ns: int
    last_e8: int
    last_ns: int
    bid_e8: int
    bid_quantity_e8: int
    ask_e8: int
    ask_quantity_e8: int
    bids: tuple[tuple[int, int], ...] = ()
    """Up to ten levels (price, quantity), best first, where a rule asks for them."""
    asks: tuple[tuple[int, int], ...] = ()


class EngineSession(Event, frozen=True, array_like=True, gc=False, tag="ES"):
    """The engine connected or was lost."""

    connected: bool
    epoch: int
    engine_seq: int
    """The last report the engine had sent when the session began."""


# --- Sessions, operators and timers -----------------------------------------------------------


class SessionOpened(Event, frozen=True, array_like=True, gc=False, tag="SO"):
    """A client connected on a way in that has sessions."""

    session: int
    key: int
    ip: int
    channel: int


class SessionClosed(Event, frozen=True, array_like=True, gc=False, tag="SC"):
    """A client's session ended."""

    session: int
    graceful: bool


class SetState(Event, frozen=True, array_like=True, gc=False, tag="SS"):
    """An operator, owner or rule set the stop state of a scope."""

    scope: int
    subject: int
    state: int
    note: str
    actor: str


class SetSymbolState(Event, frozen=True, array_like=True, gc=False, tag="SY"):
    """Trading in a symbol was opened, halted or restricted."""

    symbol: int
    state: int
    note: str
    actor: str


class BulkCancel(Event, frozen=True, array_like=True, gc=False, tag="BC"):
    """Cancel the next slice of a scope's open orders; the core repeats it until none is left.

    Of scope order and cause client it is a deferred cancel whose time has come.
    """

    scope: int
    subject: int
    symbol: int
    cause: int
    origin_seq: int
    """The event that asked for it."""
    restriction: int = 0
    """Status an order must have to be cancelled (`RESTRICT_*`)."""


class Deadline(Event, frozen=True, array_like=True, gc=False, tag="DL"):
    """A command had no answer in time: its order's state is unknown until reconciled."""

    command_id: int


class ClearBan(Event, frozen=True, array_like=True, gc=False, tag="CB"):
    """An operator lifted, or for a test set, the ban of an address."""

    ip: int
    until_ns: int
    """0 lifts the ban and its history; else the address is banned until then."""
    actor: str


class RecordRead(Event, frozen=True, array_like=True, gc=False, tag="RR"):
    """Somebody read the record."""

    actor: str
    query: str


class RulebookChanged(Event, frozen=True, array_like=True, gc=False, tag="RB"):
    """From here on another rulebook is in force."""

    name: str
    revision: str
    actor: str
    text: str


class RecordSpace(Event, frozen=True, array_like=True, gc=False, tag="RS"):
    """The room on the disk of the record became less, or more again."""

    space: int
    """`SPACE_*`."""
    free_bytes: int
    """What was found free."""


class RunBegan(Event, frozen=True, array_like=True, gc=False, tag="RN"):
    """A run has taken over what the run before it left, and serves from here on."""

    previous: str
    """The run before, empty when there was none."""
    next_order_id: int
    """The first order id of this run: ids of earlier runs are not given again."""
    manifest_digest: str = ""
    """SHA-256, in hex, of what never changes in the run's manifest."""
    start_digest: str = ""
    """SHA-256, in hex, of the snapshot file the run begins with, empty when it begins with none."""


class PostFees(Event, frozen=True, array_like=True, gc=False, tag="PF"):
    """Post the next slice of the fees that are due; repeated until the decision has no `more`."""

    actor: str = ""
    """Who asked for it, empty when the calendar did."""


class OwnerClassChanged(Event, frozen=True, array_like=True, gc=False, tag="OC"):
    """From here on an owner is of another class, by the messages he has sent."""

    owner: int
    owner_class: int
    """`OWNER_*`."""
    symbol: int = 0
    """The instrument in which he has reached the rate, 0 for all together or for none."""
    messages: int = 0
    """So many he has sent in it on that day."""
    until_ns: int = 0
    """When the class ends unless he reaches a rate again, 0 for an ordinary owner."""


class ActOnCase(Event, frozen=True, array_like=True, gc=False, tag="AC"):
    """Something was said about a conduct case, or an operator decided it."""

    case: int
    act: int
    """`CASE_ACT_*` of `rules.values`."""
    note: str
    actor: str


# --- Definitions ------------------------------------------------------------------------------


class Define(Event, frozen=True, array_like=True, gc=False, tag="D"):
    """An address, owner, asset, client program or algorithm got its number."""

    kind: int
    number: int
    name: str


class DefineSymbol(Event, frozen=True, array_like=True, gc=False, tag="DS"):
    """An instrument: its assets, state and the price to start from."""

    symbol: int
    name: str
    base_asset: int
    quote_asset: int
    state: int
    previous_close_e8: int
    """The price rules may refer to before the first trade, 0 when none."""
    maker_commission_ppm: int = 0
    """Commission in millionths of what is received."""
    taker_commission_ppm: int = 0
    lot_step_e8: int = 0
    """What the engine rounds the quantity of an order given by its quote amount down to.

    0, in records of versions that did not state it: the step of the run's rulebook where the
    engine hears of the instrument for the first time, else the engine's instrument stays as it is.
    """


class DefineAccount(Event, frozen=True, array_like=True, gc=False, tag="DA"):
    """An account was opened or changed."""

    account: int
    name: str
    owner: int
    tier: str
    flags: int
    enabled: bool = True


class DefineKey(Event, frozen=True, array_like=True, gc=False, tag="DK"):
    """An API key was made, changed or revoked."""

    key: int
    name: str
    """The public key id clients send."""
    account: int
    permissions: int
    addresses: tuple[int, ...]
    """Interned addresses it may be used from; empty: any."""
    expires_ns: int
    """0: never."""
    enabled: bool = True


class LinkOwners(Event, frozen=True, array_like=True, gc=False, tag="LO"):
    """From here on an owner is judged together with the others of a group, or (0) alone."""

    owner: int
    group: int
    """A number of `Define` with kind `DEFINE_GROUP`."""
    note: str = ""
    """What the link rests on."""
    actor: str = ""


AnyEvent: TypeAlias = (
    Query
    | RefusedRequest
    | Place
    | Cancel
    | CancelAll
    | Replace
    | Amend
    | RefusedAggregate
    | CommandResult
    | OrderTrade
    | OrderEnded
    | OrderReduced
    | TradeBust
    | BalanceAdjusted
    | MarketOrder
    | MarketTrade
    | Reference
    | EngineSession
    | SessionOpened
    | SessionClosed
    | SetState
    | SetSymbolState
    | BulkCancel
    | Deadline
    | ClearBan
    | RecordRead
    | RulebookChanged
    | RunBegan
    | Define
    | DefineSymbol
    | DefineAccount
    | DefineKey
    | RecordSpace
    | PostFees
    | ActOnCase
    | LinkOwners
    | OwnerClassChanged
)
"""The union the record is decoded with."""

REQUESTS: tuple[type[Request], ...] = (
    Query,
    RefusedRequest,
    Place,
    Cancel,
    CancelAll,
    Replace,
    Amend,
)
ORDER_REQUESTS: tuple[type[Request], ...] = (Place, Cancel, CancelAll, Replace, Amend)
