"""Runs against two targets in turn, each by a process of its own, so that they can be compared.

Within a pair both runs have the same seed. Which side goes first changes from pair to pair, so
that a machine that gets slower all the while slows neither side more.
"""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadtest.assertions import time_metric_ns
from loadtest.files import load
from loadtest.recorder import ALL
from loadtest.results import Run
from loadtest.units import LoadTestError, duration_text

_SET_HERE: Final = (
    *("--target", "--output", "-o", "--seed", "--repeat", "--json"),
    *("--steps", "--start-at", "--instance"),
)
"""Options of `load run` that a comparison sets itself, or that make no comparable runs."""
_FINE: Final = (0, 1)
"""Exit codes of a run that has written its results; 1 may be an assertion that fails."""


class Side(NamedTuple):
    """One of the two."""

    name: str
    """`a` or `b`, which is also the directory of its results."""
    url: str
    options: tuple[str, ...]
    """Options of `load run`."""


def alternate(
    sides: tuple[Side, Side],
    repeats: int,
    directory: Path,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Make so many pairs of runs, and write their results to `directory`/a and /b.

    A pair with a run that is not valid is put into `directory`/not-valid and made again, at most
    as often as pairs are asked for. Raises LoadTestError when a run can't be made, the directory
    has files already, or too many runs are not valid.
    """
    for side in sides:
        for option in side.options:
            if option.partition("=")[0] in _SET_HERE:
                raise LoadTestError(f"{option} can't be given here: `load compare` sees to it")
    if directory.exists() and any(directory.iterdir()):
        raise LoadTestError(f"{directory}: has files already; name another directory")
    for side in sides:
        (directory / side.name).mkdir(parents=True, exist_ok=True)
    made = 0
    for attempt in range(2 * repeats):
        order = sides if attempt % 2 == 0 else sides[::-1]
        paths = {side.name: directory / side.name / f"{attempt + 1:03}.json" for side in order}
        runs = {side.name: _run(side, paths[side.name], seed + attempt) for side in order}
        faults = [f"{name.upper()}: {fault}" for name, run in runs.items() for fault in run.faults]
        if faults:
            (directory / "not-valid").mkdir(exist_ok=True)
            for name, path in paths.items():
                path.rename(directory / "not-valid" / f"{name}-{path.name}")
            say(f"pair not valid, to be made again: {faults[0]}")
            continue
        made += 1
        figures = ", ".join(f"{side.name.upper()} {_said(runs[side.name])}" for side in sides)
        say(f"pair {made} of {repeats}: {figures}")
        if made == repeats:
            return
    raise LoadTestError(
        f"{2 * repeats - made} of {2 * repeats} pairs were not valid, see {directory}/not-valid; "
        "lower the rate, give the tester a core of its own or widen --late-bound"
    )


def _run(side: Side, output: Path, seed: int) -> Run:
    """Make one run; raises LoadTestError when it has no results."""
    process = subprocess.Popen(  # noqa: S603 (its own command, a user's own options)
        [
            *(sys.executable, "-m", "loadtest", "run", "--target", side.url),
            *(*side.options, "--seed", str(seed), "--output", str(output)),
        ],
        stdout=subprocess.DEVNULL,
        # A terminal's Ctrl-C would reach it a second time, which ends a run at once.
        start_new_session=True,
    )
    try:
        with _told_to_stop(process):
            code = process.wait()
    except BaseException:
        # The beginning of a run is nothing to compare.
        output.unlink(missing_ok=True)
        raise
    if code not in _FINE:
        raise LoadTestError(f"the run against {side.url} ended with exit code {code}")
    return load(output).runs[0]


@contextlib.contextmanager
def _told_to_stop(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Hand a signal on that ends this process, and wait for the orders to be cancelled."""

    def terminated(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _said(run: Run) -> str:
    latency = run.latency[ALL]
    times = (duration_text(time_metric_ns(latency, name)) for name in ("p50", "p99"))
    return "p50 {}, p99 {}".format(*times)


def sides_of(
    urls: Sequence[str], common: Sequence[str], only: Sequence[Sequence[str]]
) -> tuple[Side, Side]:
    """Return both sides with the options of both and those of each."""
    a, b = (
        Side(name, url, (*common, *own)) for name, url, own in zip("ab", urls, only, strict=True)
    )
    return a, b
