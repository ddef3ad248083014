"""The parameters of the rules about how long orders rest, and of who counts as what; see `rules.clauses`."""

from typing import Literal, TypeAlias

import msgspec

from rules.clause_base import Clause
from rules.texts import Count, DayCount, DecimalText, DurationText

RestingPolicyText: TypeAlias = Literal["REJECT", "DEFER", "CHARGE"]
OwnerClassText: TypeAlias = Literal["ordinary", "high_frequency", "market_maker"]


class RestingCaseClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Orders that have another minimum; what is left empty fits every order."""

    symbols: tuple[str, ...] = ()
    """Orders in these symbols."""
    classes: tuple[OwnerClassText, ...] = ()
    """Orders of owners of these classes (rule `owner_class`; market makers by their agreement)."""
    algo: bool | None = None
    """Orders that an algorithm decided, or (false) that none did."""
    minimum: DurationText
    """The minimum of these orders; `0s`: they need not rest."""
    policy: RestingPolicyText | None = None
    """What is done about those that are younger; left out: what the rule does."""
    tariff: str = ""
    """The tariff of CHARGE; empty: the rule's."""


class RestingTimeClause(Clause, frozen=True, kw_only=True):
    """Minimum resting time: no cancel or amend before the order has rested so long."""

    minimum: DurationText = "500ms"
    """An order younger than this is held."""
    policy: RestingPolicyText = "REJECT"
    """Refuse the request, put a cancel off until the order is old enough, or charge for it."""
    tariff: str = ""
    """CHARGE: the tariff whose `age_curve` is the price; rule `cancel_fees` posts it."""
    symbols: dict[str, DurationText] = {}
    """Other minimums by symbol name."""
    algo_only: bool = False
    """Only orders flagged as decided by an algorithm."""
    exempt_reducing: bool = False
    """Whether an amend that only takes quantity off is exempt."""
    exempt_auction: bool = False
    """Whether orders are exempt while their symbol is in an auction."""
    exempt_quotes: bool = True
    """Whether orders flagged as market making are exempt in accounts of market makers."""
    cases: tuple[RestingCaseClause, ...] = ()
    """Orders with another minimum; the first case that fits counts, before `symbols`."""


def charge_tariffs(clause: RestingTimeClause) -> tuple[str, ...]:
    """Return the tariffs that are charged by at once, each once; none where the rule is off."""
    if clause.mode == "off":
        return ()
    terms = [(clause.policy, clause.tariff)]
    terms += [(case.policy or clause.policy, case.tariff or clause.tariff) for case in clause.cases]
    return tuple(dict.fromkeys(tariff for policy, tariff in terms if policy == "CHARGE"))


class OwnerClassClause(Clause, frozen=True, kw_only=True):
    """Who trades at high frequency, by messages sent on average over the trading day.

    In `shadow` messages are counted and nobody is classed.
    """

    one_instrument: DecimalText = "2"
    """Messages a second in one instrument, from which on an owner trades at high frequency."""
    all_instruments: DecimalText = "4"
    """Messages a second in all instruments together, from which on he does too."""
    trading_day: DurationText = "24h"
    """Length of the trading day over which the average is taken."""
    session_starts: str = "00:00"
    """Time of day, UTC, at which the counts begin anew."""
    symbols: tuple[str, ...] = ()
    """Instruments with a liquid market, whose messages are counted; empty: all."""
    count_rejects: bool = False
    """Whether refused messages are counted."""
    kept_days: DayCount = 30
    """So many trading days after the last one with such a rate the class ends."""


class AgeCostStepClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is added for an order younger than an age."""

    under: DurationText
    """Orders younger than this, and not younger than the step before."""
    amend: Count = 0
    """Points of an amend."""
    replace: Count = 0
    """Points of a replacement."""
    cancel: Count = 0
    """Points of a cancel."""


class AgeCostTierClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counter of accounts of a tier."""

    limit: DecimalText
    """The counter may not pass this."""
    decay: DecimalText
    """The counter falls by so many points a second."""


class AgeCostClause(Clause, frozen=True, kw_only=True):
    """Cost of orders, amends and cancels by the age of the order, in a counter that decays."""

    per: Literal["account", "key", "owner"] = "account"
    """Whose counter it is, in each symbol."""
    limit: DecimalText = "125"
    """The counter may not pass this."""
    decay: DecimalText = "2.34"
    """The counter falls by so many points a second."""
    tiers: dict[str, AgeCostTierClause] = {}
    """Counters of accounts of a tier, instead of these."""
    place: Count = 1
    """Points of a new order."""
    amend: Count = 1
    """Points of an amend, whatever the order's age."""
    replace: Count = 1
    """Points of a replacement, whatever the order's age."""
    cancel: Count = 0
    """Points of a cancel, whatever the order's age."""
    steps: tuple[AgeCostStepClause, ...] = (
        AgeCostStepClause(under="5s", amend=3, replace=6, cancel=8),
        AgeCostStepClause(under="10s", amend=2, replace=5, cancel=6),
        AgeCostStepClause(under="15s", amend=1, replace=4, cancel=5),
        AgeCostStepClause(under="45s", replace=2, cancel=4),
        AgeCostStepClause(under="90s", replace=1, cancel=2),
        AgeCostStepClause(under="300s", cancel=1),
    )
    """Points by age, the youngest first; none from the last age on."""
