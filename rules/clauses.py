"""The parameters of every rule and instrument, as a rulebook states them.

These structs are the schema of a rulebook file: unknown fields are errors, durations are texts
such as `500ms`, `10s`, `1m`, `24h`, `3d`, and prices, quantities and shares are decimal texts
(never floating point). `rules.rulebook` turns them into integers once, at load time.
"""

from typing import Literal

import msgspec

from rules import conduct_clauses as conduct
from rules import ratio_clauses as ratios
from rules import resting_clauses as resting
from rules import surveillance_clauses as surveillance
from rules.clause_base import Clause, Mode
from rules.fee_clauses import TariffFile
from rules.texts import (
    Count,
    DayCount,
    DecimalText,
    DurationText,
    OrderTypeText,
    PositiveCount,
    StpModeText,
    SwitchableDecimalText,
)

__all__ = ["Clause", "Mode"]


class WindowClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fixed window aligned to the UTC clock: at most `limit` in each `interval`."""

    interval: DurationText
    """Length of the window, in whole seconds."""
    limit: Count
    """The most that may be used in one window."""


class BanLadderClause(Clause, frozen=True, kw_only=True):
    """Rate-limit refusals of one address that turn into a ban, and how bans grow."""

    refusals: PositiveCount = 10
    """So many rate-limit refusals of one address start a ban."""
    within: DurationText = "1m"
    """Counted from the first refusal."""
    first_ban: DurationText = "2m"
    """How long the first ban lasts."""
    longest_ban: DurationText = "3d"
    """No ban lasts longer."""
    growth: PositiveCount = 2
    """Each further ban is so many times as long as the one before."""
    forgiven_after: DurationText = "24h"
    """Time since the end of the last ban after which the next is a first one again."""


class OverloadClause(Clause, frozen=True, kw_only=True):
    """What is shed when there is no room: strangers, then queries, then new orders."""

    unsigned_windows: tuple[WindowClause, ...] = ()
    """Queries without a signature that are answered, of all addresses together."""
    known_for: DurationText = "24h"
    """Addresses that a key was proved from in this or the last such period are not counted."""


class RawRequestsClause(Clause, frozen=True, kw_only=True):
    """Requests of one address, whatever their weight."""

    windows: tuple[WindowClause, ...] = ()
    """Requests of one address, whatever their weight."""


class RequestWeightClause(Clause, frozen=True, kw_only=True):
    """Weight used by one address; `gate_windows` is the budget of the gate's own routes."""

    windows: tuple[WindowClause, ...] = ()
    """Weight used by one address."""
    gate_windows: tuple[WindowClause, ...] = ()
    """Weight one address uses on the gate's own routes."""


class AuthenticationClause(Clause, frozen=True, kw_only=True):
    """The verdict of authentication, where the endpoint asks for it."""


class RecvWindowClause(Clause, frozen=True, kw_only=True):
    """Timestamp and recvWindow."""

    default: DurationText = "5s"
    """Used when a request names none."""
    longest: DurationText = "60s"
    """A longer recvWindow is refused."""
    ahead: DurationText = "1s"
    """A timestamp this far ahead of the server, or further, is refused."""
    invalid_ahead: DurationText = "10s"
    """A timestamp further ahead than this is not a timestamp at all."""
    earliest: str = "2017-01-01T00:00:00Z"
    """An earlier timestamp is not a timestamp at all."""


class KeyStandingClause(Clause, frozen=True, kw_only=True):
    """The key must be enabled, unexpired and used from a listed address."""


class PermissionClause(Clause, frozen=True, kw_only=True):
    """The key must hold the permission the endpoint needs."""


class AccountStandingClause(Clause, frozen=True, kw_only=True):
    """The account must exist and be enabled."""


class StopStateClause(Clause, frozen=True, kw_only=True):
    """Stop states of venue, symbol, owner, account and key; the strictest wins."""

    slow_interval: DurationText = "1s"
    """Least time between two new orders of an owner in state SLOW."""


