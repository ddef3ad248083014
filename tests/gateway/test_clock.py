"""Core time: never back, never a jump, slowly after the system clock, steps reported."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SLEW_PPM, STEP_NS, ManualClock, SystemClock
from rules.values import NS_PER_MS, NS_PER_SECOND

UTC_NS = 1_780_000_000 * NS_PER_SECOND


class Machine:
    """A machine's two clocks, set by hand."""

    def __init__(self) -> None:
        self.elapsed_ns = 5 * NS_PER_SECOND
        self.utc_ns = UTC_NS
        self.clock = SystemClock(lambda: self.elapsed_ns, lambda: self.utc_ns)

    def run(self, by_ns: int, drift_ns: int = 0) -> None:
        """Let time pass; the system clock gains `drift_ns` meanwhile."""
        self.elapsed_ns += by_ns
        self.utc_ns += by_ns + drift_ns


def test_time_is_utc_at_start_plus_time_elapsed() -> None:
    """A step of the system clock between two readings changes nothing."""
    machine = Machine()
    assert machine.clock.now_ns() == machine.clock.receive_ns() == UTC_NS
    machine.elapsed_ns += 7
    machine.utc_ns -= NS_PER_SECOND
    assert machine.clock.now_ns() == machine.clock.receive_ns() == UTC_NS + 7


@given(
    st.lists(
        st.tuples(st.integers(0, 3 * NS_PER_SECOND), st.integers(-(10**9), 10**9), st.booleans()),
        max_size=60,
    )
)
def test_time_never_goes_back_and_never_runs_too_fast(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever the system clock does, core time keeps to the monotonic one within the slew."""
    machine = Machine()
    before_ns = machine.clock.now_ns()
    for by_ns, drift_ns, slews in steps:
        machine.run(by_ns, drift_ns)
        if slews:
            reading_ns = machine.clock.now_ns()
            machine.clock.slew()
            assert machine.clock.now_ns() == reading_ns
        now_ns = machine.clock.now_ns()
        slack_ns = by_ns * SLEW_PPM // 1_000_000 + 2
        assert now_ns >= before_ns
        assert by_ns - slack_ns <= now_ns - before_ns <= by_ns + slack_ns
        before_ns = now_ns


@pytest.mark.parametrize("ahead_ns", [NS_PER_MS, -NS_PER_MS, 100 * NS_PER_MS, -100 * NS_PER_MS])
def test_a_difference_is_slewed_away(ahead_ns: int) -> None:
    """Called every second, the clock meets the system's and stays with it."""
    machine = Machine()
    machine.run(NS_PER_SECOND, ahead_ns)
    for _ in range(abs(ahead_ns) // (SLEW_PPM * 1000) + 3):
        machine.clock.slew()
        machine.run(NS_PER_SECOND)
    assert abs(machine.clock.now_ns() - machine.utc_ns) <= 1_000
    assert machine.clock.step_ns == 0


@pytest.mark.parametrize(("sign", "over"), [(1, 0), (1, 1), (-1, 0), (-1, 1)])
def test_a_step_is_reported_and_not_followed(sign: int, over: int) -> None:
    """A difference of exactly the bound is drift, one nanosecond more is a step."""
    machine = Machine()
    machine.run(NS_PER_SECOND, sign * (STEP_NS + over))
    machine.clock.slew()
    before_ns = machine.clock.now_ns()
    machine.run(NS_PER_SECOND)
    gained_ns = machine.clock.now_ns() - before_ns - NS_PER_SECOND
    if over:
        assert machine.clock.step_ns == sign * (STEP_NS + 1)
        assert gained_ns == 0
    else:
        assert machine.clock.step_ns == 0
        assert gained_ns == sign * SLEW_PPM * 1000


def test_a_step_taken_back_is_forgotten() -> None:
    """The report ends when the system clock is right again."""
    machine = Machine()
    machine.run(NS_PER_SECOND, NS_PER_SECOND)
    machine.clock.slew()
    assert machine.clock.step_ns == NS_PER_SECOND
    machine.run(NS_PER_SECOND, -NS_PER_SECOND)
    machine.clock.slew()
    assert machine.clock.step_ns == 0


def test_slewing_twice_at_once() -> None:
    """Two calls without time between them divide by nothing."""
    machine = Machine()
    machine.clock.slew()
    machine.clock.slew()
    assert machine.clock.now_ns() == UTC_NS


def test_a_manual_clock_moves_limits_and_not_receipt() -> None:
    """Core time is moved forward, never back; the receive clock stays with the system's."""
    clock = ManualClock()
    before_ns = clock.now_ns()
    clock.advance(3600 * NS_PER_SECOND)
    assert clock.now_ns() >= before_ns + 3600 * NS_PER_SECOND
    assert clock.receive_ns() < before_ns + 60 * NS_PER_SECOND
    with pytest.raises(ValueError, match="can't go back by 1 ns"):
        clock.advance(-1)
