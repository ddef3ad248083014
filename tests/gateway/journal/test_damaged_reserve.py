"""A reserve whose beginning is damaged is found to be: a run never ends where it would begin."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.journal import JournalCorruptError, JournalWriter, read_run
from gateway.journal.frame import FRAME_HEAD_BYTES
from gateway.journal.manifest import (
    MANIFEST_NAME,
    make_run_directory,
    new_manifest,
    read_manifest,
    write_manifest,
)
from gateway.journal.reader import SegmentReader
from gateway.journal.reserve import begun_seq, is_unused, reserve_root
from gateway.journal.verify import verify_run
from gateway.recovery import recover
from rules.decisions import NOTED_DECISION
from rules.events import RunBegan

from .conftest import RULEBOOK, START_NS, abandon, sample

FIRST = 11
"""First record of the reserve; the run's own journal holds some more."""
LAST = 30


@pytest.fixture(params=["closed", "killed"])
def lost(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Return a run that went on in its reserve, and the reserve, which was closed or not."""
    run = make_run_directory(tmp_path / "data", START_NS)
    reserve = reserve_root(tmp_path / "data") / run.name
    reserve.mkdir(parents=True)
    for directory, first, last in ((run, 1, FIRST + 3), (reserve, FIRST, LAST)):
        manifest = new_manifest(run.name, RULEBOOK, START_NS, 1 << 16)
        writer = JournalWriter(directory, manifest, first_seq=first)
        for seq in range(first, last + 1):
            if seq == 1:
                writer.append(1, START_NS, RunBegan("", 1), NOTED_DECISION)
            else:
                writer.append(*sample(seq))
        if directory == reserve and request.param == "closed":
            writer.close()
        else:
            abandon(writer)
    assert verify_run(run).exit_code == 0
    return run, reserve


def flipped(at: int) -> Callable[[bytes, int], bytes]:
    """Return what changes one bit of the header's byte `at`, or of its last one."""

    def change(content: bytes, header: int) -> bytes:
        place = min(at, header - 1)
        return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]

    return change


def zeroed(content: bytes, header: int) -> bytes:
    """Return the segment without its header."""
    return bytes(header) + content[header:]


@pytest.mark.parametrize("change", [*(flipped(at) for at in (0, 3, 5, 8, 20, 999)), zeroed])
def test_a_damaged_header(
    lost: tuple[Path, Path], change: Callable[[bytes, int], bytes], tmp_path: Path
) -> None:
    """What comes after the damage was promised: it is corrupt, nothing is taken for the end."""
    run, reserve = lost
    path = reserve / "000001.seg"
    content = path.read_bytes()
    (_, header), *_ = SegmentReader(path).frames()
    path.write_bytes(change(content, FRAME_HEAD_BYTES + len(header)))
    assert begun_seq(reserve) == FIRST
    assert not is_unused(reserve)
    found = verify_run(run)
    assert (found.exit_code, found.findings[0].file) == (1, str(path))
    seqs = []
    with pytest.raises(JournalCorruptError, match=r"000001\.seg"):
        seqs.extend(record.seq for record in read_run(run))
    assert seqs == list(range(1, FIRST))
    with pytest.raises(JournalCorruptError):
        recover(tmp_path / "data")


def test_a_reserve_that_was_torn_as_it_began(lost: tuple[Path, Path]) -> None:
    """Half a header and nothing after it: the run goes on without, and the bytes are told."""
    run, reserve = lost
    path = reserve / "000001.seg"
    manifest = msgspec.structs.replace(read_manifest(reserve), status="running", segments=[])
    write_manifest(reserve, msgspec.structs.replace(manifest, ended_ns=0))
    path.write_bytes(path.read_bytes()[:20] + bytes(1000))
    assert begun_seq(reserve) == 0
    assert not is_unused(reserve)
    assert [record.seq for record in read_run(run)] == list(range(1, FIRST + 4))
    found = verify_run(run)
    assert (found.exit_code, found.torn_bytes, found.torn_file) == (0, 20, str(path))
    path.write_bytes(bytes(1000))
    assert is_unused(reserve)
    assert verify_run(run).torn_bytes == 0


def test_the_manifest_of_a_reserve_is_held_to_its_run(lost: tuple[Path, Path]) -> None:
    """It was made from the run's, so what differs was changed."""
    run, reserve = lost
    manifest = read_manifest(reserve)
    write_manifest(reserve, msgspec.structs.replace(manifest, rulebook_text="{}"))
    (finding,) = verify_run(run).findings
    assert (finding.kind, finding.file) == ("corrupt", str(reserve / MANIFEST_NAME))
    assert finding.message == "rulebook_text is not what the manifest of the run says"
