"""What is kept beside and instead of plain segments, given arbitrary bytes: an answer, no crash."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.journal import JournalError, JournalWriter, read_run
from gateway.journal.archive import compress_segment, encrypt_segment
from gateway.journal.compression import compressed
from gateway.journal.encryption import HEADER_BYTES, KEY_VARIABLE, encrypted, record_key
from gateway.journal.manifest import make_run_directory, new_manifest, read_manifest
from gateway.journal.seal import signature_path
from gateway.journal.tombstone import TOMBSTONE_NAME
from gateway.journal.verify import verify_run
from rules.decisions import NOTED_DECISION
from rules.events import Define
from rules.rulebook import parse_rulebook

START_NS = 1_760_000_000_000_000_000
RULEBOOK = parse_rulebook("plain", {"plain": ""})
KEY = record_key(bytes(32))

function_scoped = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a closed run of 20 records in one segment."""
    monkeypatch.setenv(KEY_VARIABLE, KEY.key.hex())
    directory = make_run_directory(tmp_path, START_NS)
    writer = JournalWriter(directory, new_manifest(directory.name, RULEBOOK, START_NS, 1 << 13))
    for seq in range(1, 21):
        writer.append(seq, START_NS + seq, Define(1, seq, f"name-{seq}"), NOTED_DECISION)
    writer.close()
    return directory


def read_all(directory: Path) -> int:
    """Read and verify; a JournalError is an answer, everything else fails the test."""
    for start in (1, 7, 10**9):
        try:
            seqs = [record.seq for record in read_run(directory, start)]
        except JournalError:
            continue
        assert seqs == list(range(start, start + len(seqs)))
    code = verify_run(directory).exit_code
    assert code in (0, 1, 2)
    return code


def stored(directory: Path, suffix: str, content: bytes) -> None:
    """Put `content` in the place of the run's only segment."""
    (directory / "000001.seg").unlink(missing_ok=True)
    (directory / f"000001.seg{suffix}").write_bytes(content)


@function_scoped
@given(content=st.binary(max_size=400))
@example(content=b"")
def test_any_bytes_as_an_archive(run: Path, content: bytes) -> None:
    """A compressed or encrypted segment of any bytes at all is damaged or unreadable."""
    stored(run, ".zst", content)
    assert read_all(run) == 1
    (run / "000001.seg.zst").unlink()
    stored(run, ".zst.enc", content)
    assert read_all(run) == 1
    (run / "000001.seg.zst.enc").unlink()


@function_scoped
@given(header=st.binary(min_size=HEADER_BYTES - 12, max_size=HEADER_BYTES - 12), body=st.binary())
def test_any_header_with_a_right_checksum(run: Path, header: bytes, body: bytes) -> None:
    """A header that is whole and says anything never leads further than its key allows."""
    for magic in (b"OGRECENC", header[:8]):
        head = magic + header
        stored(run, ".zst.enc", head + struct.pack("<I", zlib.crc32(head)) + body)
        assert read_all(run) in (1, 2)


@function_scoped
@given(content=st.binary(max_size=400))
def test_any_content_rightly_encrypted(run: Path, content: bytes) -> None:
    """What was encrypted with the right key and is no compressed segment is damaged."""
    stored(run, ".zst.enc", b"".join(encrypted([content], KEY)))
    assert read_all(run) == 1


@function_scoped
@given(content=st.binary(max_size=400))
def test_any_content_rightly_compressed(run: Path, content: bytes) -> None:
    """What was compressed whole and is no segment is damaged as the plain bytes would be."""
    stored(run, ".zst", b"".join(compressed([content])))
    assert read_all(run) == 1


_sizes = st.integers(0, 2**32 - 1) | st.integers(0, 200)


@function_scoped
@given(entries=st.lists(st.tuples(_sizes, _sizes), max_size=5), frames=st.binary(max_size=100))
def test_any_table(run: Path, entries: list[tuple[int, int]], frames: bytes) -> None:
    """A seek table that claims anything is refused before it is followed."""
    content = b"".join(struct.pack("<II", *entry) for entry in entries)
    content += struct.pack("<IBI", len(entries), 0, 0x8F92EAB1)
    table = struct.pack("<II", 0x184D2A5E, len(content)) + content
    checks = b"OGCK" + b"\x00" * 4 * max(len(entries) - 1, 0)
    head = struct.pack("<II", 0x184D2A50, len(checks) + 4)
    checksum = struct.pack("<I", zlib.crc32(head + checks + table))
    stored(run, ".zst", frames + head + checks + checksum + table)
    assert read_all(run) == 1


@function_scoped
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_beside_a_segment(run: Path, content: bytes) -> None:
    """A signature or a tombstone of any bytes is found wrong; the records are read all the same."""
    signature_path(run / "000001.seg").write_bytes(content)
    assert verify_run(run).exit_code == 1
    assert len(list(read_run(run))) == 20
    signature_path(run / "000001.seg").unlink()
    (run / TOMBSTONE_NAME).write_bytes(content)
    assert read_all(run) == 2
    assert len(list(read_run(run))) == 20
    (run / TOMBSTONE_NAME).unlink()


def test_random_blocks_in_an_archive(run: Path) -> None:
    """The forms themselves are whole before they are damaged."""
    entry = read_manifest(run).segments[0]
    assert compress_segment(run, entry)
    assert read_all(run) == 0
    assert encrypt_segment(run, entry, KEY)
    assert read_all(run) == 0
