"""Unary calls over HTTP/2: flow control, resets, farewells, trailers; nothing sent twice."""

import asyncio
import base64

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1 import values_pb2 as codes
from loadtest.protocols.grpc_wire import prefixed
from loadtest.samples import ACCEPTED, ERROR, REFUSED
from loadtest.units import NS_PER_MS
from tests.loadtest.http2_venue import OK, Peer, labels, sent_to

MS = NS_PER_MS


def details(refusal: wire.Refusal) -> str:
    """A refusal as trailers carry it, without the padding, which gRPC leaves out."""
    packed = AnyMessage()
    packed.Pack(refusal)
    status = Status(code=8, message="no", details=[packed])
    return base64.b64encode(status.SerializeToString()).decode().rstrip("=")


def answer(peer: Peer, stream: int) -> None:
    """Answer at once."""
    peer.answer(stream)


def test_calls_do_not_wait_for_answers() -> None:
    """While the target says nothing, each call still goes out at its time, on one connection."""
    waiting: list[int] = []

    def silent_at_first(peer: Peer, stream: int) -> None:
        waiting.append(stream)
        if len(waiting) == 4:
            for each in reversed(waiting):
                peer.answer(each, (("grpc-status", "0"), ("x-ordergate-decision", f"d{each}")))

    samples, venue, senders = sent_to(silent_at_first, [0, 20, 40, 60])
    assert labels(samples) == [(ACCEPTED, "OK")] * 4
    assert samples.possible_ns == samples.intended_ns
    assert samples.answered_ns[0] >= 60 * MS
    assert samples.decision_ids == ["d1", "d3", "d5", "d7"]
    assert len(venue.peers) == 1
    assert senders.reconnects == 0
    assert venue.faults == []
    headers, message = venue.asked[0]
    assert headers[b":path"] == b"/s/Place"
    assert headers[b"te"] == b"trailers"
    assert bytes(message) == prefixed(b"m")


def test_a_small_window_is_kept() -> None:
    """A message longer than the target has room for goes in pieces, as room is given."""
    settings = {SettingCodes.INITIAL_WINDOW_SIZE: 1_000}
    samples, venue, _ = sent_to(answer, [0, 0], settings=settings, message=b"m" * 2_500)
    assert labels(samples) == [(ACCEPTED, "OK")] * 2
    assert venue.faults == []
    assert [bytes(message) for _, message in venue.asked] == [prefixed(b"m" * 2_500)] * 2
    assert max(venue.pieces) <= 1_000


def test_a_message_longer_than_a_frame_is_cut() -> None:
    """No frame is longer than the target takes."""
    samples, venue, _ = sent_to(answer, [0], message=b"m" * 40_000)
    assert labels(samples) == [(ACCEPTED, "OK")]
    assert bytes(venue.asked[0][1]) == prefixed(b"m" * 40_000)
    assert venue.faults == []


def test_the_connections_window_is_kept() -> None:
    """Where the target gives no more room, calls wait; once it does, they go on."""

    def answer_and_give_room_at_last(peer: Peer, stream: int) -> None:
        peer.answer(stream)
        if stream == 3:

            async def later() -> None:
                await asyncio.sleep(0.1)
                peer.h2.increment_flow_control_window(100_000)
                peer.flush()

            peer.venue.tasks.append(asyncio.ensure_future(later()))

    samples, venue, _ = sent_to(
        answer_and_give_room_at_last, [0, 10, 20, 30], message=b"m" * 30_000, gives_room=False
    )
    assert labels(samples) == [(ACCEPTED, "OK")] * 4
    assert venue.faults == []
    assert samples.possible_ns[3] > samples.intended_ns[3] + 50 * MS
    assert samples.answered_ns[2] > 100 * MS


def test_no_more_calls_at_a_time_than_allowed() -> None:
    """Beyond the target's bound a call waits for another to end; that is latency."""

    async def slow(peer: Peer, stream: int) -> None:
        await asyncio.sleep(0.05)
        peer.answer(stream)

    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 2}
    samples, venue, _ = sent_to(slow, [0] * 5, settings=settings)
    assert labels(samples) == [(ACCEPTED, "OK")] * 5
    assert venue.faults == []
    for index in (2, 3):
        assert samples.possible_ns[index] >= 50 * MS
    assert samples.answered_ns[4] >= 150 * MS


def test_a_reset_call_is_an_error_and_no_more() -> None:
    """The connection stays, and other calls with it."""

    def reset_first(peer: Peer, stream: int) -> None:
        if stream == 1:
            peer.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            peer.flush()
        else:
            peer.answer(stream)

    samples, venue, senders = sent_to(reset_first, [0, 20])
    assert labels(samples) == [(ERROR, "reset by the target, code 7"), (ACCEPTED, "OK")]
    assert len(venue.asked) == 2
    assert senders.reconnects == 0


