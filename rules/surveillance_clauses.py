"""The parameters of the rules that watch for further patterns of conduct and only tell of them.

They refuse nothing themselves; what they tell moves the ladder when their mode is `enforce`, and
nothing when it is `shadow`. Shares are decimal texts of the whole (`0.1` is a tenth).
"""

from rules.conduct_clauses import PatternClause
from rules.texts import (
    DecimalText,
    DurationText,
    PositiveCount,
    PositiveDayCount,
    PositiveDurationText,
)


class LayeringClause(PatternClause, frozen=True, kw_only=True):
    """A5: orders at several prices of one side that go when an order on the other is executed."""

    levels: PositiveCount = 3
    """Least number of prices on one side"""
    depth_share: DecimalText = "0.20"
    """and least share of all that is displayed there, when an order on the other is executed."""
    flight: DurationText = "2s"
    """Within this time after the execution"""
    cancelled: DecimalText = "0.80"
    """this share of their quantity is taken away: an episode."""
    episodes: PositiveCount = 3
    """So many episodes"""
    window: DurationText = "10m"
    """in this last stretch make an alert."""


class QuoteStuffingClause(PatternClause, frozen=True, kw_only=True):
    """A6: bursts of messages far above what is usual, of orders that are gone at once."""

    per_second: PositiveCount = 200
    """Least number of messages in a second of the clock."""
    sigmas: PositiveCount = 20
    """The messages of the minute are so many standard deviations above the usual minute,"""
    days: PositiveDayCount = 20
    """as it was over so many days,"""
    history: DurationText = "10m"
    """once so much is known of them."""
    cancelled: DecimalText = "0.95"
    """Least share of the minute's orders that were cancelled."""
    life: DurationText = "100ms"
    """The median of their lives is shorter."""


class MomentumIgnitionClause(PatternClause, frozen=True, kw_only=True):
    """A7: a burst of orders that take one side and move the price, then the way back."""

    orders: PositiveCount = 5
    """Least number of orders of one side that took liquidity"""
    burst: DurationText = "5s"
    """within this time."""
    sigmas: PositiveCount = 3
    """They moved the price by so many standard deviations of a minute's move,"""
    minutes: PositiveCount = 60
    """as it was over so many minutes,"""
    minutes_least: PositiveCount = 10
    """once so many are known,"""
    move: DecimalText = "0.002"
    """and by this share of it at least."""
    reversal: DurationText = "30s"
    """Within this time after the burst"""
    reversed: DecimalText = "0.5"
    """this share of its quantity is executed on the other side."""


class ResetMarkingClause(PatternClause, frozen=True, kw_only=True):
    """A8: trades that set the price just before it is captured as a reference."""

    reset_times: tuple[str, ...] = ("00:00", "15:00")
    """Times of day, UTC, at which prices are captured."""
    before: DurationText = "5m"
    """What trades so long before one is looked at."""
    share: DecimalText = "0.30"
    """Least share of the quantity traded, taken in the direction the price went."""
    move: DecimalText = "0.02"
    """Least move of the price, either way."""
    orders: PositiveCount = 3
    """Least number of orders that took it."""


class SplitOrdersClause(PatternClause, frozen=True, kw_only=True):
    """A9: one order cut into many small ones at one price."""

    orders: PositiveCount = 20
    """Least number of small orders at one price and side"""
    window: DurationText = "60s"
    """in this last stretch, those the client took away again not counted."""
    small_factor: PositiveCount = 2
    """An order is small up to so many times the least notional of the symbol."""
    small_notional: DecimalText = "0"
    """Or up to this notional, where the symbol has no least one."""


class ConcentrationClause(PatternClause, frozen=True, kw_only=True):
    """What share of a symbol's day is one owner's: orders, changes, executions, price moves."""

    session_starts: DurationText = "0s"
    """When the day begins, after 00:00 UTC."""
    orders_least: PositiveCount = 5_000
    """A symbol's day (or burst) is judged from so many orders on."""
    orders: DecimalText = "0.60"
    """Share of the day's orders that is told."""
    changes: DecimalText = "0.70"
    """Share of the day's cancels, amends and replacements, from as many orders on."""
    burst: PositiveDurationText = "10m"
    """In a stretch of the clock as long as this"""
    burst_orders: DecimalText = "0.80"
    """this share of the orders is told, from a tenth of `orders_least` on."""
    trades_least: PositiveCount = 1_000
    """Executions and moves are judged from so many trades of the day on."""
    executions: DecimalText = "0.50"
    """Share of the day's quantity traded; each trade has two sides, both count."""
    moves: DecimalText = "0.50"
    """Share of all the price moved by, step by step, that the owner's takes made."""
    market_maker_share: DecimalText = "0.95"
    """Least share that is told of a market maker, of whatever."""


class ScatteredBidsClause(PatternClause, frozen=True, kw_only=True):
    """Orders far from the market that are taken away again, thinly over many symbols."""

    distance: DecimalText = "0.03"
    """Least distance from the last price when the order came."""
    filled: DecimalText = "0.01"
    """One that was executed beyond this share was meant."""
    orders: PositiveCount = 500
    """So many taken away in a day"""
    symbols: PositiveCount = 20
    """over so many symbols make an alert,"""
    cancelled: DecimalText = "0.90"
    """when they are this share of those that ended."""
    days: PositiveDayCount = 20
    """Over so many days"""
    orders_over_days: PositiveCount = 3_000
    """so many make one too, over as many symbols."""


class ClustersClause(PatternClause, frozen=True, kw_only=True):
    """Owners of whom no link is known, who take at the same moments again and again."""

    apart: DurationText = "200ms"
    """Two orders that take within this time come together."""
    window: PositiveDurationText = "10m"
    """In a stretch of the clock as long as this"""
    together: PositiveCount = 30
    """two owners come together so often at least,"""
    share: DecimalText = "0.50"
    """in this share of the orders of the one who took more often,"""
    by_chance: PositiveCount = 10
    """and so many times as often as chance would have it."""
    owners: PositiveCount = 3
    """So many owners, each with the one who came last, are told."""
