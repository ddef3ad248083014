"""Runs made of synthetic records, small enough to damage byte by byte."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.journal import JournalWriter
from gateway.journal.manifest import make_run_directory, new_manifest
from rules.decisions import ACCEPTED, NOTED_DECISION, REFUSED, Breach, Decision
from rules.events import Cancel, Define, Event, Place
from rules.reasons import Reason
from rules.rulebook import parse_rulebook
from rules.values import DEFINE_ADDRESS

START_NS = 1_760_000_000_123_456_789
RULEBOOK = parse_rulebook("plain", {"plain": ""})


def sample(seq: int) -> tuple[int, int, Event, Decision]:
    """Return the arguments of the record `seq`: definitions, orders, cancels and refusals."""
    now_ns = START_NS + seq * 1_000
    request = (40, 1, 1, 2, now_ns, now_ns, 5_000_000_000, 0, 1, 0, 0)
    match seq % 4:
        case 0:
            return seq, now_ns, Define(DEFINE_ADDRESS, seq, f"127.0.0.{seq}"), NOTED_DECISION
        case 1:
            event = Place(*request, 1, 1, 1, 1, seq * 100, 5, 0, f"client-{seq}")
            return seq, now_ns, event, Decision(ACCEPTED, order_id=seq, account=1, owner=1)
        case 2:
            return seq, now_ns, Cancel(*request, 1, seq - 1, ""), Decision(ACCEPTED)
        case _:
            breach = Breach("order_size", Reason.ORDER_SIZE, 10, str(10**30))
            event = Place(*request, 1, 2, 1, 1, 2**63 - 1, 5, 0, "\x00\N{SNOWMAN}\x94")
            return seq, now_ns, event, Decision(REFUSED, (breach,))


MakeWriter = Callable[..., JournalWriter]


@pytest.fixture
def make_writer(tmp_path: Path) -> MakeWriter:
    """Return a function that begins a run with small segments."""

    def make(segment_bytes: int = 1 << 16) -> JournalWriter:
        directory = make_run_directory(tmp_path / "data", START_NS)
        return JournalWriter(
            directory, new_manifest(directory.name, RULEBOOK, START_NS, segment_bytes)
        )

    return make


@pytest.fixture
def make_run(make_writer: MakeWriter) -> Callable[..., Path]:
    """Return a function that writes a run of `count` records and returns its directory."""

    def make(count: int, segment_bytes: int = 1 << 16, close: bool = True) -> Path:
        writer = make_writer(segment_bytes)
        for seq in range(1, count + 1):
            writer.append(*sample(seq))
        if close:
            writer.close()
        else:
            abandon(writer)
        return writer.directory

    return make


def abandon(writer: JournalWriter) -> None:
    """Leave a run as a killed process would: no seal, no cut, the prepared segment still there."""
    writer._supply._wait()
    writer._segment.close(writer._segment.size)
