"""Whatever bytes a target sends, the tester neither breaks nor loses count of its requests."""

import asyncio
from array import array
from typing import Any

from hpack import Encoder
from hyperframe import frame as frames
from hypothesis import given
from hypothesis import strategies as st
from websockets.server import ServerProtocol

from gateway.wire.ordergate.v1 import engine_pb2 as engine_wire
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from loadtest.protocols import protocol_of
from loadtest.protocols.grpc_wire import MessageReader, classify_call, ended_text, prefixed
from loadtest.protocols.senders import Rendered, Senders, Ways
from loadtest.samples import OUTCOMES, Samples
from loadtest.signing import Key
from loadtest.target import parse_target
from loadtest.units import NS_PER_SECOND

KEY = Key("abc", "secret")
CONTROL = "http://127.0.0.1:1"
COUNT = 3
TARGETS = {
    "unary": parse_target("grpc://127.0.0.1:1", "unary", 1, CONTROL),
    "session": parse_target("grpc://127.0.0.1:1", "session", 1, CONTROL),
    "engine": parse_target("engine://127.0.0.1:1"),
    "websocket": parse_target("ws://127.0.0.1:1"),
    "REST": parse_target("http://127.0.0.1:1"),
}
CALL = b"\x00\x00\x01\x01\x04\x00\x00\x00\x00\x88" + prefixed(b"m")


