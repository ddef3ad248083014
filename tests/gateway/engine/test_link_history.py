"""What an engine keeps of what it has told a gate, at its bound."""

import pytest

from gateway.engine.link_history import HISTORY_MAX, LinkHistory
from gateway.wire.ordergate.v1 import engine_pb2 as wire


def event(seq: int) -> wire.EngineItem:
    """Something the engine said of its own accord."""
    return wire.EngineItem(event=wire.OrderEvent(engine_seq=seq))


def result(command_id: int) -> wire.EngineItem:
    """The answer to a command."""
    return wire.EngineItem(result=wire.CommandResult(command_id=command_id))


@pytest.mark.parametrize(
    ("events", "last_seq", "covered"), [(3, 0, True), (4, 0, False), (4, 1, True)]
)
def test_a_gate_that_missed_more_than_is_kept_can_not_resume(
    events: int, last_seq: int, covered: bool
) -> None:
    """The oldest goes at the bound; whoever has got it misses nothing."""
    history = LinkHistory(items_max=3)
    for seq in range(1, events + 1):
        history.add(event(seq))
    assert history.covers(last_seq, ()) is covered
    kept = [item.event.engine_seq for item in history.missed(last_seq, ())]
    assert kept == list(range(max(last_seq, events - 3) + 1, events + 1))


def test_a_result_that_is_no_longer_kept() -> None:
    """It is told of neither, and a gate that still waits for it can't resume."""
    history = LinkHistory(items_max=2)
    for command_id in (7, 8):
        history.add(result(command_id))
    assert history.covers(0, (7,))
    history.add(result(9))
    assert history.result(7) is None
    assert not history.covers(0, (7,))
    assert history.covers(0, (8, 9))
    assert [item.result.command_id for item in history.missed(0, (8, 9))] == [8, 9]


def test_what_a_gate_has_safely_got_takes_no_room() -> None:
    """However long a link lasts."""
    history = LinkHistory(items_max=2)
    for seq in range(1, 10):
        history.add(result(seq))
        history.add(event(seq))
        history.acknowledge(seq)
        assert history.covers(seq, ())
    assert history.missed(0, range(10)) == []
    assert HISTORY_MAX == 200_000