class SymbolStateClause(Clause, frozen=True, kw_only=True):
    """The symbol must be open for what is asked."""


class OrderCountClause(Clause, frozen=True, kw_only=True):
    """Unfilled orders of one account, over all its keys."""

    windows: tuple[WindowClause, ...] = ()
    """Unfilled orders of one account."""
    tiers: dict[str, tuple[WindowClause, ...]] = {}
    """Windows of accounts of a tier, instead of `windows`."""
    first_fill_credit: Count = 1
    """What the first fill of an order takes off the count, in every window, never below 0."""


class PriceFilterClause(Clause, frozen=True, kw_only=True):
    """PRICE_FILTER of the instrument."""


class LotSizeClause(Clause, frozen=True, kw_only=True):
    """LOT_SIZE of the instrument."""


class MarketLotSizeClause(Clause, frozen=True, kw_only=True):
    """MARKET_LOT_SIZE of the instrument."""


class MinNotionalClause(Clause, frozen=True, kw_only=True):
    """MIN_NOTIONAL of the instrument."""


class NotionalClause(Clause, frozen=True, kw_only=True):
    """NOTIONAL of the instrument."""


class PercentPriceClause(Clause, frozen=True, kw_only=True):
    """PERCENT_PRICE of the instrument."""


class PercentPriceBySideClause(Clause, frozen=True, kw_only=True):
    """PERCENT_PRICE_BY_SIDE of the instrument."""


class MaxNumOrdersClause(Clause, frozen=True, kw_only=True):
    """MAX_NUM_ORDERS of the instrument."""


class KnownOrderClause(Clause, frozen=True, kw_only=True):
    """The order named by a cancel, amend or replace must be open and the account's own."""


class OrderSizeClause(Clause, frozen=True, kw_only=True):
    """Maximum order volume (RTS 6 Art. 15(1)(c), RTS 7 Art. 20(1)(c)); see `max_order_quantity`."""


class OrderValueClause(Clause, frozen=True, kw_only=True):
    """Maximum order value (RTS 6 Art. 15(1)(b), RTS 7 Art. 20(1)(b)); see `max_order_value`."""


class PriceCollarClause(Clause, frozen=True, kw_only=True):
    """Price collar (RTS 6 Art. 15(1)(a), RTS 7 Art. 20(1)(a))."""

    aggressive: DecimalText = "0.05"
    """How far above (buy) or below (sell) the reference a price may be, as a share of it."""
    passive: DecimalText = "0.30"
    """How far on the other side, where the order would rest."""
    last_max_age: DurationText = "5s"
    """An older last trade is no reference; the mid of best bid and offer is next."""
    quote_max_age: DurationText = "60s"
    """Older best prices are no reference; the previous close is next, then none."""
    previous_close: bool = True
    """Whether the instrument's previous close may serve before the first trade of the run."""
    stale_last: bool = False
    """Whether the last trade serves, however old, when nothing younger does. Without it a market whose
    book has emptied stays shut: no order can be the first."""


class PriceCollarPeriodClause(Clause, frozen=True, kw_only=True):
    """Price collar over a period of time (RTS 6 Art. 15(1)(a))."""

    aggressive: DecimalText = "0.10"
    """How far above the period's lowest reference (buy) or below its highest (sell)."""
    period: DurationText = "60s"
    """How far back the extremes are looked for, in whole seconds."""


class MarketProtectionClause(Clause, frozen=True, kw_only=True):
    """Cap of the price a market order may reach."""

    distance: DecimalText = "0.03"
    """How far from the reference, as a share of it."""


class DuplicateClientOrderIdClause(Clause, frozen=True, kw_only=True):
    """Uniqueness of client order ids."""

    among: Literal["open", "forever", "window"] = "open"
    """Open, in flight or unknown orders; every order ever; or those of the last `window`."""
    window: DurationText = "24h"
    """Used where `among` is `window`."""


