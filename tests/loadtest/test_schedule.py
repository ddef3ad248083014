"""Arrival times: how many, in what order, at what rate."""

import gzip
from bisect import bisect_left
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import schedule
from loadtest.plan import Lasting, arrivals_of
from loadtest.profile import load_profile
from loadtest.units import NS_PER_SECOND, LoadTestError, parse_duration_ns

RATES = st.fractions(min_value=Fraction(1, 10), max_value=2_000, max_denominator=1_000)
DURATIONS = st.integers(min_value=1, max_value=3 * NS_PER_SECOND)
FLOW = Path(__file__).parents[1] / "data" / "independentreserve_2022-04-03.csv.gz"


def assert_orderly(times: schedule.Schedule, duration_ns: int) -> None:
    """Arrivals never go back and lie within the duration."""
    assert list(times) == sorted(times)
    assert all(0 <= at_ns < duration_ns for at_ns in times)


@given(RATES, DURATIONS)
def test_constant_is_exact(rate: Fraction, duration_ns: int) -> None:
    """The n-th arrival is at n / rate, rounded down, and none before the end is missing."""
    times = schedule.constant(rate, duration_ns)
    assert_orderly(times, duration_ns)
    for index, at_ns in enumerate(times):
        assert at_ns == index * NS_PER_SECOND // rate
    assert len(times) * Fraction(NS_PER_SECOND) / rate >= duration_ns
    assert (len(times) - 1) * Fraction(NS_PER_SECOND) / rate < duration_ns


@given(RATES, DURATIONS, st.integers(0, 2**32))
def test_poisson_is_orderly_and_seeded(rate: Fraction, duration_ns: int, seed: int) -> None:
    """The same seed gives the same arrivals."""
    times = schedule.poisson(rate, duration_ns, seed)
    assert_orderly(times, duration_ns)
    assert times == schedule.poisson(rate, duration_ns, seed)


