"""The parameters of the rules that look for patterns of conduct, and of the ladder of measures.

Shares are decimal texts of the whole (`0.1` is a tenth). Where a clause has `market_maker_factor`,
the counts a pattern needs are so many times as high for market makers: an agreement raises the
thresholds and removes none.
"""

from typing import Literal, TypeAlias

from rules.clause_base import Clause
from rules.texts import (
    Count,
    DecimalText,
    DurationText,
    PositiveCount,
    PositiveDurationText,
    PositiveMinuteCount,
)

StepText: TypeAlias = Literal["notice", "warning", "slow", "cancel_only", "kill"]


class PatternClause(Clause, frozen=True, kw_only=True):
    """Base of the patterns."""

    market_maker_factor: PositiveCount = 3
    """Counts a market maker must reach are so many times as high."""


class ConductStandingClause(Clause, frozen=True, kw_only=True):
    """The ladder of measures: notice, warning, slow, cancel only, kill."""

    slow_interval: DurationText = "1s"
    """Least time between two orders, replacements or amends of an owner in step slow."""
    decay: PositiveDurationText = "5d"
    """After so long without an alert a measure goes down one step; a kill does not."""
    grave_severity: PositiveCount = 3
    """An alert of this severity skips steps."""
    grave_step: StepText = "cancel_only"
    """It leads here at least."""
    highest: StepText = "cancel_only"
    """No alert leads further; `kill` cancels all orders and stays until released."""
    spread_symbols: Count = 3
    """From slow on in so many symbols the strictest measure holds in all; 0: never."""


class OwnerSelfTradeClause(Clause, frozen=True, kw_only=True):
    """An order must not trade with one of the same owner or of a linked one."""

    same_account: bool = False
    """Also among orders of one account, which are else left to self-trade prevention."""


class TapePaintingClause(PatternClause, frozen=True, kw_only=True):
    """F1: tiny market orders, back and forth, that make trading look active."""

    window: DurationText = "60s"
    """Orders of this last stretch are judged together."""
    orders: PositiveCount = 60
    """Least number of them that took liquidity."""
    alternation: DecimalText = "0.3"
    """Least share of them on the other side than the one before."""
    net: DecimalText = "0.10"
    """Highest share of the small ones' quantity that is left as a position."""
    small_factor: PositiveCount = 2
    """An order is small up to so many times the least notional of the symbol."""
    small_notional: DecimalText = "0"
    """Or up to this notional, where the symbol has no least one."""
    small_share: DecimalText = "0.90"
    """Least share of small orders; with half or more, their median is small too."""
    trade_share: DecimalText = "0.20"
    """Least share of the symbol's trades since the first of them."""
    minutes: PositiveMinuteCount = 5
    """So many minutes with it"""
    of_minutes: PositiveMinuteCount = 10
    """among so many make an alert."""
    high_bid: DecimalText = "0.005"
    """A bid so far above the last price by another key or channel aggravates it."""
    throttle: DurationText = "5s"
    """After an alert small orders that take pass once in this interval,"""
    throttled_for: DurationText = "10m"
    """for so long."""


class FictitiousBidsClause(PatternClause, frozen=True, kw_only=True):
    """F2: large orders away from the market that flee when it comes near."""

    distance: DecimalText = "0.03"
    """Least distance of a lure from the last price, as a share of it."""
    depth_share: DecimalText = "0.10"
    """Least share of its side's ten best levels, itself included"""
    displayed_share: DecimalText = "0.05"
    """or of all that is displayed on its side, itself included."""
    filled: DecimalText = "0.01"
    """A lure that was executed beyond this share did not flee."""
    flight: DurationText = "2s"
    """A lure that goes within this time after the market came a tick nearer has fled."""
    again: DurationText = "5s"
    """One that comes back within this time"""
    again_offset: DecimalText = "0.002"
    """and this close to its old distance has fled too."""
    imbalance: DecimalText = "0.10"
    """Least share of its side that the owner's lures are when one flees."""
    window: DurationText = "10m"
    """Flights of this last stretch are counted together."""
    flights: PositiveCount = 5
    """So many make an alert."""
    lures: PositiveCount = 20
    """Or so many lures"""
    cancelled: DecimalText = "0.9"
    """with this share of them cancelled unfilled."""
    barred_for: DurationText = "60s"
    """After an alert lures on that side are refused so long."""


class MatchedTradesClause(PatternClause, frozen=True, kw_only=True):
    """F3: trades arranged between linked accounts, and trades of an owner with himself."""

    apart: DurationText = "1s"
    """Orders entered no further apart may be a pair."""
    ticks: Count = 1
    """Their prices differ by no more ticks."""
    likeness: DecimalText = "0.9"
    """The smaller quantity is at least this share of the larger."""
    window: DurationText = "10m"
    """Pairs of this last stretch are counted together."""
    pairs: PositiveCount = 5
    """So many make an alert, with"""
    own_share: DecimalText = "0.30"
    """this share of the volume of the two"""
    symbol_share: DecimalText = "0.10"
    """or this share of the symbol's,"""
    inventory: DecimalText = "0.10"
    """and a position of the two that changed by at most this share of their volume."""
    unlinked: bool = True
    """Whether owners no link is known of are looked at too."""


class TargetRampClause(PatternClause, frozen=True, kw_only=True):
    """F4: a sell placed well above the market, then buys that pull the price up to it."""

    target: DecimalText = "0.05"
    """How far above the last price at its entry the sell stands at least."""
    target_share: DecimalText = "0.10"
    """Least quantity of the sells, as a share of what was bought."""
    window: DurationText = "10m"
    """Buys of this last stretch are judged together."""
    raising_buys: PositiveCount = 5
    """Least number of buys that raised the price."""
    uptick_share: DecimalText = "0.5"
    """Least share of all the price rose by, step by step."""
    buy_share: DecimalText = "0.30"
    """Least share of the volume of buyers who took."""
    rise: DecimalText = "0.03"
    """Least rise of the price since the first of them."""
    target_filled: DecimalText = "0.5"
    """A sell executed to this share after the rise completes a cycle."""
    cycles: PositiveCount = 2
    """So many cycles in 24 hours make it grave."""
    reset_times: tuple[str, ...] = ("00:00", "15:00")
    """Times of day, UTC, at which displayed price changes are reset;"""
    reset_margin: DurationText = "10m"
    """this near to one the severity counts twice."""
    barred_for: DurationText = "10m"
    """After an alert buys above the last price and one tick are refused so long."""
