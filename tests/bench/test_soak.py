"""Whether a row of numbers rises is found out as statistics have it."""

import pytest

from tests.bench.soak import MINUTES_MIN, Minute, Result, trend, verdicts


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


@pytest.mark.parametrize("minutes", [1, MINUTES_MIN - 1, MINUTES_MIN])
def test_nothing_is_claimed_of_a_few_minutes(minutes: int) -> None:
    """The clearest rise of three minutes is one of six orders, so none is told of and none denied."""
    values = [100.0 * number for number in range(1, minutes + 1)]
    rows = [Minute(1, 0, 1.0, 1.0, value, 1, 0.0) for value in values]
    said = verdicts(Result(10, 7, rows, trend([1.0] * minutes), trend(values), 0))
    if minutes < MINUTES_MIN:
        assert said == [f"memory, p99.9: no trend can be told of {minutes} minutes; take 4 or more"]
        assert not trend(values).rises
    else:
        assert said[0].startswith("memory has no rising trend")
        assert said[1].startswith("p99.9 RISES: +300.0% over the run")