class Wire(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.written = b""

    def write(self, data: Any) -> None:
        """Keep it."""
        self.written += data

    def abort(self) -> None:
        """Close."""
        self.closed = True

    def close(self) -> None:
        """Close."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self.closed


def shaken(asked: bytes) -> bytes:
    """Return a server's part of a WebSocket handshake."""
    server = ServerProtocol()
    server.receive_data(asked)
    (request,) = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    return b"".join(server.data_to_send())


def fed(kind: str, parts: list[bytes], *, handshake: bool = False) -> Samples:
    """Send three requests to a target that says this, and end the connection."""

    async def session() -> Samples:
        protocol = protocol_of(TARGETS[kind], [KEY], 1)
        senders: Senders = protocol.senders(Ways(1, NS_PER_SECOND), [])
        senders.samples = Samples(array("q", [0] * COUNT))
        senders._rendered = Rendered([CALL] * COUNT)
        senders._lanes[0].waiting.extend(range(COUNT))
        connection = senders.make(0)
        connection.opening = True
        transport = Wire()
        connection.connection_made(transport)
        if handshake:
            connection.data_received(shaken(transport.written))
        for part in parts:
            if transport.closed:
                break
            connection.data_received(part)
        connection.give_up_before(10**18, 10**18)
        connection.connection_lost(None)
        assert not getattr(connection, "outstanding", {})
        return senders.samples

    samples = asyncio.run(session())
    sent = [at for at in samples.sent_ns if at >= 0]
    assert len(sent) == samples.answered == sum(samples.counts.values())
    assert all(outcome in OUTCOMES for outcome, _ in samples.label_names)
    return samples


def framed(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2."""
    head = len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4)
    return head + payload


SETTINGS = frames.SettingsFrame(settings={3: 2}).serialize()
LITTLE_ROOM = frames.SettingsFrame(settings={4: 20}).serialize()
HEADERS = Encoder().encode([(":status", "200"), ("grpc-status", "0")], huffman=False)
MESSAGES = st.sampled_from(
    [
        wire.SessionResponse(logon=wire.LogonAccepted(decision_id="d")).SerializeToString(),
        wire.SessionResponse(answers=[wire.SessionAnswer(sequence=1)]).SerializeToString(),
        wire.SessionResponse(
            answers=[
                wire.SessionAnswer(sequence=each, placed=wire.PlaceResponse()) for each in (2, 1)
            ]
        ).SerializeToString(),
        engine_wire.EngineMessage(
            items=[engine_wire.EngineItem(result=engine_wire.CommandResult(command_id=2))]
        ).SerializeToString(),
        b"",
        b"\xff",
    ]
).map(prefixed)
PAYLOADS = st.one_of(
    st.binary(max_size=24), st.just(HEADERS), MESSAGES, st.sampled_from([b"\x88", bytes(4)])
)
FRAMES = st.one_of(
    st.sampled_from([SETTINGS, LITTLE_ROOM]),
    st.builds(
        framed,
        st.integers(0, 10),
        st.integers(0, 63),
        st.sampled_from([0, 1, 3, 5, 7, 2]),
        PAYLOADS,
    ),
)


@given(st.sampled_from(["unary", "session", "engine"]), st.lists(FRAMES, max_size=12))
def test_frames_of_http2(kind: str, said: list[bytes]) -> None:
    """Frames in any order and with anything in them."""
    fed(kind, [SETTINGS, *said])


@given(st.sampled_from(sorted(TARGETS)), st.lists(st.binary(max_size=64), max_size=6))
def test_any_bytes(kind: str, said: list[bytes]) -> None:
    """Bytes that mean nothing."""
    fed(kind, said)


@given(st.lists(FRAMES, max_size=6), st.integers(1, 7))
def test_any_cutting_is_read_the_same(said: list[bytes], size: int) -> None:
    """How the network cuts the bytes does not matter."""
    whole = b"".join([SETTINGS, *said])
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    at_once, cut = fed("unary", [whole]), fed("unary", pieces)
    assert sorted(at_once.label_names) == sorted(cut.label_names)
    assert at_once.counts == cut.counts


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 9))
def test_messages_are_cut_where_they_end(messages: list[bytes], size: int) -> None:
    """Messages in any pieces come out as they went in."""
    whole = b"".join(map(prefixed, messages))
    reader = MessageReader()
    found: list[bytes] = []
    for at in range(0, len(whole), size):
        found += reader.feed(whole[at : at + size])
    assert found == messages
    assert reader.whole


@given(
    st.dictionaries(
        st.sampled_from([b":status", b"grpc-status", b"grpc-message", b"grpc-status-details-bin"]),
        st.one_of(st.binary(max_size=40), st.sampled_from([b"0", b"8", b"16", b"17", b"200"])),
    ),
    st.booleans(),
)
def test_any_trailers(headers: dict[bytes, bytes], answered: bool) -> None:
    """Every trailer has an outcome and a label; nothing is accepted without status and message."""
    outcome, label = classify_call(headers, answered=answered)
    assert outcome in OUTCOMES
    assert label
    assert (outcome == "accepted") == (answered and headers.get(b"grpc-status") in (b"0", b"00"))
    assert ended_text(headers)


WEBSOCKET_FRAMES = st.one_of(
    st.builds(
        lambda head, body: bytes([head, len(body)]) + body,
        st.one_of(st.integers(0, 255), st.sampled_from([0x81, 0x01, 0x80, 0x89, 0x88])),
        st.one_of(
            st.binary(max_size=125),
            st.sampled_from([b'{"id":0,"status":200}', b'{"id":1,"error":{"code":-1}}', b'{"id":']),
        ),
    ),
    st.binary(max_size=12),
)


@given(st.lists(WEBSOCKET_FRAMES, max_size=8))
def test_frames_of_a_websocket(said: list[bytes]) -> None:
    """Frames of any kind after a good handshake."""
    fed("websocket", said, handshake=True)


def test_what_is_fed_reaches_the_requests() -> None:
    """The target of these tests can answer: else they would prove nothing."""
    answer = framed(1, 4, 1, b"\x88") + framed(0, 0, 1, prefixed(b"x"))
    trailers = framed(1, 5, 1, Encoder().encode([("grpc-status", "0", True)], huffman=False))
    assert fed("unary", [SETTINGS, answer + trailers]).counts["accepted"] == 1
    logon = wire.SessionResponse(
        logon=wire.LogonAccepted(),
        answers=[wire.SessionAnswer(sequence=2, placed=wire.PlaceResponse())],
    )
    again = framed(0, 0, 1, prefixed(logon.SerializeToString()))
    assert fed("session", [SETTINGS, again, again]).counts["accepted"] == 1
    said = b'{"id":0,"status":200}'
    frame = bytes([0x81, len(said)]) + said
    assert fed("websocket", [frame], handshake=True).counts["accepted"] == 1
    rest = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert fed("REST", [rest]).counts["accepted"] == 1
