"""The benchmark measures what it says: accepted decisions over a book of steady size."""

from pathlib import Path

from rules.decisions import REFUSED
from tests.bench.__main__ import ACCEPTED_SHARE_MIN, measure
from tests.bench.flow import Flow
from tests.bench.record import measure as measure_records


def test_every_row_is_measured() -> None:
    """At least 99 % are accepted, every row has its calls, and the window stands beside them."""
    rows = measure([200], requests=500, rounds=2, seed=1)
    assert [one["calls"] for one in rows][:1] == [1_000]
    assert rows[0]["accepted_share"] >= ACCEPTED_SHARE_MIN
    assert rows[-1]["open_orders"] is None
    assert all(one["us_p50"] > 0 for one in rows)


def test_the_book_keeps_its_size() -> None:
    """Placements that rest and cancels balance, and the pipeline's book agrees."""
    flow = Flow(2_000, seed=2)
    for _ in range(4_000):
        request = flow.next_request()
        result = flow.settle(request, flow.apply(request))
        assert result is not None
        flow.apply(result)
    assert 1_600 < flow.open_orders < 2_400
    assert len(flow.pipeline.book.orders) == flow.open_orders


def test_refusals_are_refused_where_they_should_be() -> None:
    """One is refused for its signature, in the first stage, the other for its tick, in the last."""
    flow = Flow(10, seed=3)
    for request, rule in ((flow.unsigned(), "authentication"), (flow.off_tick(), "price_filter")):
        decision = flow.apply(request)
        assert decision.verdict == REFUSED
        assert decision.breaches[0].rule == rule


def test_every_way_of_recording_is_measured(tmp_path: Path) -> None:
    """The journal's two durabilities stand beside SQLite's and logging, over the same records."""
    rows = measure_records(records=300, synced=20, rounds=1, folder=tmp_path)
    assert [one["records"] for one in rows] == [300, 300, 300, 300, 20, 300, 20, 300]
    assert [one["survives"] for one in rows] == ["kill -9"] * 4 + ["power cut"] * 4
    assert all(one["us_mean"] > 0 and one["bytes"] > 100 for one in rows)
    assert list(tmp_path.iterdir()) == []
