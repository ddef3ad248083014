"""Shares of one schedule, and what they measured put together again."""

import re
from array import array
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.assertions import parse_bound
from loadtest.merge import merged_run
from loadtest.profile import load_profile
from loadtest.recorder import distribution, measured, merged_distribution
from loadtest.results import Latency, Run
from loadtest.samples import ACCEPTED, ERROR, REFUSED, Samples
from loadtest.share import Instance, Share, parse_instance
from loadtest.signing import Key
from loadtest.target import parse_target
from loadtest.units import NS_PER_MS, NS_PER_SECOND, LoadTestError
from tests.loadtest.markets import MARKET

MS: Final = NS_PER_MS


def share_of(count: int, keys: int = 8, connections: int = 64, sources: int = 0) -> Share:
    """Everything a run sends: so many requests, a millisecond apart."""
    return Share(
        target=parse_target("http://127.0.0.1:1"),
        keys=tuple(Key(f"key{n}", "secret") for n in range(keys)),
        profile=load_profile("mixed"),
        markets=(MARKET,),
        times=array("q", [number * MS for number in range(count)]),
        rate=1_000.0,
        seed=1,
        epoch_ns=0,
        utc_minus_stopwatch_ns=0,
        target_minus_utc_ns=0,
        tag="t-",
        connections=connections,
        sources=tuple(f"127.0.0.{number + 1}" for number in range(sources)),
        timeout_ns=NS_PER_SECOND,
        warmup_ns=0,
        duration_ns=NS_PER_SECOND,
        late_bound=parse_bound("p99<1ms"),
        spin=False,
    )


@given(
    st.integers(0, 200),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(9, 40),
    st.integers(9, 20),
    st.integers(0, 20),
)
def test_shares_add_up(
    count: int, instances: int, processes: int, keys: int, connections: int, sources: int
) -> None:
    """Every arrival is in one share, in order; every key, connection and address is used."""
    whole = share_of(count, keys, connections, sources)
    machines = [whole.of_instance(Instance(n, instances)) for n in range(1, instances + 1)]
    shares = [
        [machine.dealt(number, processes) for number in range(processes)] for machine in machines
    ]
    every = [share for machine in shares for share in machine]
    assert sorted(at for share in every for at in share.times) == list(whole.times)
    assert all(list(share.times) == sorted(share.times) for share in every)
    assert sum(share.rate for share in every) == pytest.approx(whole.rate)
    # Keys never meet on two machines; those of one machine meet only where they are too few.
    for machine, dealt in zip(machines, shares, strict=True):
        assert {key.name for share in dealt for key in share.keys} == {
            key.name for key in machine.keys
        }
        assert sum(share.connections for share in dealt) == connections
        assert {at for share in dealt for at in share.sources} == set(whole.sources)
    assert sum(len(machine.keys) for machine in machines) == keys
    assert len({share.seed for share in every}) == len(every)
    assert len({share.tag for share in every}) == len(every)


def test_cancels_stay_with_their_orders() -> None:
    """Each share's cancels name orders of that share, and no id is used by two shares."""
    whole = share_of(3_000, keys=2)._replace(tag="l19b8a4d3c5e" + "ffff-")
    whole = whole.of_instance(Instance(2, 2))
    ids: set[str] = set()
    for number in range(3):
        placed, cancels = set(), 0
        for wire in whole.dealt(number, 3).rendered().wires:
            head = wire.split(b" HTTP", 1)[0].decode()
            method, _, query = head.partition(" ")
            fields = dict(part.split("=") for part in query.partition("?")[2].split("&"))
            if method == "POST":
                placed.add(fields["newClientOrderId"])
                # What Binance takes.
                assert re.fullmatch("[a-zA-Z0-9-_]{1,36}", fields["newClientOrderId"])
            else:
                assert fields["origClientOrderId"] in placed
                cancels += 1
        assert cancels
        assert not ids & placed
        ids |= placed


def test_what_is_too_few_is_told() -> None:
    """Every process needs a connection, every machine a key: exactly as many are enough."""
    assert share_of(9, connections=3).dealt(2, 3).connections == 1
    with pytest.raises(LoadTestError, match="2 connections are too few for 3 processes"):
        share_of(9, connections=2).dealt(0, 3)
    assert len(share_of(9, keys=3).of_instance(Instance(3, 3)).keys) == 1
    with pytest.raises(LoadTestError, match="2 keys are too few for 3 instances"):
        share_of(9, keys=2).of_instance(Instance(1, 3))


