"""One symbol's filters and limits as integers, and how an endpoint is weighed."""

from typing import Final

from rules.clauses import EndpointClause, InstrumentClause
from rules.units import decimal_e8
from rules.values import ORDER_TYPE_NAMES, STP_MODE_NAMES

SECURITY_NONE: Final = 0
SECURITY_KEY: Final = 1
SECURITY_SIGNED: Final = 2
_SECURITY: Final = {"none": SECURITY_NONE, "key": SECURITY_KEY, "signed": SECURITY_SIGNED}
_PERMISSION: Final = {"": 0, "read": 1, "trade": 2, "margin": 4, "futures": 8}


class Filters:
    """Filters and limits of one symbol, in 1e-8 units; 0 turns a single check off."""

    __slots__ = (
        "ask_multiplier_down_e8",
        "ask_multiplier_up_e8",
        "average_price_minutes",
        "bid_multiplier_down_e8",
        "bid_multiplier_up_e8",
        "default_stp_mode",
        "market_max_quantity_e8",
        "market_min_quantity_e8",
        "market_step_e8",
        "max_num_orders",
        "max_order_quantity_e8",
        "max_order_value_e8",
        "max_price_e8",
        "max_quantity_e8",
        "min_notional_applies_to_market",
        "min_notional_e8",
        "min_price_e8",
        "min_quantity_e8",
        "notional_max_applies_to_market",
        "notional_max_e8",
        "notional_min_applies_to_market",
        "notional_min_e8",
        "order_types",
        "percent_price_down_e8",
        "percent_price_up_e8",
        "step_e8",
        "stp_modes",
        "tick_e8",
    )

    def __init__(self, clause: InstrumentClause) -> None:
        """Compile a fully inherited clause; raises ValueError on a text that is no decimal."""
        self.min_price_e8 = _e8(clause.min_price)
        self.max_price_e8 = _e8(clause.max_price)
        self.tick_e8 = _e8(clause.tick_size)
        self.min_quantity_e8 = _e8(clause.min_quantity)
        self.max_quantity_e8 = _e8(clause.max_quantity)
        self.step_e8 = _e8(clause.step_size)
        self.market_min_quantity_e8 = _e8(clause.market_min_quantity)
        self.market_max_quantity_e8 = _e8(clause.market_max_quantity)
        self.market_step_e8 = _e8(clause.market_step_size)
        self.min_notional_e8 = _e8(clause.min_notional)
        self.min_notional_applies_to_market = bool(clause.min_notional_applies_to_market)
        self.notional_min_e8 = _e8(clause.notional_min)
        self.notional_max_e8 = _e8(clause.notional_max)
        self.notional_min_applies_to_market = bool(clause.notional_min_applies_to_market)
        self.notional_max_applies_to_market = bool(clause.notional_max_applies_to_market)
        self.percent_price_up_e8 = _e8(clause.percent_price_up)
        self.percent_price_down_e8 = _e8(clause.percent_price_down)
        self.bid_multiplier_up_e8 = _e8(clause.bid_multiplier_up)
        self.bid_multiplier_down_e8 = _e8(clause.bid_multiplier_down)
        self.ask_multiplier_up_e8 = _e8(clause.ask_multiplier_up)
        self.ask_multiplier_down_e8 = _e8(clause.ask_multiplier_down)
        self.average_price_minutes = clause.average_price_minutes or 0
        self.max_num_orders = clause.max_num_orders or 0
        self.max_order_quantity_e8 = _e8(clause.max_order_quantity)
        self.max_order_value_e8 = _e8(clause.max_order_value)
        self.order_types = tuple(
            ORDER_TYPE_NAMES.index(name)
            for name in (clause.order_types or ("LIMIT", "MARKET", "LIMIT_MAKER"))
        )
        self.stp_modes = tuple(
            STP_MODE_NAMES.index(name) for name in (clause.stp_modes or STP_MODE_NAMES[1:6])
        )
        self.default_stp_mode = STP_MODE_NAMES.index(clause.default_stp_mode or "EXPIRE_MAKER")


class EndpointEntry:
    """What one endpoint costs and needs, as integers."""

    __slots__ = (
        "all_items",
        "flat",
        "gate",
        "orders",
        "per_item",
        "permission",
        "security",
        "steps",
        "weight_failure",
        "weight_success",
    )

    def __init__(self, clause: EndpointClause) -> None:
        self.weight_failure = clause.weight
        self.weight_success = (
            clause.weight if clause.weight_success is None else clause.weight_success
        )
        self.steps = clause.steps
        self.per_item = clause.per_item
        self.all_items = clause.all_items
        self.flat = not (clause.steps or clause.per_item)
        """Whether the weight is the same for every size."""
        self.security = _SECURITY[clause.security]
        self.permission = _PERMISSION[clause.permission]
        self.orders = clause.orders
        self.gate = clause.gate

    def weight_for(self, size: int) -> int:
        """Return the weight of a request of `size` when it fails (or has one weight)."""
        if self.flat:
            return self.weight_failure
        if self.steps:
            if size == 0 and self.all_items:
                return self.all_items
            for largest, weight in self.steps:
                if size <= largest:
                    return weight
            return self.steps[-1][1]
        if self.per_item:
            if size == 0:
                return self.all_items or self.weight_failure
            return min(self.weight_failure, self.per_item * size)
        return self.weight_failure

    def weight_success_for(self, size: int) -> int:
        """Return the weight of a request of `size` when it succeeds."""
        return self.weight_success if self.flat else self.weight_for(size)


def _e8(text: str | None) -> int:
    return decimal_e8(text) if text else 0
