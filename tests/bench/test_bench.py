"""The benchmark measures what it says: accepted decisions over a book of steady size."""

from pathlib import Path

import pytest

from rules.decisions import REFUSED
from tests.bench.__main__ import (
    ACCEPTED_SHARE_MIN,
    DECISION,
    EXECUTE,
    HIT,
    PLACEMENT,
    measure,
    ratios,
)
from tests.bench.assembled_parts import LACKING, RISK_ENGINE
from tests.bench.beside import measure as measure_beside
from tests.bench.flow import Flow
from tests.bench.record import measure as measure_records
from tests.bench.record import ratios as record_ratios
from tests.bench.recovery import measure as measure_recovery


def test_every_row_is_measured() -> None:
    """At least 99 % are accepted, every row has its calls, and yardsticks stand beside them."""
    rows = measure([200], requests=500, rounds=2, seed=1)
    yardsticks = [HIT] if RISK_ENGINE in LACKING else [EXECUTE, HIT]
    assert [one["calls"] for one in rows][:1] == [1_000]
    assert rows[0]["accepted_share"] >= ACCEPTED_SHARE_MIN
    assert [one["what"] for one in rows if one["open_orders"] is None] == yardsticks
    assert all(one["us_p50"] > 0 for one in rows)
    placements = rows[1]
    assert placements["what"] == PLACEMENT
    assert 0 < placements["calls"] < rows[0]["calls"]
    assert len(ratios(rows)) == len(yardsticks) * 2 - 1


def test_ratios_are_of_one_run() -> None:
    """A decision is held against each yardstick, and the fullest book against the emptiest."""
    names = ((DECISION, 9), (PLACEMENT, 9), (DECISION, 1), (PLACEMENT, 1), (EXECUTE, None))
    figures = (12.0, 99.0, 10.0, 15.0, 5.0)
    rows = [
        {"what": what, "open_orders": size, "us_mean": us, "us_p50": us / 2}
        for (what, size), us in zip(names, figures, strict=True)
    ]
    rows.append({"what": HIT, "open_orders": None, "us_mean": 2.5, "us_p50": 2.5})
    found = ratios(rows)
    assert [one["ratio_mean"] for one in found] == [4.0, 2.0, 3.0, 1.2]
    assert [one["ratio_p50"] for one in found] == [2.0, 2.0, 3.0, 1.2]


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
    assert [one["records"] for one in rows] == [300, 300, 300, 300, 20, 300, 20, 300, 20]
    assert [one["survives"] for one in rows] == ["kill -9"] * 4 + ["power cut"] * 5
    assert all(one["us_mean"] > 0 and one["bytes"] > 100 for one in rows)
    faster, smaller = record_ratios(rows)
    assert faster["ratio"] == pytest.approx(rows[3]["us_mean"] / rows[0]["us_mean"], abs=0.01)
    # Bytes, unlike times, are the same on any machine.
    assert smaller["ratio"] == pytest.approx(rows[0]["bytes"] / rows[3]["bytes"], abs=0.01)
    assert smaller["ratio"] <= 0.4
    assert list(tmp_path.iterdir()) == []


def test_reading_replaying_and_recovering_are_measured(tmp_path: Path) -> None:
    """Everything is done with one run that did not end, and nothing comes out differently."""
    made, rows = measure_recovery(10_000, 1_000, "binance-spot-2026", 200, tmp_path)
    assert made["accepted_share"] >= ACCEPTED_SHARE_MIN
    records = {one["what"]: one["records"] for one in rows}
    assert records["read"] == records["verified"] == records["decided again"] == made["records"]
    assert records["recovered from zero"] == made["records"]
    assert records["snapshot made"] == made["closed"]
    assert records["recovered from the snapshot"] == made["records"] - made["closed"] >= 1_000
    assert all(one["cpu_seconds"] > 0 for one in rows)
    assert list(tmp_path.iterdir()) == []


def test_the_cost_of_a_snapshot_beside_is_measured(tmp_path: Path) -> None:
    """Rounds of each kind have the same planned requests; each is compared with nothing beside."""
    report = measure_beside(10_000, 1, 0.2, 0.1, "binance-spot-2026", tmp_path)
    assert report["accepted_share"] >= ACCEPTED_SHARE_MIN
    nothing, counting, snapshots = (row["requests"] for row in report["rows"])
    assert nothing == counting == snapshots > 0
    for ratio in report["ratios"]:
        assert 0 < ratio["low"] <= ratio["medians"] <= ratio["high"]
    assert list(tmp_path.iterdir()) == []
