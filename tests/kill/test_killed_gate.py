"""A gate that is killed again and again loses nothing that anybody was told."""

from pathlib import Path

import pytest

from tests.kill.rounds import Rounds
from tests.kill.scale import ROUNDS, SEED, TIMEOUT_SECONDS, told


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_killed_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed at random moments under load, with its engine: see `Arrival` and `Audit`."""
    rounds = Rounds(tmp_path, SEED)
    rounds.run(ROUNDS)
    counts = rounds.counts
    with capsys.disabled():
        told("killed gate", counts)
    assert counts["answers seen"] == counts["answers found"] > 100
