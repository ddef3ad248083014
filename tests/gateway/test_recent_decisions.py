"""Finding one decision: in memory, in the present segment, and in one sealed long ago."""

from pathlib import Path

import pytest

from gateway.journal import JournalWriter, start_run
from gateway.recent_decisions import KEPT, MARK_EVERY, RecentDecisions
from gateway.rulebooks import load_rulebook
from rules.decisions import NOTED_DECISION
from rules.events import RecordRead

COUNT = KEPT + 3 * MARK_EVERY + 7
START_NS = 1_780_000_000_000_000_000


def written(data: Path, segment_bytes: int) -> tuple[JournalWriter, RecentDecisions]:
    """Write a run and keep its decisions as a gate does."""
    journal = start_run(data, load_rulebook("bench"), START_NS, segment_bytes)
    recent = RecentDecisions(journal)
    for seq in range(1, COUNT + 1):
        event = RecordRead("reader", f"query {seq}")
        journal.append(seq, START_NS + seq, event, NOTED_DECISION)
        recent.on_record(seq, START_NS + seq, event, NOTED_DECISION)
    return journal, recent


@pytest.mark.parametrize("segment_bytes", [8_192, 1 << 20])
def test_every_decision_is_found(tmp_path: Path, segment_bytes: int) -> None:
    """Also where segments end between two remembered places, and after the run was closed."""
    journal, recent = written(tmp_path, segment_bytes)
    edges = [MARK_EVERY, KEPT, COUNT - KEPT, COUNT]
    wanted = {1, 2, *(edge + step for edge in edges for step in (-1, 0, 1)), *range(1, COUNT, 97)}
    for seq in sorted(wanted - {COUNT + 1}):
        found = recent.find(seq)
        assert found is not None
        assert (found.seq, found.event) == (seq, RecordRead("reader", f"query {seq}"))
    journal.close()
    assert recent.find(3) is not None


def test_places_are_bounded_and_all_decisions_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of too many places every second one goes, as often as it takes."""
    monkeypatch.setattr("gateway.recent_decisions.PLACES_MAX", 2)
    monkeypatch.setattr("gateway.recent_decisions.MARK_EVERY", 64)
    journal, recent = written(tmp_path, 1 << 20)
    assert len(recent._places) == len(recent._marks) <= 2
    for seq in range(1, COUNT, 97):
        found = recent.find(seq)
        assert found is not None
        assert found.seq == seq
    journal.close()


@pytest.mark.parametrize("behind", [0, 1, MARK_EVERY - 1, MARK_EVERY])
def test_decisions_that_are_shown_late_are_found(
    tmp_path: Path, behind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `disk` durability others are appended before one is shown; the run is not read whole."""
    journal = start_run(tmp_path, load_rulebook("bench"), START_NS, 1 << 20)
    recent = RecentDecisions(journal)
    for seq in range(1, COUNT + behind + 1):
        event = RecordRead("reader", f"query {seq}")
        journal.append(seq, START_NS + seq, event, NOTED_DECISION)
        if seq > behind:
            shown = RecordRead("reader", f"query {seq - behind}")
            recent.on_record(seq - behind, START_NS + seq, shown, NOTED_DECISION)
    monkeypatch.setattr("gateway.recent_decisions.read_run", lambda *_: iter(()))
    for seq in (3 * MARK_EVERY + step for step in (-1, 0, 1, 2)):
        found = recent.find(seq)
        assert found is not None
        assert found.seq == seq
    journal.close()


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    """Numbers before the first and after the last have no decision."""
    journal, recent = written(tmp_path, 1 << 20)
    assert [recent.find(seq) for seq in (-1, 0, COUNT + 1, 1 << 62)] == [None] * 4
    journal.close()


def test_a_record_that_cannot_be_read_is_not_found(tmp_path: Path) -> None:
    """A missing segment means no answer, not a fault of the gate."""
    journal, recent = written(tmp_path, 8_192)
    (journal.directory / "000001.seg").unlink()
    assert recent.find(2) is None
    assert recent.find(COUNT) is not None
    journal.close()


def test_nothing_is_found_before_the_first() -> None:
    """An empty gate has no decisions."""

    class Nowhere:
        directory = Path("nowhere")
        place = (Path("nowhere"), 0)

    assert RecentDecisions(Nowhere()).find(1) is None
