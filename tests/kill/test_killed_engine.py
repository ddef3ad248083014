"""An engine process and its gate, either or both killed again and again, agree in the end."""

from pathlib import Path

import pytest

from tests.kill.rounds import Rounds
from tests.kill.scale import ROUNDS, SEED, TIMEOUT_SECONDS, told
from tests.kill.venue import DEFER


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_killed_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing stays reserved for ever, nothing is sent twice, no answer contradicts the record.

    Cancels that come too early are held, and carried out by whichever gate lives then.
    """
    rounds = Rounds(tmp_path, SEED, engine=True, policy=DEFER)
    rounds.run(ROUNDS)
    counts = rounds.counts
    with capsys.disabled():
        told("killed gate and engine", counts)
    assert counts["answers seen"] == counts["answers found"] > 100
