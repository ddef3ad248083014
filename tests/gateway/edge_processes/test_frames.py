"""Frames between core and edges: whole messages from any pieces, and damage is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edges.processes.frames import FrameReader, LinkBrokenError, batch_frame
from gateway.edges.processes.messages import (
    Asked,
    Begin,
    Decided,
    Defined,
    Failed,
    Forwarded,
    FromCore,
    FromEdge,
    Listening,
)
from gateway.views import OrderView
from rules.decisions import ACCEPTED, Breach, Decision
from rules.events import CommandResult, DefineKey, Fill, Place, Query
from rules.reasons import Reason

HEAD = (40, 1, 2, 2, 10, 10, 5, 0, 1, 0, 0)
FROM_EDGE = [
    Listening(),
    Asked(1, 9, 2**50, Place(*HEAD, 1, 1, 1, 1, 2**62, 100, 0, "näme")),
    Asked(2, 9, 0, Query(*HEAD)),
    Forwarded(3, 8, 1, "GET", "/p", b"\xff", {"x": "y"}, b"\x00", "127.0.0.1", 7, False, 2, 1, 10),
]
FROM_CORE = [
    Defined(DefineKey(1, "name", 2, 3, (4,), 0, False)),
    Begin(),
    Decided(
        1,
        2**40,
        7,
        Decision(ACCEPTED, (Breach("r", Reason.PRICE_TICK, 1, "2"),), order_id=5),
        CommandResult(9, 5, True, None, 1, 8, (Fill(1, 2, 3, 4, 5, 6, True),)),
        8,
        (60, 1),
        (10, 2, 20, 3),
        OrderView(5, "name", 1, 1, 1, 1, 1, 100, 200, 0, 7, 8, pending_cancel=True),
    ),
    Failed(4),
]


@given(
    st.lists(st.integers(1, 60)), st.sampled_from([(FromEdge, FROM_EDGE), (FromCore, FROM_CORE)])
)
def test_whatever_the_pieces(sizes: list[int], side: tuple[object, list[object]]) -> None:
    """Messages come out as they went in, in order, and each as soon as its frame is complete."""
    kinds, messages = side
    data = batch_frame(messages[:1]) + batch_frame(messages[1:])  # type: ignore[arg-type]
    reader, found, at = FrameReader(kinds), [], 0
    for size in [*sizes, len(data)]:
        found += reader.feed(data[at : at + size])
        at += size
    assert found == messages


def test_every_byte_counts() -> None:
    """A frame with any one bit changed is no frame, or not complete."""
    frame = batch_frame(FROM_EDGE)
    for place in range(4, len(frame)):
        damaged = bytearray(frame)
        damaged[place] ^= 1
        with pytest.raises(LinkBrokenError):
            FrameReader(FromEdge).feed(bytes(damaged))


def test_the_other_sides_messages_are_not_understood() -> None:
    """What only the core says is no word of an edge."""
    with pytest.raises(LinkBrokenError, match="not known here"):
        FrameReader(FromEdge).feed(batch_frame(FROM_CORE))
