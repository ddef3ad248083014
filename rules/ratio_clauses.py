"""The parameters of the indicators by which Binance judges trading by API; see `rules.clauses`."""

from rules.clause_base import Clause
from rules.texts import Count, DecimalText, DurationText, PositiveCount, SwitchableDecimalText


class IndicatorClause(Clause, frozen=True, kw_only=True):
    """What all indicators have in common: counted per owner and symbol in fixed windows."""

    window: DurationText = "10m"
    """Length of the window, in whole seconds; windows are aligned to the UTC clock."""
    minimum_orders: Count = 5000
    """No judgement before so many orders in the window."""
    maximum: DecimalText = "0.99"
    """From this share on the owner is slowed."""
    tiers: dict[str, DecimalText] = {}
    """Other shares by account tier."""
    market_maker_maximum: SwitchableDecimalText = ""
    """The share for accounts of market makers; empty: they are not judged."""
    notice: DecimalText = "0.9"
    """From this part of the maximum on the client is told."""
    lock: DurationText = "10m"
    """How long a measure holds."""
    slow_interval: DurationText = "1s"
    """Least time between two messages of an owner who is slowed."""
    cancel_only_after: PositiveCount = 2
    """From so many excesses within `memory` on only cancels pass; 1: at the first."""
    memory: DurationText = "24h"
    """How long an excess is remembered."""


class UnfilledRatioClause(IndicatorClause, frozen=True, kw_only=True):
    """UFR, unfilled ratio: 1 - executed quantity / ordered quantity."""

    minimum_orders: Count = 10000
    """No judgement before so many orders in the window."""


class InvalidCancelRatioClause(IndicatorClause, frozen=True, kw_only=True):
    """ICR, invalid cancellation ratio: orders cancelled too young / orders that could rest."""

    invalid_under: DurationText = "5s"
    """An order cancelled before it was so old was no order to trade."""


class ExpiredRatioClause(IndicatorClause, frozen=True, kw_only=True):
    """IFER, IOC and FOK expiry ratio: expired IOC and FOK orders / IOC and FOK orders."""


class DustRatioClause(IndicatorClause, frozen=True, kw_only=True):
    """DR, dust ratio: orders of little value / orders."""

    minimum_orders: Count = 10000
    """No judgement before so many orders in the window."""
    maximum: DecimalText = "0.9"
    """From this share on the owner is slowed."""
    dust_value: DecimalText = "50"
    """An order worth less, in quote asset, is dust."""
    symbols: dict[str, DecimalText] = {}
    """Other values by symbol."""
