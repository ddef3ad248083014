"""How the commands word times to wait and counts."""

import pytest

from gateway.commands.common import counted
from gateway.commands.status import time_left
from rules.units import duration_ns

NS = {
    "d": duration_ns("1d"),
    "h": duration_ns("1h"),
    "m": duration_ns("1m"),
    "s": duration_ns("1s"),
}


@pytest.mark.parametrize(
    ("left_ns", "text"),
    [
        (0, "0ns"),
        (1, "1ms"),
        (250_000_001, "251ms"),
        (10 * NS["s"] - 1, "10s"),
        (10 * NS["s"], "10s"),
        (10 * NS["s"] + 1, "11s"),
        (NS["m"] - 1, "1m"),
        (NS["m"] + 1, "1m 1s"),
        (44_723_411_000_000, "12h 26m"),
        (NS["h"] - 1, "1h"),
        (NS["d"] - 1, "1d"),
        (NS["d"] + 1, "1d 1h"),
        (3 * NS["d"] + 3 * NS["h"], "3d 3h"),
    ],
)
def test_time_left(left_ns: int, text: str) -> None:
    """In its two largest units, and never too short."""
    assert time_left(left_ns) == text
    if left_ns:
        assert sum(map(duration_ns, text.split())) >= left_ns


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 segments"), (1, "1 segment"), (2, "2 segments")]
)
def test_counted(number: int, text: str) -> None:
    """One of a thing is told in the singular."""
    assert counted(number, "segment") == text
