"""Readers of the record given arbitrary bytes: they end, and raise nothing but JournalError."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.journal import JournalError, JournalWriter, read_run
from gateway.journal.frame import Header, control_payload, decode_payload, framed
from gateway.journal.manifest import make_run_directory, new_manifest, read_manifest, write_manifest
from gateway.journal.verify import verify_run
from rules.decisions import NOTED_DECISION
from rules.events import Define
from rules.rulebook import parse_rulebook

START_NS = 1_760_000_000_000_000_000
RULEBOOK = parse_rulebook("plain", {"plain": ""})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return an unsealed run of 20 records whose single segment a test may overwrite."""
    directory = make_run_directory(tmp_path, START_NS)
    writer = JournalWriter(directory, new_manifest(directory.name, RULEBOOK, START_NS, 1 << 13))
    for seq in range(1, 21):
        writer.append(seq, START_NS + seq, Define(1, seq, f"name-{seq}"), NOTED_DECISION)
    writer.close()
    manifest = read_manifest(directory)
    manifest.status, manifest.ended_ns, manifest.segments = "running", 0, []
    write_manifest(directory, manifest)
    return directory


def read_all(directory: Path) -> None:
    """Read and verify; a JournalError is an answer, everything else fails the test."""
    for start in (1, 7, 10**9):
        try:
            seqs = [record.seq for record in read_run(directory, start)]
        except JournalError:
            continue
        assert seqs == list(range(start, start + len(seqs)))
    assert verify_run(directory).exit_code in (0, 1, 2)


function_scoped = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)


@function_scoped
@given(data=st.binary(max_size=600))
def test_any_bytes(run: Path, data: bytes) -> None:
    """A segment of any bytes at all."""
    (run / "000001.seg").write_bytes(data)
    read_all(run)


@function_scoped
@given(payloads=st.lists(st.binary(max_size=40), max_size=6))
def test_any_payloads_with_right_checksums(run: Path, payloads: list[bytes]) -> None:
    """Frames that are whole around content that is anything."""
    header = control_payload(Header(1, run.name, 1, 1))
    (run / "000001.seg").write_bytes(b"".join(map(framed, [header, *payloads])))
    read_all(run)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=8),
    max_leaves=20,
)


@function_scoped
@given(contents=st.lists(st.lists(_values, max_size=8), max_size=4))
def test_any_msgpack(run: Path, contents: list[list[object]]) -> None:
    """Frames that hold msgpack arrays of every shape, control frames among them."""
    header = control_payload(Header(1, run.name, 1, 1))
    frames = [framed(msgspec.msgpack.encode(content)) for content in contents]
    frames += [framed(msgspec.msgpack.encode([0, *content])) for content in contents]
    (run / "000001.seg").write_bytes(framed(header) + b"".join(frames))
    read_all(run)


@function_scoped
@given(content=st.binary(max_size=400))
def test_any_manifest(run: Path, content: bytes) -> None:
    """A manifest of any bytes is unreadable, never a crash."""
    (run / "manifest.json").write_bytes(content)
    assert verify_run(run).exit_code == 2


def test_deep_nesting_is_an_answer() -> None:
    """Content nested deeper than the interpreter's stack is unreadable, not a crash."""
    for payload in (b"\x91" * 100_000 + b"\x00", b"\x92\x00" + b"\x91" * 100_000 + b"\x00"):
        with pytest.raises(JournalError):
            decode_payload(payload)


def test_large_random_segment_ends(run: Path) -> None:
    """Megabytes of random bytes after a good beginning are judged in bounded time."""
    path = run / "000001.seg"
    good = path.read_bytes()
    chance = random.Random(3)
    for size in (1, 100_000, 4_000_000):
        path.write_bytes(good[: len(good) // 2] + chance.randbytes(size))
        read_all(run)


def test_many_plausible_lengths_end(run: Path) -> None:
    """A pattern that looks like the head of a large frame at every place does not stall."""
    path = run / "000001.seg"
    good = path.read_bytes()
    pattern = b"\xff\xff\x0f\x00\x94\x94\x94\x94\x94"
    path.write_bytes(good[: len(good) // 2] + pattern * 200_000)
    assert verify_run(run).exit_code == 2