class BalanceClause(Clause, frozen=True, kw_only=True):
    """The order must be affordable from the free balance at its worst case."""


class OrderToTradeClause(Clause, frozen=True, kw_only=True):
    """Order-to-trade ratio of RTS 9 Art. 3 with the counts of its Annex, per owner and symbol."""

    max_number: SwitchableDecimalText = ""
    """Highest ratio by number; empty: counted and reported, never refused."""
    max_volume: SwitchableDecimalText = ""
    """Highest ratio by volume; empty: counted and reported, never refused."""
    floor_trades: Count = 1
    """The ratio by number divides by no fewer trades."""
    floor_volume: DecimalText = "0"
    """The ratio by volume divides by no less volume."""
    minimum_orders: Count = 1000
    """No judgement before so many counted messages in the session."""
    market_maker_factor: PositiveCount = 10
    """Maximums of a market maker are so many times as high."""
    session_starts: str = "00:00"
    """Time of day, UTC, at which the counts begin anew."""
    count_rejects: bool = True
    """Whether refused messages are counted (RTS 9 says input messages)."""
    rolling: DurationText = "0s"
    """Length of a rolling window beside the session, in whole steps; `0s` for none."""
    rolling_step: DurationText = "30s"
    """The rolling window moves on by this much at a time."""
    rolling_max_number: SwitchableDecimalText = ""
    """Highest ratio by number in the rolling window; empty: counted and reported."""
    rolling_max_volume: SwitchableDecimalText = ""
    """Highest ratio by volume in the rolling window; empty: counted and reported."""
    rolling_minimum_orders: Count = 100
    """No judgement before so many counted messages in the rolling window."""
    notice: DecimalText = "0.8"
    """From this share of a maximum on the client is told."""
    slow_interval: DurationText = "1s"
    """Least time between two messages above a maximum, up to `cancel_only` times it."""
    cancel_only: DecimalText = "1"
    """Above so many times a maximum only cancels pass; `1`: there is no slow step."""


class CancelFeesClause(Clause, frozen=True, kw_only=True):
    """Cancel-ratio fees and transaction taxes by tariffs (MiFID II Art. 48(9)).

    In `shadow` everything is counted and shown, and nothing is posted.
    """

    tariffs: tuple[str, ...] = ()
    """Tariffs by which owners are charged: shipped ones, or tables `[tariffs.<name>]`."""
    market_maker_tariffs: tuple[str, ...] = ()
    """Tariffs for what accounts of market makers do; empty: the same as for others."""
    exempt_market_makers: bool = False
    """Whether accounts of market makers are charged nothing."""
    correction_days: DayCount = 3
    """So many days after its day an annulled trade still changes a fee."""


