"""Many small venues, each with its own faults and limits, and nothing that must not happen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.many import figures, simulate
from tests.sim.run import Failure, digest_of, minimized

ROOT = Path(__file__).parents[2]
SOAK = bool(os.environ.get("ORDERGATE_SOAK"))
SEEDS = 10_000 if SOAK else 100
WORKERS = os.cpu_count() or 1
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
    *("answer unknown", "clock step seen", "clock behind at a start"),
    *("process killed", "power lost", "crash in a start", "crash in a step", "recovery"),
    *("planned restart", "torn end", "snapshot", "recovered from zero too", "byte changed"),
    *("snapshot damaged: flip", "snapshot damaged: cut", "snapshot damaged: remove"),
    *("disk disk_full", "disk short_write", "disk failing_sync", "disk stall"),
    *("record lost", "reserve lost", "engine lost its orders", "event SessionClosed"),
    *("rulebook changed", "event RulebookChanged", "answer DEFERRED"),
)
"""What the seeds must have met, so that the simulator does not grow blind."""


@pytest.mark.timeout(7200 if SOAK else 240)
def test_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    """No seed finds anything, and together they have met everything that matters."""
    found = simulate(range(SEEDS), WORKERS)
    if SOAK:
        with capsys.disabled():
            print("", *figures(found), sep="\n")
    if found.failures:
        named = ", ".join(str(failure.seed) for failure in found.failures)
        shortest = minimized(found.failures[0])
        pytest.fail(f"{len(found.failures)} seeds failed: {named}\n{shortest}")
    missing = [name for name in IMPORTANT if not found.met[name]]
    assert not missing, f"{SEEDS} seeds never met {missing}"


@pytest.mark.parametrize("seed", [7, 30])
def test_a_seed_is_the_same_again(seed: int) -> None:
    """The same seed does the same and records the same bytes, whatever the process it runs in."""
    command = [sys.executable, "-m", "tests.sim", "--seed", str(seed), "--digest"]
    there = [
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes},
        ).stdout.strip()
        for hashes in ("1", "2")
    ]
    assert {digest_of(seed), *there} == {there[0]}


def test_other_seeds_are_others() -> None:
    """The digest tells one run from another."""
    assert len({digest_of(seed, 40) for seed in range(6)}) == 6


def test_a_failure_says_how_to_see_it_again() -> None:
    """It names the seed and the command, and the command simulates just that."""
    failure = Failure(8, 400, 77, "what was wrong", ("one event",), (3, 77))
    assert "seed 8, step 77: what was wrong" in str(failure)
    command = "python -m tests.sim --seed 8 --steps 400 --only 3,77"
    assert str(failure).endswith(command)
