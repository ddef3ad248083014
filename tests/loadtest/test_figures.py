"""From samples to figures: distributions, assertions, comparisons, pages, files."""

import html.parser
import re
import xml.etree.ElementTree as ElementTree
from array import array
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.assertions import parse_assertion, parse_bound
from loadtest.charts import Axis, Line, chart, ticks
from loadtest.compare import read_side, unlike
from loadtest.files import load, save
from loadtest.machine import machine
from loadtest.page import page, percentile_curve
from loadtest.profile import load_profile
from loadtest.recorder import ALL, decoded, distribution, measured, percentile_ns
from loadtest.results import FORMAT, Audit, Load, Results, Run
from loadtest.samples import ACCEPTED, ERROR, REFUSED, Samples
from loadtest.steps import falls_behind
from loadtest.units import NS_PER_MS, NS_PER_SECOND, LoadTestError

MS = NS_PER_MS


def run_of(latency_ms: int = 5, **changes: Any) -> Run:
    """A run of 1 s after 1 s of warm-up, 10 requests a second, one refused and one lost."""
    samples = Samples(array("q", [index * 100 * MS for index in range(20)]))
    for index in range(20):
        meant = samples.intended_ns[index]
        samples.possible_ns[index] = meant + (2 * MS if index == 12 else 0)
        samples.sent_ns[index] = samples.possible_ns[index] + MS
        outcome = {13: (REFUSED, "400 -2010"), 14: (ERROR, "connection lost")}
        ended, label = outcome.get(index, (ACCEPTED, "200"))
        # The warm-up is slow, so that it would show if it were counted.
        taken_ms = latency_ms if index >= 10 else 90
        samples.end(index, meant + taken_ms * MS, ended, label)
    run = measured(
        samples,
        rate=10.0,
        warmup_ns=NS_PER_SECOND,
        duration_ns=NS_PER_SECOND,
        cpu_ns=1,
        wall_ns=4,
        reconnects=3,
    )
    return msgspec.structs.replace(run, **changes)


def results_of(*runs: Run, **changes: Any) -> Results:
    """A result file of some runs."""
    asked = Load(
        target="http://127.0.0.1:1/<&>",
        profile=load_profile("mixed"),
        arrivals="constant",
        symbols=("BTCUSDT",),
        keys=1,
        connections=4,
        sources=(),
        seed=1,
        timeout_ns=NS_PER_SECOND,
        late_bound="p99<1ms",
        spin=True,
    )
    fields: dict[str, Any] = {
        "format": FORMAT,
        "version": "0",
        "server_time_ms": 1,
        "load": asked,
        "machine": machine("asyncio"),
        "runs": runs,
    }
    return Results(**(fields | changes))


