"""A price by age: exact means of the curve, and finer columns come nearer to it."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.tariffs import load_tariff
from rules.fees.counts import Counts
from rules.units import decimal_text
from rules.values import E8
from tests.rules.fees.fee_world import assess, fee

TARIFF = load_tariff("age-priced-cancels")


def test_one_column() -> None:
    """The curve falls from 0.02 to 0.01 in 0.5 s and to 0 at 5 s.

    Area 0.5 x 0.015 + 4.5 x 0.005 = 0.03; mean over 5 s = 0.006. 1,000 cancels cost 6.
    """
    assert fee(TARIFF, cancels_under_5s=1000) == "6"


def test_columns_at_the_points() -> None:
    """The mean is 0.015 below 0.5 s and 0.005 from there to 5 s: 100 of each cost 1.5 + 0.5."""
    found = assess(TARIFF, {"cancels_under_500ms": 100, "cancels_under_5s": 100})
    assert [decimal_text(share.fee_e8) for share in found.shares] == ["1.5", "0.5"]
    assert [share.label for share in found.shares] == ["0s-500ms", "500ms-5s"]


def test_older_than_the_curve_is_free() -> None:
    """Cancels between 5 s and a minute are measured and cost nothing."""
    found = assess(TARIFF, {"cancels_under_5s": 0, "cancels_under_1m": 70})
    assert decimal_text(found.measured_e8) == "70"
    assert not found.exceeded


def test_column_across_a_point() -> None:
    """0 to 1 s: (0.5 x 0.015 + 0.5 x mean of 0.01 and 0.01 x 4/4.5) / 1 s.

    The price at 1 s is 0.01 x 4 / 4.5 = 0.00888...; the area is 0.0075 + 0.5 x 0.00944... =
    0.0122222...; 900 cancels cost 11.
    """
    assert fee(TARIFF, cancels_under_1s=900, cancels_under_5s=0) == "11"


@given(st.lists(st.integers(1, 4999), min_size=1, max_size=8, unique=True), st.integers(0, 10**9))
def test_means_are_exact(bounds_ms: list[int], number: int) -> None:
    """Any columns below 5 s pay the curve's mean over their ages, rounded down to 1e-8."""

    def area(age_ms: int) -> Fraction:
        """Return the area below the curve from 0 to an age, in ms."""
        early, late = min(age_ms, 500), max(age_ms - 500, 0)
        below = Fraction(2, 100) * early - Fraction(1, 100_000) * early * early
        return below + Fraction(1, 100) * late - Fraction(1, 900_000) * late * late

    ends = [*sorted(bounds_ms), 5000]
    names = [f"{end // 1000}s" if end % 1000 == 0 else f"{end}ms" for end in ends]
    columns = {f"cancels_under_{name}": number * E8 for name in names}
    found = TARIFF.assess(Counts((columns,)))
    starts = [0, *ends]
    for start, end, share in zip(starts, ends, found.shares, strict=False):
        mean = (area(end) - area(start)) / (end - start)
        assert share.fee_e8 == int(mean * number * E8)


@given(st.integers(1, 4998))
def test_no_step(age_ms: int) -> None:
    """A cancel one millisecond later is never dearer, and cheaper by 0.00003 at most."""

    def price(start_ms: int) -> int:
        ends = [start_ms, start_ms + 1, 5000]
        names = [f"{end // 1000}s" if end % 1000 == 0 else f"{end}ms" for end in ends]
        columns = {f"cancels_under_{name}": 0 for name in names}
        columns[f"cancels_under_{names[1]}"] = E8
        return TARIFF.assess(Counts((columns,))).fee_e8

    if age_ms + 2 < 5000:
        assert 0 <= price(age_ms) - price(age_ms + 1) <= 3000