def test_a_target_that_goes_away_gets_no_more_calls() -> None:
    """What it looked at is answered, what it did not is an error; then there is a new connection."""

    async def go(peer: Peer, stream: int) -> None:
        if len(peer.venue.peers) > 1:
            peer.answer(stream)
        elif stream == 3:
            peer.h2.close_connection(ErrorCodes.NO_ERROR, last_stream_id=1)
            peer.flush()
            # `h2` says nothing after its farewell, which a server may: these are its bytes.
            await asyncio.sleep(0.05)
            peer.writer.write(ANSWER_ON_1)

    samples, venue, senders = sent_to(go, [0, 10, 200])
    assert labels(samples) == [
        (ACCEPTED, "OK"),
        (ERROR, "the target goes away, code 0"),
        (ACCEPTED, "OK"),
    ]
    assert len(venue.asked) == 3
    assert senders.reconnects == 1
    assert venue.faults == []


def test_a_farewell_is_heard_at_once() -> None:
    """While an old connection has a call to end, a new one waits for a connection of its own."""

    async def go(peer: Peer, stream: int) -> None:
        if len(peer.venue.peers) > 1:
            peer.answer(stream)
            return
        peer.h2.close_connection(ErrorCodes.NO_ERROR, last_stream_id=stream)
        peer.flush()
        await asyncio.sleep(0.2)
        peer.writer.write(ANSWER_ON_1)

    samples, venue, senders = sent_to(go, [0, 100])
    assert labels(samples) == [(ACCEPTED, "OK")] * 2
    assert samples.possible_ns[1] > samples.intended_ns[1]
    assert len(venue.asked) == 2
    assert venue.faults == []
    assert senders.reconnects == 1


def test_no_answer_in_time_ends_the_call_alone() -> None:
    """The target is told, its late answer is nobody's, and the connection stays."""

    async def late(peer: Peer, stream: int) -> None:
        if stream > 1:
            peer.answer(stream)

    samples, venue, senders = sent_to(late, [0, 700], timeout_ms=300)
    assert labels(samples) == [(ERROR, "no answer in time"), (ACCEPTED, "OK")]
    assert venue.resets == [int(ErrorCodes.CANCEL)]
    assert samples.decision_ids == [None, "d"]
    assert senders.reconnects == 0
    assert venue.faults == []


def test_pings_are_answered() -> None:
    """A target that asks whether the tester lives is told so."""

    def ping(peer: Peer, stream: int) -> None:
        peer.h2.ping(b"12345678")
        peer.answer(stream)

    _, venue, _ = sent_to(ping, [0, 50])
    assert venue.faults == []


REFUSAL = wire.Refusal(reason=codes.REASON_ORDER_COUNT_LIMIT, rule="order_count", decision_id="d")
UNKNOWN = wire.Refusal(reason=codes.REASON_ENGINE_TIMEOUT, unknown=True)
FAULT = wire.Refusal(reason=codes.REASON_RULE_FAULT)
BUSY = wire.Refusal(reason=codes.REASON_OVERLOADED)


@pytest.mark.parametrize(
    ("trailers", "message", "label"),
    [
        (OK, b"", (ACCEPTED, "OK")),
        (OK, None, (ERROR, "OK without a message")),
        ((("grpc-status", "8"),), None, (REFUSED, "RESOURCE_EXHAUSTED")),
        ((("grpc-status", "14"),), None, (ERROR, "UNAVAILABLE")),
        ((("grpc-status", "13"),), None, (ERROR, "INTERNAL")),
        ((("grpc-status", "4"),), None, (ERROR, "DEADLINE_EXCEEDED")),
        ((("grpc-status", "99"),), None, (ERROR, "UNKNOWN")),
        ((("grpc-status", "x"),), None, (ERROR, "no status")),
        ((("other", "x"),), None, (ERROR, "no status")),
        (
            (("grpc-status", "8"), ("grpc-status-details-bin", details(REFUSAL))),
            None,
            (REFUSED, "RESOURCE_EXHAUSTED ORDER_COUNT_LIMIT order_count"),
        ),
        (
            (("grpc-status", "4"), ("grpc-status-details-bin", details(UNKNOWN))),
            None,
            (ERROR, "DEADLINE_EXCEEDED ENGINE_TIMEOUT"),
        ),
        (
            (("grpc-status", "13"), ("grpc-status-details-bin", details(FAULT))),
            None,
            (ERROR, "INTERNAL RULE_FAULT"),
        ),
        (
            (("grpc-status", "14"), ("grpc-status-details-bin", details(BUSY))),
            None,
            (REFUSED, "UNAVAILABLE OVERLOADED"),
        ),
        (
            (("grpc-status", "8"), ("grpc-status-details-bin", "AAAA!")),
            None,
            (REFUSED, "RESOURCE_EXHAUSTED"),
        ),
    ],
)
def test_trailers_say_how_a_call_ended(
    trailers: tuple[tuple[str, str], ...], message: bytes | None, label: tuple[str, str]
) -> None:
    """Refused is what the target decided against; faults and unknown fates are errors."""
    samples, _, _ = sent_to(lambda peer, stream: peer.answer(stream, trailers, message), [0])
    assert labels(samples) == [label]


