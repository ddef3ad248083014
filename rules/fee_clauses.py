"""What a tariff file says: whom it charges, over which time, for what, and what is let off.

These structs are the schema of a tariff: unknown fields are errors, amounts and ratios are decimal
texts, ages are texts such as `500ms`. `rules.fees.tariff` reads them, and docs/fees.md explains
them with the columns they name.
"""

from typing import Literal

import msgspec

from rules.texts import Count, DecimalText, DurationText, SwitchableDecimalText


class SlabClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One slab: it begins above a ratio and ends where the next begins."""

    above: DecimalText
    """The ratio above which the slab begins, as a multiple of the base."""
    fee: DecimalText
    """Charged for each message within the slab."""


class SlabsClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fee on messages per trade in marginal slabs; with one slab a flat fee on the excess."""

    count: dict[str, DecimalText]
    """Columns that are counted, each with what one of it counts."""
    less: dict[str, DecimalText] = {}
    """Columns that are taken off, such as orders near the last price."""
    base: dict[str, DecimalText]
    """Columns the count is divided by, each with its weight."""
    base_floor: DecimalText = "1"
    """The base is never taken as less than this, so that no trade at all has a ratio too."""
    minimum: DecimalText = "0"
    """Below this count nothing is charged."""
    slabs: tuple[SlabClause, ...]
    """The slabs, from the lowest up."""


class AllowanceClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fee on each message above a limit, which may grow with what was traded."""

    count: dict[str, DecimalText]
    """Columns that are counted, each with what one of it counts."""
    limit: DecimalText
    """So many messages are free."""
    limit_per: dict[str, DecimalText] = {}
    """Columns that raise the limit, each by this much for one of it."""
    fee: DecimalText
    """Charged for each message above the limit."""


class LumpClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fixed charge where both a count and a ratio are reached."""

    count: dict[str, DecimalText]
    """Columns that are counted, each with what one of it counts."""
    base: dict[str, DecimalText]
    """Columns the count is divided by, each with its weight."""
    base_floor: DecimalText = "1"
    """The base is never taken as less than this."""
    minimum: DecimalText
    """The count from which on the charge is due."""
    ratio: DecimalText
    """The ratio from which on the charge is due."""
    fee: DecimalText
    """The charge."""


class CancelTaxClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tax on the value of what was cancelled and modified above a share of what was entered."""

    changed: dict[str, DecimalText]
    """Columns of volume that was cancelled or modified."""
    entered: dict[str, DecimalText]
    """Columns of volume it is a share of."""
    share: DecimalText
    """The share above which tax is due."""
    rate: DecimalText
    """Tax for each unit of value above the share."""


class AgePointClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point of a curve of prices."""

    age: DurationText
    """How old the order is when it is cancelled."""
    fee: DecimalText
    """Charged for cancelling it at that age."""


class AgeCurveClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price of cancelling that falls with the order's age, straight from point to point."""

    points: tuple[AgePointClause, ...]
    """The curve, from age 0 to the age from which on cancelling is free."""


class SellTaxClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tax on the value of what was sold."""

    rate: DecimalText
    """Tax for each unit of value sold."""


class ReliefClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is let off in each calendar month."""

    waivers: Count = 0
    """The first so many charges of the month are waived, in the order of days."""
    not_from: SwitchableDecimalText = ""
    """From this ratio on a charge is never waived; empty for no such ratio."""
    free_exceedances: Count = 0
    """With at most so many exceedances in the month none is charged; with more, all are."""
    per: Literal["symbol", "owner"] = "symbol"
    """Whether they are counted for each symbol or over all symbols of an owner."""


class DistanceWeightClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an order counts that is no further from the best price than this."""

    within: DecimalText
    """Distance from the best price of its side, as a share of it."""
    weight: DecimalText
    """What such an order counts."""


class CountingClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the gate counts what a published tariff leaves to whoever counts."""

    exempt_within: SwitchableDecimalText = ""
    """Entries and modifications so near the last price, as a share of it, are `exempt_orders`."""
    fast: DurationText = "500ms"
    """Changes of orders no older than this are `cancelled_fast` and `modified_fast`."""
    weights: tuple[DistanceWeightClause, ...] = ()
    """Weights of orders by distance, from the nearest on, for `weighted_orders`."""
    beyond: DecimalText = "1"
    """Weight of orders further away, and of those with no best price to measure from."""


class TariffFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tariff; exactly one of the models must be given."""

    name: str = ""
    """The file's name without `.toml`, if given."""
    description: str
    """What it charges, in one line."""
    source: str
    """Where it was published."""
    note: str = ""
    """What the source leaves open and how it is read here."""
    currency: str
    """Currency of every amount."""
    places: Count = 2
    """Least number of decimal places amounts are shown with; no digit is ever cut."""
    utc_offset: str = "+00:00"
    """Offset of the calendar's day from UTC."""
    period: Literal["day", "month"] = "day"
    """What one line of a statement covers."""
    per: Literal["symbol", "owner"] = "symbol"
    """Whether a line is of one symbol or of everything an owner did."""
    cap: SwitchableDecimalText = ""
    """The most that is charged; empty for no cap."""
    cap_per: Literal["line", "owner"] = "line"
    """Whether the cap holds for each line or for all lines of an owner in the same period."""
    relief: ReliefClause = ReliefClause()
    """What is let off in each calendar month."""
    counting: CountingClause = CountingClause()
    """How the gate counts, where it does so itself."""
    slabs: SlabsClause | None = None
    """The model of slabs."""
    allowance: AllowanceClause | None = None
    """The model of a limit that grows with trading."""
    lump: LumpClause | None = None
    """The model of a fixed charge."""
    cancel_tax: CancelTaxClause | None = None
    """The model of a tax on cancelled volume."""
    age_curve: AgeCurveClause | None = None
    """The model of a price by age."""
    sell_tax: SellTaxClause | None = None
    """The model of a tax on sells."""
