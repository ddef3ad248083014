"""Result files: written, and read whole or refused with a reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from loadtest.recorder import ALL, PERCENTILES, decoded
from loadtest.results import FORMAT, Latency, Results, Run
from loadtest.samples import OUTCOMES
from loadtest.units import LoadTestError

_T = TypeVar("_T")


class _Head(msgspec.Struct):
    """What a file of any version says of itself."""

    format: str


def check_writable(path: Path) -> None:
    """Raise LoadTestError where no result file can be written, while nothing was measured yet."""
    is_new = not path.exists()
    try:
        with path.open("ab"):
            pass
        if is_new:
            path.unlink()
    except OSError as error:
        raise LoadTestError(f"{path}: {error.strerror}") from None


def save(results: Results, path: Path) -> None:
    """Write a result file; raises LoadTestError."""
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    try:
        path.write_bytes(text + b"\n")
    except OSError as error:
        raise LoadTestError(f"{path}: {error.strerror}") from None


def load(path: Path) -> Results:
    """Return a result file; raises LoadTestError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LoadTestError(f"{path}: {error.strerror}") from None
    head = _decoded(path, content, _Head)
    if head.format != FORMAT:
        raise LoadTestError(f"{path}: has format `{head.format}`; {FORMAT} can be read")
    results = _decoded(path, content, Results)
    for problem in _problems(results):
        raise LoadTestError(f"{path}: is no result file: {problem}")
    return results


def _decoded(path: Path, content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LoadTestError(f"{path}: is no result file: {error}") from None


def _problems(results: Results) -> Iterator[str]:
    """Yield what a file lacks that every file has that was written here."""
    if not results.runs:
        yield "it has no run"
    for number, run in enumerate(results.runs, 1):
        if run.duration_ns <= 0 or run.warmup_ns < 0 or run.offered < 0:
            yield f"run {number} has no duration"
        if not {ALL, *OUTCOMES} <= run.latency.keys():
            yield f"run {number} lacks latencies"
        for latency in _latencies(run):
            if problem := _problem(latency):
                yield f"run {number} has a distribution {problem}"


def _latencies(run: Run) -> Iterator[Latency]:
    yield from run.latency.values()
    yield from (run.wait, run.lateness, run.pauses)
    yield from (second.latency for second in run.seconds)


def _problem(latency: Latency) -> str:
    """Return what is wrong with a distribution, empty when nothing is."""
    numbers: tuple[Any, ...] = (latency.count, latency.mean_ns, latency.min_ns, latency.max_ns)
    if min(*numbers, latency.total_ns, *latency.percentiles_ns.values()) < 0:
        return "of negative numbers"
    if not latency.count:
        return ""
    if not latency.percentiles_ns.keys() >= set(PERCENTILES):
        return "without percentiles"
    try:
        count = decoded(latency).get_total_count()
    except Exception as error:  # of many kinds, from base64 to zlib
        return f"whose histogram can't be read: {error}"
    return "" if count == latency.count else "whose histogram has another count"
