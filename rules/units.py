"""Texts of a rulebook or a flow file into integers, exactly; no float on the way."""

import re
from typing import Final

from rules.values import (
    E8,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    NS_PER_MS,
    NS_PER_SECOND,
)

_DURATION = re.compile(r"([0-9]{1,12})(ns|us|ms|s|m|h|d)")
_DECIMAL = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?")
_UNIT_NS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": NS_PER_MS,
    "s": NS_PER_SECOND,
    "m": NS_PER_MINUTE,
    "h": NS_PER_HOUR,
    "d": NS_PER_DAY,
}


def duration_ns(text: str) -> int:
    """Return the nanoseconds of a text such as `500ms`, `10s`, `1m`, `24h` or `3d`.

    Raises ValueError when the text is anything else.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(
            f"`{text}` is not a duration; write a whole number and ns, us, ms, s, m, h or d"
        )
    return int(match[1]) * _UNIT_NS[match[2]]


def duration_text(duration: int) -> str:
    """Return the shortest text that `duration_ns` reads as `duration`."""
    for unit in ("d", "h", "m", "s", "ms", "us"):
        if duration and duration % _UNIT_NS[unit] == 0:
            return f"{duration // _UNIT_NS[unit]}{unit}"
    return f"{duration}ns"


def decimal_e8(text: str) -> int:
    """Return a decimal text in 1e-8 units.

    Raises ValueError when it is not a plain decimal number or has more than 8 places.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is not a decimal number such as 12 or 0.05")
    places = (match[2] or "").rstrip("0")
    if len(places) > 8:
        raise ValueError(f"`{text}` has more than 8 decimal places")
    return int(match[1]) * E8 + int(places.ljust(8, "0") or "0")


def decimal_text(value_e8: int, places_min: int = 0) -> str:
    """Return an amount in 1e-8 units as decimal text with at least `places_min` places."""
    sign = "-" if value_e8 < 0 else ""
    whole, part = divmod(abs(value_e8), E8)
    places = f"{part:08d}".rstrip("0").ljust(places_min, "0")
    return f"{sign}{whole}.{places}" if places else f"{sign}{whole}"


def interval_label(interval_ns: int) -> str:
    """Return a window's length as venues label it: `10S`, `1M`, `5M`, `1H`, `1D`."""
    for unit, letter in ((NS_PER_DAY, "D"), (NS_PER_HOUR, "H"), (NS_PER_MINUTE, "M")):
        if interval_ns % unit == 0:
            return f"{interval_ns // unit}{letter}"
    return f"{interval_ns // NS_PER_SECOND}S"
