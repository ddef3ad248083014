"""All rules, in the order of precedence in which their breaches are told to the client.

Access rules end the evaluation at the first breach, then gates do, then all limits are evaluated.
"""

from typing import Final

from rules.access.account_standing import AccountStanding
from rules.access.authentication import Authentication
from rules.access.ban_ladder import BanLadder
from rules.access.key_standing import KeyStanding
from rules.access.overload import Overload
from rules.access.permission import Permission
from rules.access.recv_window import RecvWindow
from rules.conduct.age_cost import AgeCost
from rules.conduct.cancel_fees import CancelFees
from rules.conduct.clusters import Clusters
from rules.conduct.concentration import Concentration
from rules.conduct.conduct_standing import ConductStanding
from rules.conduct.dust_ratio import DustRatio
from rules.conduct.expired_ratio import ExpiredRatio
from rules.conduct.fictitious_bids import FictitiousBids
from rules.conduct.invalid_cancel_ratio import InvalidCancelRatio
from rules.conduct.layering import Layering
from rules.conduct.matched_trades import MatchedTrades
from rules.conduct.momentum_ignition import MomentumIgnition
from rules.conduct.order_to_trade import OrderToTrade
from rules.conduct.owner_class import OwnerClass
from rules.conduct.owner_self_trade import OwnerSelfTrade
from rules.conduct.quote_stuffing import QuoteStuffing
from rules.conduct.reset_marking import ResetMarking
from rules.conduct.resting_time import RestingTime
from rules.conduct.scattered_bids import ScatteredBids
from rules.conduct.split_orders import SplitOrders
from rules.conduct.tape_painting import TapePainting
from rules.conduct.target_ramp import TargetRamp
from rules.conduct.unfilled_ratio import UnfilledRatio
from rules.exposure.balance import Balance
from rules.exposure.duplicate_client_order_id import DuplicateClientOrderId
from rules.exposure.known_order import KnownOrder
from rules.exposure.market_protection import MarketProtection
from rules.exposure.order_size import OrderSize
from rules.exposure.order_value import OrderValue
from rules.exposure.price_collar import PriceCollar
from rules.exposure.price_collar_period import PriceCollarPeriod
from rules.filters.lot_size import LotSize
from rules.filters.market_lot_size import MarketLotSize
from rules.filters.max_num_orders import MaxNumOrders
from rules.filters.min_notional import MinNotional
from rules.filters.notional import Notional
from rules.filters.percent_price import PercentPrice
from rules.filters.percent_price_by_side import PercentPriceBySide
from rules.filters.price_filter import PriceFilter
from rules.halts.stop_state import StopState
from rules.halts.symbol_state import SymbolState
from rules.rates.order_count import OrderCount
from rules.rates.raw_requests import RawRequests
from rules.rates.request_weight import RequestWeight
from rules.rule import Rule
from rules.rulebook import Rulebook, RulebookError

RULES: Final[tuple[type[Rule], ...]] = (
    BanLadder,
    Overload,
    RawRequests,
    RequestWeight,
    Authentication,
    RecvWindow,
    KeyStanding,
    AccountStanding,
    Permission,
    StopState,
    SymbolState,
    ConductStanding,
    KnownOrder,
    OrderCount,
    PriceFilter,
    PercentPrice,
    PercentPriceBySide,
    LotSize,
    MarketLotSize,
    MinNotional,
    Notional,
    MaxNumOrders,
    DuplicateClientOrderId,
    OrderSize,
    OrderValue,
    PriceCollar,
    PriceCollarPeriod,
    MarketProtection,
    Balance,
    RestingTime,
    OwnerClass,
    AgeCost,
    OrderToTrade,
    UnfilledRatio,
    InvalidCancelRatio,
    ExpiredRatio,
    DustRatio,
    CancelFees,
    OwnerSelfTrade,
    TapePainting,
    FictitiousBids,
    MatchedTrades,
    TargetRamp,
    Layering,
    QuoteStuffing,
    MomentumIgnition,
    ResetMarking,
    SplitOrders,
    Concentration,
    ScatteredBids,
    Clusters,
)
"""Order of precedence: the first breach in this order is the one the client is told."""


def build_rules(rulebook: Rulebook) -> tuple[Rule, ...]:
    """Return the rules that are not off, in order of precedence.

    Raises RulebookError with every rule whose parameters can't be used.
    """
    built: list[Rule] = []
    errors: list[str] = []
    for kind in RULES:
        if mode_of(rulebook, kind.name) == "off":
            continue
        try:
            built.append(kind(rulebook))
        except ValueError as error:
            errors.append(f"{rulebook.name}: rules.{kind.name}: {error}")
    if errors:
        raise RulebookError(errors)
    return tuple(built)


def mode_of(rulebook: Rulebook, rule_name: str) -> str:
    """Return whether a rule is `enforce`, `shadow` or `off`."""
    mode: str = getattr(rulebook.clauses, rule_name).mode
    return mode