@given(st.lists(st.integers(-5, 4 * 10**12), min_size=1, max_size=200))
def test_distribution_is_true_to_three_digits(values: list[int]) -> None:
    """Percentiles are within 0.1 % of the sorted values; count, mean, least and most exact."""
    latency = distribution(values)
    clamped = sorted(min(max(value, 0), 3_600 * NS_PER_SECOND) for value in values)
    assert latency.count == len(values)
    assert latency.mean_ns == pytest.approx(sum(clamped) / len(clamped))
    assert (latency.min_ns, latency.max_ns) == (clamped[0], clamped[-1])
    for share in (50, 90, 99):
        exact = clamped[max(-(-len(clamped) * share // 100), 1) - 1]
        assert latency.percentiles_ns[str(share)] == pytest.approx(exact, rel=0.001, abs=1)
    assert decoded(latency).get_total_count() == len(values)


def test_an_empty_distribution_has_no_percentiles() -> None:
    """Nothing measured is count 0, not an error."""
    assert distribution([]).percentiles_ns == {}
    assert percentile_ns(distribution([]), 99) == 0


def test_a_run_is_measured_without_its_warm_up() -> None:
    """Counts by outcome, latency from the intended time, waits and lateness apart."""
    run = run_of()
    assert run.offered == 10
    assert {name: latency.count for name, latency in run.latency.items()} == {
        ALL: 10,
        ACCEPTED: 8,
        REFUSED: 1,
        ERROR: 1,
    }
    assert run.latency[ALL].max_ns == run.latency[ALL].min_ns == 5 * MS
    assert (run.wait.max_ns, run.lateness.max_ns) == (2 * MS, MS)
    assert run.outcomes == {"accepted 200": 8, "error connection lost": 1, "refused 400 -2010": 1}
    # An answer that did not come is none.
    (second,) = run.seconds
    assert (second.offered, second.accepted, second.refused, second.errors) == (10, 8, 1, 1)
    assert second.answered == run.throughput == 9
    assert run.tester_cpu_share == 0.25


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("p99<5.1ms", True),
        ("p99<5ms", False),
        ("p99.9 >= 4.99ms", True),
        ("mean<=5ms", True),
        ("max>5ms", False),
        ("errors<=10%", True),
        ("errors<10%", False),
        ("accepted>=80%", True),
        ("refused<5%", False),
        ("throughput>=9/s", True),
        ("throughput>9", False),
    ],
)
def test_assertions(text: str, holds: bool) -> None:
    """Each kind of condition, at its boundary."""
    assert parse_assertion(text).check(run_of())[0] is holds


@pytest.mark.parametrize(
    "text",
    ["", "p99", "p99<5", "p99=5ms", "p101<5ms", "errors<1", "fast<5ms", "throughput>x", "p<1ms"],
)
def test_assertions_that_make_no_sense(text: str) -> None:
    """The text at fault is named."""
    with pytest.raises(LoadTestError, match="`"):
        parse_assertion(text)


def test_bounds_are_upper_bounds_of_times() -> None:
    """A bound of lateness is no share and no lower bound."""
    assert parse_bound("p99.9<=2ms").check_times(distribution([2 * MS]))[0]
    assert not parse_bound("max<1ms").check_times(distribution([2 * MS]))[0]
    for text in ("errors<1%", "throughput<5", "p99>1ms"):
        with pytest.raises(LoadTestError, match="upper bound"):
            parse_bound(text)


def test_the_knee_is_where_answers_or_latency_fall_behind() -> None:
    """97 % answered is enough, less is not; so is a p99 at the bound."""
    run = msgspec.structs.replace(run_of(), throughput=9.7)
    p99_ns = run.latency[ALL].percentiles_ns["99"]
    assert falls_behind(run, p99_ns) == ""
    assert "above" in falls_behind(run, p99_ns - 1)
    assert "9.6 of 10.0" in falls_behind(msgspec.structs.replace(run, throughput=9.6), p99_ns)


def test_what_makes_results_good() -> None:
    """Faults of runs, assertions, audit and a missing knee are each enough to be not good."""
    run = run_of()
    late = msgspec.structs.replace(run, faults=("late",), rate=20.0)
    bad_audit = Audit(answers=1, without_id=0, not_audited=(), faults=("missing",))
    assert results_of(run).good
    assert not results_of(run, late).good
    assert results_of(run, late, steps=True, knee=10.0).good
    assert not results_of(run, late, steps=True, knee=None).good
    assert not results_of(run, assertions=(("p99<1ns", False, "5 ms"),)).good
    assert not results_of(run, audit=bad_audit).good


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Saving and loading gives the same; what is no result file is told."""
    path = tmp_path / "run.json"
    results = results_of(run_of())
    save(results, path)
    assert load(path) == results
    save(msgspec.structs.replace(results, format="other/1"), path)
    with pytest.raises(LoadTestError, match="format `other/1`"):
        load(path)
    for content in (b"{}", b"", b"\xff", b'{"format": "\xff"}', b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(LoadTestError, match="no result file"):
            load(path)
    with pytest.raises(LoadTestError, match="No such file"):
        load(tmp_path / "none.json")


def test_sides_are_files_or_directories_of_valid_runs(tmp_path: Path) -> None:
    """Runs that are not valid, steps and empty directories can't be compared."""
    run = run_of()
    save(results_of(run), tmp_path / "1.json")
    save(results_of(run, run), tmp_path / "2.json")
    files, runs = read_side(tmp_path)
    assert (len(files), len(runs)) == (2, 3)
    assert unlike(files, files) == []
    faster = results_of(msgspec.structs.replace(run, rate=11.0))
    assert unlike(files, [faster]) == ["rate"]
    save(results_of(msgspec.structs.replace(run, faults=("late",))), tmp_path / "3.json")
    with pytest.raises(LoadTestError, match="not valid: late"):
        read_side(tmp_path)
    save(results_of(run, steps=True), tmp_path / "3.json")
    with pytest.raises(LoadTestError, match="rising steps"):
        read_side(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LoadTestError, match="no result files"):
        read_side(tmp_path / "empty")


class _Outward(html.parser.HTMLParser):
    """Collects what a page would load, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href", "srcset", "data")]


@pytest.mark.parametrize("steps", [False, True])
def test_the_page_is_self_contained(steps: bool) -> None:
    """Nothing is loaded or run; names are escaped; each chart is well-formed SVG."""
    runs = (
        run_of(),
        msgspec.structs.replace(run_of(9), rate=20.0, faults=("the tester was late",)),
    )
    audit = Audit(answers=9, without_id=0, not_audited=("<i>", "none"), faults=("one",), records=7)
    text = page(results_of(*runs, steps=steps, knee=10.0 if steps else None, audit=audit))
    outward = _Outward()
    outward.feed(text)
    assert not outward.loads
    assert not outward.tags & {"script", "link", "img", "iframe", "i"}
    assert "http://127.0.0.1:1/&lt;&amp;&gt;" in text
    assert "the tester was late" in text
    assert "cancel_after" in text
    drawings = re.findall(r"<svg.*?</svg>", text)
    assert len(drawings) == 3
    for drawing in drawings:
        ElementTree.fromstring(drawing)


@pytest.mark.parametrize("count", [1, 2, 10, 999, 1_000, 1_001])
def test_the_curve_ends_with_the_longest_time(count: int) -> None:
    """One in a million must not be missing from the picture."""
    values = [number * MS for number in range(1, count)] + [10_000 * MS]
    points = percentile_curve(distribution(values))
    assert points[-1] == (count, 10_000 * MS)
    assert points == sorted(points)
    assert all(at <= count + 1e-6 for at, _ in points)
    assert percentile_curve(distribution([])) == []


def test_the_page_tells_what_the_tester_ran_on() -> None:
    """Processor, pinning and governor, or that the machine does not tell."""
    facts = msgspec.structs.replace(
        machine("uvloop"), processor="A <fast> one", cores=4, usable_cores=(1, 3)
    )
    text = page(results_of(run_of(), machine=facts))
    assert "A &lt;fast&gt; one" in text
    assert "4; the tester was pinned to 1, 3" in text
    for governors, told in (((), "not told by the machine"), (("performance",), "performance")):
        changed = msgspec.structs.replace(facts, governors=governors, usable_cores=(0, 1, 2, 3))
        text = page(results_of(run_of(), machine=changed))
        assert told in text
        assert "free to use all of them" in text


@given(
    st.lists(st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)), max_size=20),
    st.booleans(),
)
def test_charts_take_any_points(points: list[tuple[float, float]], log: bool) -> None:
    """Every chart is well-formed and keeps its curves within the frame."""
    axis = Axis("<a>", lambda value: f"{value:g}", log=log)
    text = chart("<t>", axis, axis, [Line("<l>", points)])
    root = ElementTree.fromstring(text)
    for curve in root.iter("{http://www.w3.org/2000/svg}polyline"):
        for place in curve.attrib["points"].split():
            x, y = map(float, place.split(","))
            assert 79 <= x <= 701
            assert 15 <= y <= 255


@given(st.lists(st.floats(1e-6, 1e15), min_size=1), st.booleans())
def test_ticks_enclose_the_values(values: list[float], log: bool) -> None:
    """The first tick is at or below the least value, the last one at or above the most."""
    found = ticks(values, log=log)
    assert found == sorted(found)
    assert found[0] <= min(values) * (1 + 1e-9)
    assert found[-1] >= max(values) * (1 - 1e-9)
    assert 2 <= len(found) <= 23


def test_machine_tells_what_it_can() -> None:
    """The facts of this machine are there."""
    facts = machine("uvloop")
    assert facts.cores >= len(facts.usable_cores) >= 1
    assert facts.python
    assert facts.event_loop == "uvloop"