def test_instances_are_read() -> None:
    """From 1 to how many there are, and nothing else."""
    assert parse_instance("") == parse_instance("1/1") == Instance()
    assert parse_instance("3/3") == Instance(3, 3)
    assert (Instance().text(), Instance(2, 3).text()) == ("", "2/3")
    for text in ("0/3", "4/3", "1", "1/0", "a/b", "-1/2", "1/1000", "1/2/3", "\u0661/2"):
        with pytest.raises(LoadTestError, match="is not such as 2/3"):
            parse_instance(text)


@given(st.lists(st.lists(st.integers(-5, 4 * 10**12), max_size=50), min_size=1, max_size=5))
def test_distributions_merge_exactly(parts: list[list[int]]) -> None:
    """Merging gives, to the byte, the distribution of all times together."""
    together = [value for part in parts for value in part]
    assert merged_distribution(list(map(distribution, parts))) == distribution(together)


def test_distributions_of_older_files_merge_too() -> None:
    """Without the sum of all times it is made from the mean."""
    older = msgspec.structs.replace(distribution([3, 5]), total_ns=0)
    assert merged_distribution([older, distribution([7])]).total_ns == 15
    assert merged_distribution([Latency(count=0)]) == Latency(count=0)


def run_of(indices: range, **changes: Any) -> Run:
    """Some of the requests of two seconds, 100 a second, after half a second of warm-up."""
    times = [index * 10 * MS for index in indices]
    samples = Samples(array("q", times))
    for at, index in enumerate(indices):
        samples.possible_ns[at] += index % 7 * MS
        samples.sent_ns[at] = samples.possible_ns[at] + index % 5
        outcome = {3: (REFUSED, "400"), 11: (ERROR, "lost")}.get(index % 20, (ACCEPTED, "200"))
        samples.end(at, times[at] + (index * 7_919 % 300) * MS, *outcome)
    run = measured(
        samples,
        rate=float(len(indices)) / 2.5,
        warmup_ns=NS_PER_SECOND // 2,
        duration_ns=2 * NS_PER_SECOND,
        cpu_ns=1,
        wall_ns=4,
        reconnects=1,
    )
    return msgspec.structs.replace(run, begun_utc_ns=10**18, **changes)


def test_a_run_of_several_shares_is_the_run_of_all() -> None:
    """Every figure is what one tester would have measured, to the byte of each histogram."""
    whole = run_of(range(250))
    parts = [run_of(range(number, 250, 3)) for number in range(3)]
    expected = msgspec.structs.replace(
        whole, tester_cpu_share=0.75, reconnects=3, processes=3, faults=("a",)
    )
    merged = merged_run(parts, ("a",))
    assert merged.rate == pytest.approx(expected.rate)
    assert msgspec.structs.replace(merged, rate=expected.rate) == expected


def test_seconds_are_aligned_by_the_clock() -> None:
    """A run that began 1.4 s later counts a second later, and the whole lasts 1.4 s longer."""
    late_ns = 1_400 * MS
    near = run_of(range(250))
    for apart_ns, lasts_ns in ((100 * MS, 0), (100 * MS + 1, 100 * MS + 1)):
        other = msgspec.structs.replace(near, begun_utc_ns=near.begun_utc_ns + apart_ns)
        assert merged_run([other, near]).duration_ns == near.duration_ns + lasts_ns
    first, second = run_of(range(250)), run_of(range(250))
    second = msgspec.structs.replace(second, begun_utc_ns=first.begun_utc_ns + late_ns)
    for runs in ([first, second], [second, first]):
        merged = merged_run(runs)
        assert merged.begun_utc_ns == first.begun_utc_ns
        assert merged.duration_ns == 2 * NS_PER_SECOND + late_ns
        assert [each.second for each in merged.seconds] == [0, 1, 2]
        assert [each.offered for each in merged.seconds] == [100, 200, 100]
        assert merged.offered == 400
        assert merged.throughput == pytest.approx(2 * first.throughput * 2 / 3.4)
