"""Names of windows as Binance writes them in texts, headers and limits."""

from typing import Final

from rules.values import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND

_UNITS: Final = (
    (NS_PER_DAY, "DAY"),
    (NS_PER_HOUR, "HOUR"),
    (NS_PER_MINUTE, "MINUTE"),
    (NS_PER_SECOND, "SECOND"),
)


def window_parts(window_ns: int) -> tuple[str, int]:
    """Return a window's interval and how many of them it is: `("SECOND", 10)`."""
    for unit_ns, name in _UNITS:
        if window_ns and window_ns % unit_ns == 0:
            return name, window_ns // unit_ns
    return "SECOND", max(1, window_ns // NS_PER_SECOND)


def window_text(window_ns: int) -> str:
    """Return a window as the error texts name it: `1 MINUTE`, `10 SECOND`, `500 MILLISECOND`."""
    if window_ns % NS_PER_SECOND:
        return f"{window_ns // NS_PER_MS} MILLISECOND"
    name, number = window_parts(window_ns)
    return f"{number} {name}"


def window_suffix(window_ns: int) -> str:
    """Return a window as header names end: `1M`, `10S`."""
    name, number = window_parts(window_ns)
    return f"{number}{name[0]}"