class RuleClauses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[rules.*]` tables of a rulebook; an absent rule is off."""

    ban_ladder: BanLadderClause = BanLadderClause()
    overload: OverloadClause = OverloadClause()
    raw_requests: RawRequestsClause = RawRequestsClause()
    request_weight: RequestWeightClause = RequestWeightClause()
    authentication: AuthenticationClause = AuthenticationClause()
    recv_window: RecvWindowClause = RecvWindowClause()
    key_standing: KeyStandingClause = KeyStandingClause()
    permission: PermissionClause = PermissionClause()
    account_standing: AccountStandingClause = AccountStandingClause()
    stop_state: StopStateClause = StopStateClause()
    symbol_state: SymbolStateClause = SymbolStateClause()
    known_order: KnownOrderClause = KnownOrderClause()
    order_count: OrderCountClause = OrderCountClause()
    price_filter: PriceFilterClause = PriceFilterClause()
    percent_price: PercentPriceClause = PercentPriceClause()
    percent_price_by_side: PercentPriceBySideClause = PercentPriceBySideClause()
    lot_size: LotSizeClause = LotSizeClause()
    market_lot_size: MarketLotSizeClause = MarketLotSizeClause()
    min_notional: MinNotionalClause = MinNotionalClause()
    notional: NotionalClause = NotionalClause()
    max_num_orders: MaxNumOrdersClause = MaxNumOrdersClause()
    order_size: OrderSizeClause = OrderSizeClause()
    order_value: OrderValueClause = OrderValueClause()
    price_collar: PriceCollarClause = PriceCollarClause()
    price_collar_period: PriceCollarPeriodClause = PriceCollarPeriodClause()
    market_protection: MarketProtectionClause = MarketProtectionClause()
    duplicate_client_order_id: DuplicateClientOrderIdClause = DuplicateClientOrderIdClause()
    balance: BalanceClause = BalanceClause()
    resting_time: resting.RestingTimeClause = resting.RestingTimeClause()
    owner_class: resting.OwnerClassClause = resting.OwnerClassClause()
    age_cost: resting.AgeCostClause = resting.AgeCostClause()
    order_to_trade: OrderToTradeClause = OrderToTradeClause()
    unfilled_ratio: ratios.UnfilledRatioClause = ratios.UnfilledRatioClause()
    invalid_cancel_ratio: ratios.InvalidCancelRatioClause = ratios.InvalidCancelRatioClause()
    expired_ratio: ratios.ExpiredRatioClause = ratios.ExpiredRatioClause()
    dust_ratio: ratios.DustRatioClause = ratios.DustRatioClause()
    cancel_fees: CancelFeesClause = CancelFeesClause()
    owner_self_trade: conduct.OwnerSelfTradeClause = conduct.OwnerSelfTradeClause()
    tape_painting: conduct.TapePaintingClause = conduct.TapePaintingClause()
    fictitious_bids: conduct.FictitiousBidsClause = conduct.FictitiousBidsClause()
    matched_trades: conduct.MatchedTradesClause = conduct.MatchedTradesClause()
    target_ramp: conduct.TargetRampClause = conduct.TargetRampClause()
    layering: surveillance.LayeringClause = surveillance.LayeringClause()
    quote_stuffing: surveillance.QuoteStuffingClause = surveillance.QuoteStuffingClause()
    momentum_ignition: surveillance.MomentumIgnitionClause = surveillance.MomentumIgnitionClause()
    reset_marking: surveillance.ResetMarkingClause = surveillance.ResetMarkingClause()
    split_orders: surveillance.SplitOrdersClause = surveillance.SplitOrdersClause()
    concentration: surveillance.ConcentrationClause = surveillance.ConcentrationClause()
    scattered_bids: surveillance.ScatteredBidsClause = surveillance.ScatteredBidsClause()
    clusters: surveillance.ClustersClause = surveillance.ClustersClause()
    conduct_standing: conduct.ConductStandingClause = conduct.ConductStandingClause()


class EndpointClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one endpoint costs and needs (`[endpoints.<name>]`)."""

    weight: Count = 1
    """Weight of a request; where `weight_success` is given, of one that fails."""
    weight_success: Count | None = None
    """Weight when it succeeds; absent: the same as `weight`."""
    steps: tuple[tuple[Count, Count], ...] = ()
    """Weight by size: (largest size, weight) in rising order, instead of `weight`."""
    per_item: Count = 0
    """Weight for each item of `size`, at most `weight`; used when above 0."""
    all_items: Count = 0
    """Weight when `size` is 0 (all symbols) and `per_item` or `steps` is given."""
    security: Literal["none", "key", "signed"] = "none"
    """Nothing, an API key, or a key and a signature."""
    permission: Literal["", "read", "trade", "margin", "futures"] = ""
    """What the key must permit."""
    orders: Count = 0
    """What it adds to the order count when accepted."""
    gate: bool = False
    """One of the gate's own routes, with a budget of their own."""


class InstrumentClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters and limits of one symbol (`[instruments.<symbol>]`); absent ones are inherited.

    `[instruments.default]` is what every symbol starts from. An empty text or a `0` turns the
    single check off.
    """

    min_price: SwitchableDecimalText | None = None
    """PRICE_FILTER, lowest price."""
    max_price: SwitchableDecimalText | None = None
    """PRICE_FILTER, highest price."""
    tick_size: SwitchableDecimalText | None = None
    """PRICE_FILTER, prices are multiples of it."""
    min_quantity: SwitchableDecimalText | None = None
    """LOT_SIZE, least quantity."""
    max_quantity: SwitchableDecimalText | None = None
    """LOT_SIZE, largest quantity."""
    step_size: SwitchableDecimalText | None = None
    """LOT_SIZE, quantities are multiples of it."""
    market_min_quantity: SwitchableDecimalText | None = None
    """MARKET_LOT_SIZE, least quantity of a market order."""
    market_max_quantity: SwitchableDecimalText | None = None
    """MARKET_LOT_SIZE, largest quantity of a market order."""
    market_step_size: SwitchableDecimalText | None = None
    """MARKET_LOT_SIZE, quantities of market orders are multiples of it."""
    min_notional: SwitchableDecimalText | None = None
    """MIN_NOTIONAL."""
    min_notional_applies_to_market: bool | None = None
    """MIN_NOTIONAL, also for market orders."""
    notional_min: SwitchableDecimalText | None = None
    """NOTIONAL, lower bound."""
    notional_max: SwitchableDecimalText | None = None
    """NOTIONAL, upper bound."""
    notional_min_applies_to_market: bool | None = None
    """NOTIONAL, lower bound also for market orders."""
    notional_max_applies_to_market: bool | None = None
    """NOTIONAL, upper bound also for market orders."""
    percent_price_up: SwitchableDecimalText | None = None
    """PERCENT_PRICE, highest price as a multiple of the average."""
    percent_price_down: SwitchableDecimalText | None = None
    """PERCENT_PRICE, lowest price as a multiple of the average."""
    bid_multiplier_up: SwitchableDecimalText | None = None
    """PERCENT_PRICE_BY_SIDE, highest price of a buy."""
    bid_multiplier_down: SwitchableDecimalText | None = None
    """PERCENT_PRICE_BY_SIDE, lowest price of a buy."""
    ask_multiplier_up: SwitchableDecimalText | None = None
    """PERCENT_PRICE_BY_SIDE, highest price of a sell."""
    ask_multiplier_down: SwitchableDecimalText | None = None
    """PERCENT_PRICE_BY_SIDE, lowest price of a sell."""
    average_price_minutes: Count | None = None
    """Minutes the average price is taken over; 0: the last price."""
    max_num_orders: Count | None = None
    """MAX_NUM_ORDERS, open orders of one account in the symbol."""
    max_order_quantity: SwitchableDecimalText | None = None
    """Largest quantity of one order, for the rule order_size."""
    max_order_value: SwitchableDecimalText | None = None
    """Largest value of one order in quote asset, for the rule order_value."""
    order_types: tuple[OrderTypeText, ...] | None = None
    """Order types that are taken."""
    stp_modes: tuple[StpModeText, ...] | None = None
    """Modes of self-trade prevention that may be asked for."""
    default_stp_mode: StpModeText | None = None
    """The mode of orders that name none."""


class RulebookFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rulebook file after inheritance has been resolved."""

    name: str
    """The file's name without its ending; may be left out."""
    description: str = ""
    """One line, shown by `ordergate rulebook list`."""
    extends: str = ""
    """A shipped rulebook, or one in a file beside this one."""
    revision: str = ""
    """Free text of the author; the revision in records is a digest of the content."""
    rules: RuleClauses = RuleClauses()
    """What each rule does."""
    endpoints: dict[str, EndpointClause] = {}
    """What each endpoint costs and needs; an absent one weighs 1 and needs nothing."""
    instruments: dict[str, InstrumentClause] = {}
    """Filters and limits by symbol, and what all start from in `default`."""
    tariffs: dict[str, TariffFile] = {}
    """Tariffs by name; a shipped one that a rule names is put here when the rulebook is read."""
