"""Bytes written by the first version of the format are read for ever."""

import msgspec
import pytest

from gateway.journal import JournalUnreadableError, Record
from gateway.journal.frame import (
    FRAME_HEAD_BYTES,
    Checkpoint,
    Control,
    Header,
    RecordHead,
    Seal,
    SyncMark,
    control_payload,
    decode_head,
    decode_payload,
    framed,
)
from rules.decisions import REFUSED, Breach, Decision
from rules.events import Place
from rules.reasons import Reason

CONTROLS: list[tuple[Control, str]] = [
    (
        Header(1, "20251009T085320.123456789Z", 1, 1, b""),
        "23000000989b7c0197000101ba3230323531303039543038353332302e3132333435363738395a0101c400",
    ),
    (
        Checkpoint(1024, bytes(range(32))),
        "28000000786c182b940002cd0400c420" + bytes(range(32)).hex(),
    ),
    (SyncMark(7, 4096), "070000007ad8298f94000307cd1000"),
    (Seal(9, 9, bytes(32)), "270000006a6bf34e9500040909c420" + "00" * 32),
]
RECORD_BYTES = (
    "9b000000d7f923929405cf186cc6acd4b00001dc001ba15028010202cf186cc6acd4b00000cf186cc6acd4a0bdc0"
    "cf000000012a05f2000001000304010101cf00000277845c3840ce02faf08000a8636c69656e742d310000000000"
    "00009e039199ab6f726465725f76616c7565cd138a0abf31303030303030303030303030303030303030303030303"
    "03030303030303000000000a090000000000000009090c2a0"
)
"""A refused order, as version 0.1.0 wrote it."""


@pytest.mark.parametrize(("control", "text"), CONTROLS)
def test_control_frames(control: Control, text: str) -> None:
    """Each control frame has exactly these bytes."""
    assert framed(control_payload(control)).hex() == text
    assert decode_payload(bytes.fromhex(text)[FRAME_HEAD_BYTES:]) == control
    assert decode_head(bytes.fromhex(text)[FRAME_HEAD_BYTES:]) == control


def test_record() -> None:
    """A record of the first version decodes to the same event and decision as today's."""
    data = bytes.fromhex(RECORD_BYTES)
    assert framed(data[FRAME_HEAD_BYTES:]) == data
    sent_ns, received_ns = 1_759_999_999_999_000_000, 1_760_000_000_000_000_000
    request = (40, 1, 2, 2, received_ns, sent_ns, 5_000_000_000, 0, 1, 0, 3)
    event = Place(*request, 4, 1, 1, 1, 2_712_345_000_000, 50_000_000, 0, "client-1")
    breach = Breach("order_value", Reason.ORDER_VALUE, 10, str(10**30))
    expected = Record(5, 1_760_000_000_000_000_001, event, Decision(REFUSED, (breach,)))
    assert decode_payload(data[FRAME_HEAD_BYTES:]) == expected
    assert decode_head(data[FRAME_HEAD_BYTES:]) == RecordHead(expected.seq, expected.now_ns)


def test_what_is_passed_over() -> None:
    """The head of a record is read whatever it says further on; its number must be one."""
    later = msgspec.msgpack.encode([6, 7, ["a later version's"], {"as": "well"}, "and more"])
    assert decode_head(later) == RecordHead(6, 7)
    for payload in ([0], [], [-1, 7, [], []], ["6", 7, [], []], [6], "text"):
        with pytest.raises(JournalUnreadableError):
            decode_head(msgspec.msgpack.encode(payload))


def test_fields_appended_by_a_later_version_are_passed_over() -> None:
    """A record or control frame with more fields than are known here is still read."""
    record = decode_payload(bytes.fromhex(RECORD_BYTES)[FRAME_HEAD_BYTES:])
    # Written anew, so that every field known now is there and the next one is not known.
    payload = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
    payload[2].append("new")
    payload[3].append(17)
    payload.append([1])
    assert decode_payload(msgspec.msgpack.encode(payload)) == record
    seal = decode_payload(msgspec.msgpack.encode([0, 4, 9, 9, bytes(32), "signature"]))
    assert seal == CONTROLS[3][0]


def test_a_record_without_a_number_is_unreadable() -> None:
    """Numbers begin at 1."""
    payload = msgspec.msgpack.decode(bytes.fromhex(RECORD_BYTES)[FRAME_HEAD_BYTES:])
    payload[0] = -1
    with pytest.raises(JournalUnreadableError, match="-1"):
        decode_payload(msgspec.msgpack.encode(payload))
