"""Many small venues, each with its own faults and limits, and nothing that must not happen."""

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import monotonic

import pytest

from tests.sim.run import STEPS, Failure, minimized, run_seed

SOAK = bool(os.environ.get("ORDERGATE_SOAK"))
SEEDS = 10_000 if SOAK else 100
WORKERS = 2
BATCH = 25
IMPORTANT = (
    *("event Deadline", "event OrderTrade", "event OrderEnded", "event OrderReduced"),
    *("event TradeBust", "event BulkCancel", "event EngineSession", "event MarketTrade"),
    *("fault disconnect", "fault new_epoch", "fault lose_command", "fault lose_result"),
    *("fault late_result", "fault duplicate_result", "fault reorder_result"),
    *("reason ADDRESS_BANNED", "reason RAW_REQUEST_LIMIT", "reason REQUEST_WEIGHT_LIMIT"),
    *("reason ORDER_COUNT_LIMIT", "reason MAX_NUM_ORDERS", "reason INSUFFICIENT_BALANCE"),
    *("reason MINIMUM_RESTING_TIME", "reason DUPLICATE_CLIENT_ORDER_ID", "reason UNKNOWN_ORDER"),
    *("reason STATE_KILLED", "reason STATE_CANCEL_ONLY", "reason STATE_REDUCE_ONLY"),
    *("reason STATE_SLOW", "reason SYMBOL_HALTED", "reason ORDER_TO_TRADE_RATIO"),
    *("reason PRICE_COLLAR", "reason VALUE_UNBOUNDED", "reason TIMESTAMP_EXPIRED"),
    *("result FILLED", "result PARTIALLY_FILLED", "result ENGINE_LOST", "result CANCELED"),
    *("result ENGINE_UNAVAILABLE", "result ENGINE_UNKNOWN_ORDER", "result ENGINE_STALE"),
    *("answer unknown", "clock step seen"),
)
"""What the seeds must have met, so that the simulator does not grow blind."""


def _batch(first: int) -> tuple[Counter[str], list[Failure]]:
    """Simulate some seeds."""
    met: Counter[str] = Counter()
    failures = [
        failure
        for seed in range(first, first + BATCH)
        if (failure := run_seed(seed, STEPS, met)) is not None
    ]
    return met, failures


@pytest.mark.timeout(3600 if SOAK else 120)
def test_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    """No seed finds anything, and together they have met everything that matters."""
    begun = monotonic()
    met: Counter[str] = Counter()
    failures: list[Failure] = []
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        for batch_met, batch_failures in pool.map(_batch, range(0, SEEDS, BATCH)):
            met.update(batch_met)
            failures.extend(batch_failures)
    if SOAK:
        with capsys.disabled():
            print(f"\n{SEEDS:,} seeds of {STEPS} steps in {monotonic() - begun:.0f} s")
            for name, count in sorted(met.items()):
                print(f"{count:12,} {name}")
    if failures:
        named = ", ".join(str(failure.seed) for failure in failures)
        pytest.fail(f"{len(failures)} seeds failed: {named}\n{minimized(failures[0])}")
    missing = [name for name in IMPORTANT if not met[name]]
    assert not missing, f"{SEEDS} seeds never met {missing}"


def test_a_seed_is_the_same_again() -> None:
    """The same seed meets the same things."""
    first: Counter[str] = Counter()
    again: Counter[str] = Counter()
    assert run_seed(7, coverage=first) == run_seed(7, coverage=again)
    assert first == again
    assert sum(first.values()) > STEPS
