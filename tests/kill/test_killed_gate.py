"""A gate that is killed again and again loses nothing that anybody was told."""

from pathlib import Path

import pytest

from tests.kill.rounds import Rounds
from tests.kill.scale import ROUNDS, SEED, told


@pytest.mark.parametrize("durability", ["process", "disk"])
def test_killed_gate(tmp_path: Path, durability: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed at random moments under load, with its engine: see `Arrival` and `Audit`."""
    rounds = Rounds(tmp_path, durability, SEED)
    rounds.run(ROUNDS)
    counts = rounds.counts
    with capsys.disabled():
        told(f"killed gate, {durability}", counts)
    assert counts["answers seen"] == counts["answers found"] > 100
