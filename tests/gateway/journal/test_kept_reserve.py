"""A run that goes on in a reserve is one run for whoever verifies, keeps and deletes it."""

from pathlib import Path

import pytest

from gateway.journal import JournalDeletedError, JournalWriter, read_run
from gateway.journal.manifest import new_manifest, read_manifest, write_manifest
from gateway.journal.reserve import reserve_root
from gateway.journal.retention import apply_retention
from gateway.journal.upkeep import archive, sign
from gateway.journal.verify import verify_run

from .conftest import RULEBOOK, START_NS, sample
from .keeping_world import DAYS_NS, RECORDS, make_data, seal_key

FIRST = 31
"""First record of the reserve; the run's own journal holds some more."""
LAST = 70


def make_lost(data: Path) -> tuple[Path, Path]:
    """Make a run whose record was lost and went on in its reserve; return both directories."""
    run = make_data(data, (0,), killed=(0,))[0]
    reserve = reserve_root(data) / run.name
    reserve.mkdir(parents=True)
    writer = JournalWriter(
        reserve, new_manifest(run.name, RULEBOOK, START_NS, 1024), first_seq=FIRST
    )
    for seq in range(FIRST, LAST + 1):
        writer.append(*sample(seq))
    writer.close()
    return run, reserve


def test_a_lost_record_and_its_reserve_are_verified_as_one(tmp_path: Path) -> None:
    """What the run's own journal holds beyond is passed over, damaged or not."""
    run, reserve = make_lost(tmp_path / "data")
    seqs = list(range(1, LAST + 1))
    for _ in range(2):
        assert [record.seq for record in read_run(run)] == seqs
        result = verify_run(run)
        assert (result.exit_code, result.records, result.last_seq) == (0, LAST, LAST)
        assert (result.reserve, result.reserve_first_seq) == (str(reserve), FIRST)
        path = max(run.glob("0*.seg"))
        data = bytearray(path.read_bytes())
        data[-300] ^= 1
        path.write_bytes(data)
    path = reserve / "000002.seg"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    result = verify_run(run)
    assert (result.exit_code, result.findings[0].file) == (1, str(path))


def test_records_missing_before_the_reserve(tmp_path: Path) -> None:
    """A gap between the run's own journal and its reserve is corrupt."""
    run, _ = make_lost(tmp_path / "data")
    manifest = read_manifest(run)
    for entry in manifest.segments[1:]:
        (run / entry.file).unlink()
    max(run.glob("0*.seg")).unlink()
    del manifest.segments[1:]
    write_manifest(run, manifest)
    result = verify_run(run)
    assert result.exit_code == 1
    assert "are missing" in result.findings[-1].message


def test_reserve_is_kept_and_deleted_with_its_run(tmp_path: Path) -> None:
    """Signing, compression and retention do the reserve like the run."""
    data = tmp_path / "data"
    run, reserve = make_lost(data)
    make_data(data, (0, 1))
    key = seal_key(tmp_path)
    before = list(read_run(run))
    signed = sign(data, key).signed
    assert len([name for name in signed if name.startswith(run.name)]) > 4
    assert archive(data, None, 0).changed
    assert not list(reserve.glob("*.seg"))
    assert list(read_run(run)) == before
    assert verify_run(run, None, (key.public,), True).exit_code == 0
    plan = apply_retention(data, "1d", START_NS + 9 * DAYS_NS, "officer")
    assert run.name in [removal.run for removal in plan.removals]
    for directory in (run, reserve):
        left = sorted(path.name for path in directory.iterdir())
        assert left == ["manifest.json", "tombstone.json"]
    with pytest.raises(JournalDeletedError):
        list(read_run(run))
    result = verify_run(run)
    assert (result.exit_code, result.deleted_segments > 4) == (0, True)
    assert RECORDS > FIRST
