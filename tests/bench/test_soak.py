"""Whether a row of numbers rises is found out as statistics have it."""

import pytest

from tests.bench.soak import trend


@pytest.mark.parametrize(
    ("values", "growth", "chance"),
    [
        ([5.0], 0.0, 1.0),
        ([10.0, 11.0, 12.0, 13.0], 0.3, 1 / 24),
        ([13.0, 12.0, 11.0, 10.0], -0.2308, 1.0),
        ([10.0, 12.0, 11.0, 13.0], 0.3, 4 / 24),
        ([10.0] * 5, 0.0, 71 / 120),
    ],
)
def test_a_trend_is_told_from_chance(values: list[float], growth: float, chance: float) -> None:
    """Growth by the median slope, and the share of all orders of the values that rise as clearly."""
    found = trend(values)
    assert (found.growth, found.chance) == (growth, round(chance, 4))


@pytest.mark.parametrize(
    ("values", "rises"),
    [
        ([100.0, 104.0, 108.0, 112.0, 116.0], True),
        ([100.0, 102.0, 104.0, 106.0, 108.0], False),
        ([100.0, 150.0, 90.0, 140.0, 110.0], False),
    ],
)
def test_a_rise_must_be_clear_and_worth_speaking_of(values: list[float], rises: bool) -> None:
    """More than a tenth over the run, and hardly by chance."""
    assert trend(values).rises is rises
