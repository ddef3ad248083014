"""Kinds of text that stand for something else: durations, decimals, names of order types.

A schema names the kind in the field's type, so that it is checked with the structure, at the
field's own place, and shown in the documents.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from rules.units import decimal_e8, duration_ns
from rules.values import NS_PER_DAY, ORDER_TYPE_NAMES, STP_MODE_NAMES

INTEGER_MAX: Final = (1 << 63) - 1
"""The largest number the record can hold; amounts are in 1e-8 units, durations in ns."""

KIND: Final = "text"
"""Key of a type's `extra` that names the kind."""

DurationText: TypeAlias = Annotated[str, msgspec.Meta(extra={KIND: "duration"})]
PositiveDurationText: TypeAlias = Annotated[str, msgspec.Meta(extra={KIND: "duration above 0"})]
DecimalText: TypeAlias = Annotated[str, msgspec.Meta(extra={KIND: "decimal"})]
SwitchableDecimalText: TypeAlias = Annotated[str, msgspec.Meta(extra={KIND: "decimal or empty"})]
OrderTypeText: TypeAlias = Annotated[str, msgspec.Meta(extra={KIND: "order type"})]
StpModeText: TypeAlias = Annotated[str, msgspec.Meta(extra={KIND: "STP mode"})]
SecretText: TypeAlias = Annotated[str, msgspec.Meta(extra={KIND: "secret"})]

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
PositiveCount: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]
DAYS_MAX: Final = 36_500
"""A hundred years: what is longer, added to a time, is no time that the record can hold."""
DayCount: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=DAYS_MAX)]
PositiveMinuteCount: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1_440)]
PositiveDayCount: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)]


def read_duration(text: str) -> int:
    """Return a duration in ns; raises ValueError when it is none or too long for the record."""
    value_ns = duration_ns(text)
    if value_ns > DAYS_MAX * NS_PER_DAY:
        raise ValueError(f"`{text}` is longer than {DAYS_MAX}d")
    return value_ns


def read_positive_duration(text: str) -> int:
    """Return a duration in ns; raises ValueError when it is none, 0 or too long."""
    value_ns = read_duration(text)
    if not value_ns:
        raise ValueError(f"`{text}` is not a duration above 0")
    return value_ns


def read_decimal(text: str) -> int:
    """Return a decimal in 1e-8 units; raises ValueError when it is none or too large."""
    return _bounded(text, decimal_e8(text))


def read_switchable_decimal(text: str) -> int:
    """Return a decimal in 1e-8 units, 0 for an empty text; raises ValueError."""
    return read_decimal(text) if text else 0


def read_order_type(text: str) -> int:
    """Return the number of an order type; raises ValueError."""
    return _named(text, ORDER_TYPE_NAMES, "an order type")


def read_stp_mode(text: str) -> int:
    """Return the number of a mode of self-trade prevention; raises ValueError."""
    return _named(text, STP_MODE_NAMES, "a mode of self-trade prevention")


READERS: Final[dict[str, Callable[[str], Any]]] = {
    "duration": read_duration,
    "duration above 0": read_positive_duration,
    "decimal": read_decimal,
    "decimal or empty": read_switchable_decimal,
    "order type": read_order_type,
    "STP mode": read_stp_mode,
}
"""What reads each kind; it raises ValueError when a text is not of the kind."""


def _bounded(text: str, value: int) -> int:
    if value > INTEGER_MAX:
        raise ValueError(f"`{text}` is too large to be recorded")
    return value


def _named(text: str, names: tuple[str, ...], what: str) -> int:
    if not text or text not in names:
        raise ValueError(f"`{text}` is not {what}; there are {', '.join(names[1:])}")
    return names.index(text)