def test_poisson_has_its_rate_and_its_spread() -> None:
    """Counts of a second have the mean and the variance of a Poisson process."""
    rate, seconds = 100, 400
    times = schedule.poisson(Fraction(rate), seconds * NS_PER_SECOND, 7)
    counts = [0] * seconds
    for at_ns in times:
        counts[at_ns // NS_PER_SECOND] += 1
    mean = sum(counts) / seconds
    variance = sum((count - mean) ** 2 for count in counts) / (seconds - 1)
    assert mean == pytest.approx(rate, rel=0.03)
    assert variance == pytest.approx(rate, rel=0.25)
    assert times != schedule.poisson(Fraction(rate), seconds * NS_PER_SECOND, 8)


@given(RATES, DURATIONS, st.integers(1, NS_PER_SECOND), st.data())
def test_burst_stays_in_its_width_and_keeps_its_rate(
    rate: Fraction, duration_ns: int, period_ns: int, data: st.DataObject
) -> None:
    """Nothing arrives outside a burst; after whole periods none is missing, none too many."""
    period_ns = max(period_ns, duration_ns // 200 + 1)
    width_ns = data.draw(st.integers(1, period_ns))
    times = schedule.burst(rate, duration_ns, period_ns, width_ns)
    assert_orderly(times, duration_ns)
    assert all(at_ns % period_ns < width_ns for at_ns in times)
    for whole in range(duration_ns // period_ns + 1):
        count = bisect_left(times, whole * period_ns)
        assert 0 <= count - rate * whole * period_ns / NS_PER_SECOND < 1


@given(RATES, RATES, DURATIONS)
def test_ramp_follows_the_sum_of_its_rate(start: Fraction, end: Fraction, duration_ns: int) -> None:
    """Each arrival is the nanosecond in which the expected count reaches its number."""
    times = schedule.ramp(start, end, duration_ns)
    assert_orderly(times, duration_ns)

    def expected(at_ns: int) -> Fraction:
        slope = (end - start) / duration_ns
        return (start * at_ns + slope * at_ns * at_ns / 2) / NS_PER_SECOND

    for index, at_ns in enumerate(times):
        assert expected(at_ns) <= index < expected(at_ns + 1) or at_ns == duration_ns - 1
    assert expected(duration_ns) <= len(times) < expected(duration_ns) + 1


@given(
    st.lists(st.integers(0, 10**15), min_size=1),
    st.fractions(min_value=Fraction(1, 100), max_value=100, max_denominator=100),
)
def test_recorded_keeps_the_gaps(times_ns: list[int], speed: Fraction) -> None:
    """Distances from the first arrival are divided by the speed."""
    times_ns.sort()
    times = schedule.recorded(times_ns, speed)
    assert list(times) == [int((at_ns - times_ns[0]) / speed) for at_ns in times_ns]


def test_recorded_refuses_what_is_no_course_of_time() -> None:
    """Going back and having nothing are errors; the duration cuts off exactly."""
    with pytest.raises(LoadTestError, match="4 comes after 5"):
        schedule.recorded([5, 4], Fraction(1))
    with pytest.raises(LoadTestError, match="no arrivals"):
        schedule.recorded([], Fraction(1))
    assert list(schedule.recorded([5, 14, 15, 16], Fraction(1), 10)) == [0, 9]


def test_flow_times_are_what_clients_sent(tmp_path: Path) -> None:
    """Fills and orders from before the recording are not arrivals; plain and gzipped are read."""
    text = "ts_ns,event,flag\n1,new,S\n2,new,\n3,fill,M\n4,cancel,\n"
    plain, zipped = tmp_path / "flow.csv", tmp_path / "flow.csv.gz"
    plain.write_text(text)
    zipped.write_bytes(gzip.compress(text.encode()))
    assert schedule.flow_times_ns(plain) == schedule.flow_times_ns(zipped) == [2, 4]
    assert len(schedule.flow_times_ns(FLOW)) > 1_000


def test_flow_errors_name_the_line(tmp_path: Path) -> None:
    """What can't be read is said with file and line."""
    flow = tmp_path / "flow.csv"
    flow.write_text("ts_ns,event\nsoon,new\n")
    with pytest.raises(LoadTestError, match=r"flow\.csv:2: ts_ns `soon`"):
        schedule.flow_times_ns(flow)
    flow.write_text(f"event,ts_ns\nnew,1\nnew,{10**19}\n")
    with pytest.raises(LoadTestError, match=rf"flow\.csv:3: ts_ns `{10**19}` is not nanoseconds"):
        schedule.flow_times_ns(flow)
    flow.write_text("event,ts_ns\nnew,1\nnew\n")
    with pytest.raises(LoadTestError, match=r"flow\.csv:3: ts_ns `` is not nanoseconds"):
        schedule.flow_times_ns(flow)
    flow.write_text("time,event\n")
    with pytest.raises(LoadTestError, match="no column `ts_ns`"):
        schedule.flow_times_ns(flow)
    with pytest.raises(LoadTestError, match="can't be read"):
        schedule.flow_times_ns(tmp_path / "none.csv")


def test_bounds() -> None:
    """A run beyond the bound, and a burst wider than its period, are refused."""
    second = NS_PER_SECOND
    assert len(schedule.constant(Fraction(schedule.ARRIVALS_MAX), second)) == schedule.ARRIVALS_MAX
    with pytest.raises(LoadTestError, match="1,000,001 requests"):
        schedule.constant(Fraction(schedule.ARRIVALS_MAX + 1), second)
    with pytest.raises(LoadTestError, match="burst width 11"):
        schedule.burst(Fraction(1), second, 10, 11)
    with pytest.raises(LoadTestError, match="burst width 0"):
        schedule.burst(Fraction(1), second, 10, 0)


def test_arrivals_are_what_was_asked_for() -> None:
    """The command line wins over the profile; what does not go together is refused."""
    profile = load_profile("reset-burst")
    second = Lasting(0, NS_PER_SECOND)
    own = arrivals_of(profile, "", "", None, "")
    assert (own.kind, own.align, own.period_ns) == ("burst", True, 10 * NS_PER_SECOND)
    assert own.text() == "burst of 500 ms every 10.0 s, aligned to the target's clock"
    assert own.times(Fraction(1), second, 1)[-1] < NS_PER_SECOND // 2
    assert not arrivals_of(profile, "poisson", "", None, "").align
    assert arrivals_of(load_profile("mixed"), "", "", None, "").text() == "poisson"
    ramp = arrivals_of(profile, "ramp", "20", None, "")
    assert ramp.text() == "ramp to 20/s"
    assert len(ramp.times(Fraction(10), second, 1)) == 15
    flow = arrivals_of(profile, "flow", "", FLOW, "2.5")
    assert flow.text() == "recorded flow, speed 2.5"
    assert flow.times(Fraction(1), second, 1)[0] == 0
    for kind, to_rate, path in (("ramp", "", None), ("burst", "5", None), ("burst", "", FLOW)):
        with pytest.raises(LoadTestError, match="goes with"):
            arrivals_of(profile, kind, to_rate, path, "")
    with pytest.raises(LoadTestError, match="--speed goes with"):
        arrivals_of(profile, "", "", None, "2")
    with pytest.raises(LoadTestError, match="`never` is not one of"):
        arrivals_of(profile, "never", "", None, "")


def test_a_ramp_begins_after_its_warm_up() -> None:
    """What is warmed up with is the first rate; the rise and its mean are those asked for."""
    ramp = arrivals_of(load_profile("mixed"), "ramp", "300", None, "")
    lasting = ramp.lasting(NS_PER_SECOND, 4 * NS_PER_SECOND)
    times = ramp.times(Fraction(100), lasting, 1)
    warm_up = [at_ns for at_ns in times if at_ns < NS_PER_SECOND]
    assert warm_up == list(schedule.constant(Fraction(100), NS_PER_SECOND))
    rise = [at_ns - NS_PER_SECOND for at_ns in times[len(warm_up) :]]
    assert rise == list(schedule.ramp(Fraction(100), Fraction(300), 4 * NS_PER_SECOND))
    assert ramp.mean_rate(Fraction(100), times, lasting) == 200 == len(rise) // 4


def test_a_recorded_flow_that_ends_early_ends_its_run(tmp_path: Path) -> None:
    """No figure is a share of seconds in which nothing was recorded."""
    path = tmp_path / "flow.csv"
    path.write_text("ts_ns,event\n" + "".join(f"{n * 10**8},new\n" for n in range(31)))
    flow = arrivals_of(load_profile("mixed"), "flow", "", path, "3")
    assert flow.lasting(0, NS_PER_SECOND) == Lasting(0, NS_PER_SECOND)
    assert flow.lasting(0, NS_PER_SECOND + 2) == Lasting(0, NS_PER_SECOND + 1)
    lasting = flow.lasting(NS_PER_SECOND // 2, 10 * NS_PER_SECOND)
    assert lasting == Lasting(NS_PER_SECOND // 2, NS_PER_SECOND // 2 + 1)
    times = flow.times(Fraction(1), lasting, 1)
    assert len(times) == 31
    assert flow.mean_rate(Fraction(1), times, lasting) == pytest.approx(32)
    assert flow.lasting(NS_PER_SECOND, NS_PER_SECOND).duration_ns == 1
    with pytest.raises(LoadTestError, match=r"lasts for 1\.00 s at speed 3, no longer than"):
        flow.lasting(NS_PER_SECOND + 1, NS_PER_SECOND)
    with pytest.raises(LoadTestError, match="no arrivals"):
        schedule.recorded_end_ns((), Fraction(1))


@pytest.mark.parametrize(
    ("text", "value_ns"),
    [("1ns", 1), ("1.5us", 1_500), ("0.0004us", 0), ("250ms", 250_000_000), ("2m", 120 * 10**9)],
)
def test_durations(text: str, value_ns: int) -> None:
    """Each unit, with a fraction, rounded down to the nanosecond."""
    assert parse_duration_ns(text) == value_ns


@pytest.mark.parametrize("text", ["", "5", "-1s", "1 s", "1e3s", "s", "1s2s", "\u0661s"])
def test_what_is_no_duration(text: str) -> None:
    """The text is named in the error."""
    with pytest.raises(LoadTestError, match="is not a duration"):
        parse_duration_ns(text)