def test_answers_that_are_no_grpc() -> None:
    """A proxy's page and data without trailers are errors of that call alone."""

    def odd(peer: Peer, stream: int) -> None:
        if stream == 1:
            peer.h2.send_headers(stream, [(":status", "502")])
            peer.h2.send_data(stream, b"<html>", end_stream=True)
        elif stream == 3:
            peer.h2.send_headers(stream, [(":status", "200")])
            peer.h2.send_data(stream, prefixed(b"x"), end_stream=True)
        elif stream == 5:
            peer.h2.send_headers(stream, [(":status", "200")])
            peer.h2.send_data(stream, b"\1\0\0\0\1x")
        elif stream == 7:
            peer.h2.send_headers(stream, [(":status", "200")])
            peer.h2.send_data(stream, prefixed(b"xyz")[:-1])
            peer.h2.send_headers(stream, OK, end_stream=True)
        else:
            peer.answer(stream)

    samples, venue, senders = sent_to(odd, [0, 20, 40, 60, 80])
    assert labels(samples) == [
        (ERROR, "HTTP status 502"),
        (ERROR, "no status"),
        (ERROR, "malformed answer"),
        (ERROR, "OK without a message"),
        (ACCEPTED, "OK"),
    ]
    assert venue.faults == []
    assert senders.reconnects == 0


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        (b"", "connection lost"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "malformed answer"),
        (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00", "malformed answer"),
        (b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00", "malformed answer"),
        (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", "malformed answer"),
        (b"\x00\x00\x01\x01\x04\x00\x00\x00\x09\x88", "malformed answer"),
        (b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\xff", "malformed answer"),
        (b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x88" + b"\x00" * 9, "malformed answer"),
    ],
    ids=[
        "nothing",
        "HTTP/1.1",
        "data on stream 0",
        "no room given",
        "frame too long",
        "stream never opened",
        "headers that are none",
        "interrupted headers",
    ],
)
def test_a_broken_connection_is_opened_again(reply: bytes, label: str) -> None:
    """What is lost is an error and is not sent again; the next call gets through."""

    def once(peer: Peer, stream: int) -> None:
        if len(peer.venue.peers) > 1:
            peer.answer(stream)
            return
        peer.writer.write(reply)
        if not reply:
            peer.writer.close()

    samples, venue, senders = sent_to(once, [0, 250])
    assert labels(samples) == [(ERROR, label), (ACCEPTED, "OK")]
    assert len(venue.asked) == 2
    assert senders.reconnects == 1


def test_answers_in_pieces_are_understood() -> None:
    """A byte at a time, with padding and with headers over several frames."""

    async def slow(peer: Peer, stream: int) -> None:
        for place in range(len(PADDED_ON_1)):
            peer.writer.write(PADDED_ON_1[place : place + 1])
            await asyncio.sleep(0)

    samples, _, _ = sent_to(slow, [0])
    assert labels(samples) == [(ACCEPTED, "OK")]
    assert samples.decision_ids == ["padded"]


def _frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _field(name: bytes, value: bytes) -> bytes:
    """A header field of its own, in no table."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


_TRAILERS = _field(b"grpc-status", b"0") + _field(b"x-ordergate-decision", b"padded")
ANSWER_ON_1 = (
    _frame(1, 4, b"\x88")
    + _frame(0, 0, prefixed(b"x"))
    + _frame(1, 5, _field(b"grpc-status", b"0"))
)
PADDED_ON_1 = (
    _frame(1, 4 | 8, b"\x02\x88\x00\x00")
    + _frame(0x77, 0, b"of a kind that nobody knows")
    + _frame(0, 8, b"\x03" + prefixed(b"x")[:3] + b"\x00\x00\x00")
    + _frame(0, 0, prefixed(b"x")[3:])
    + _frame(2, 0, b"\x00\x00\x00\x00\x10")
    + _frame(1, 1 | 0x20, b"\x00\x00\x00\x00\x10" + _TRAILERS[:5])
    + _frame(9, 0, _TRAILERS[5:20])
    + _frame(9, 4, _TRAILERS[20:])
)
