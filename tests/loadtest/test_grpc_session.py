"""Sessions: a logon for each connection, batches, answers by their number, streams that end."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from gateway.wire.ordergate.v1 import values_pb2 as codes
from loadtest.profile import Profile, load_profile
from loadtest.protocols import protocol_of
from loadtest.protocols.grpc_session import SESSION_PATH
from loadtest.protocols.senders import Senders, Ways
from loadtest.samples import ACCEPTED, ERROR, REFUSED, Samples
from loadtest.schedule import in_batches
from loadtest.signing import Key
from loadtest.target import parse_target
from loadtest.units import NS_PER_MS, LoadTestError
from loadtest.workload import Workload
from tests.gateway.edges.grpc_certificates import Certificates
from tests.loadtest.markets import MARKET

MS = NS_PER_MS
SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536))
KEYS = (Key("a", "secret-a"), Key("b", "secret-b"))
Answer = Callable[[wire.SessionRequest, int], list[wire.SessionResponse]]


class Venue:
    """Serves sessions on grpc's own server; `answer` says what to each message, counted from 1."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.logons: list[wire.Logon] = []
        self.messages: list[tuple[str, wire.SessionRequest]] = []
        self.ended: list[str] = []
        self.may_read = asyncio.Event()
        """Until it is set, nothing is read after the logon."""

    async def session(
        self, requests: AsyncIterator[wire.SessionRequest], context: Any
    ) -> AsyncIterator[wire.SessionResponse]:
        """Serve one session."""
        logon = (await anext(requests)).logon
        self.logons.append(logon)
        if logon.api_key == "nobody":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such key")
        yield wire.SessionResponse(logon=wire.LogonAccepted(decision_id="logon"))
        await self.may_read.wait()
        async for request in requests:
            self.messages.append((logon.api_key, request))
            for response in self.answer(request, len(self.messages)):
                if response == CUT:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
                yield response
        self.ended.append(logon.api_key)

    def service(self, details: Any) -> Any:
        """Return the handler of a method."""
        assert details.method == SESSION_PATH
        return grpc.stream_stream_rpc_method_handler(
            self.session,
            wire.SessionRequest.FromString,
            wire.SessionResponse.SerializeToString,
        )


CUT = wire.SessionResponse(answers=[wire.SessionAnswer(sequence=2**63)])


def accepted(*sequences: int) -> wire.SessionResponse:
    """Accept some entries."""
    return wire.SessionResponse(
        answers=[
            wire.SessionAnswer(sequence=each, placed=wire.PlaceResponse(decision_id=f"d{each}"))
            for each in sequences
        ]
    )


def accept_all(request: wire.SessionRequest, _number: int) -> list[wire.SessionResponse]:
    """Accept every entry."""
    return [accepted(*(entry.sequence for entry in request.entries))]


def sent_to(
    answer: Answer,
    times_ms: Sequence[int],
    *,
    batch: int = 1,
    connections: int = 1,
    keys: Sequence[Key] = KEYS[:1],
    timeout_ms: int = 2_000,
    profile: Profile | None = None,
    credentials: grpc.ServerCredentials | None = None,
    deaf: bool = False,
) -> tuple[Samples, Venue, Senders]:
    """Send `batch` requests at each time."""

    async def session() -> tuple[Samples, Venue, Senders]:
        venue = Venue(answer)
        if not deaf:
            venue.may_read.set()
        server = grpc.aio.server(options=SMALL_WINDOW)
        server.add_generic_rpc_handlers((venue,))  # type: ignore[arg-type]
        if credentials is None:
            port, scheme = server.add_insecure_port("127.0.0.1:0"), "grpc"
        else:
            port, scheme = server.add_secure_port("127.0.0.1:0", credentials), "grpcs"
        await server.start()
        url, control = f"{scheme}://127.0.0.1:{port}", "http://127.0.0.1:1"
        protocol = protocol_of(parse_target(url, "session", batch, control), keys, connections)
        times = in_batches(array("q", [at * MS for at in times_ms]), batch)
        workload = Workload(
            profile or Profile(place_percent=100), [MARKET], protocol.keys, 1, "t", protocol.batch
        )
        rendered = protocol.rendered(workload.plan(times), 10**18)
        senders = protocol.senders(Ways(protocol.connections, timeout_ms * MS), [MARKET])
        samples = Samples(times)
        try:
            await senders.connect()
            listening = asyncio.create_task(_read_when_full(venue, senders))
            await senders.run(samples, rendered, 0)
            listening.cancel()
        finally:
            await senders.close()
            await server.stop(0)
        return samples, venue, senders

    return asyncio.run(session())


async def _read_when_full(venue: Venue, senders: Senders) -> None:
    """Let a deaf venue read once messages wait for it."""
    while not any(lane.waiting for lane in senders._lanes):
        await asyncio.sleep(0.01)
    venue.may_read.set()


def labels(samples: Samples) -> list[tuple[str, str]]:
    """Return how each request ended."""
    return [samples.label_names[number] for number in samples.labels]


def test_a_session_is_logged_on_once_and_ended_in_order() -> None:
    """The logon is signed; each message carries its moment; at last the stream is closed."""
    samples, venue, senders = sent_to(accept_all, [0, 10, 20])
    assert labels(samples) == [(ACCEPTED, "OK")] * 3
    assert samples.decision_ids == ["d1", "d2", "d3"]
    (logon,) = venue.logons
    payload = f"{SESSION_PATH}\n{logon.timestamp_us}\n60000000\na"
    assert logon.signature == KEYS[0].signature(payload.encode())
    for number, (_, message) in enumerate(venue.messages):
        assert message.timestamp_us == 10**15 + number * 10_000
        assert message.recv_window_us == 60_000_000
        assert [entry.sequence for entry in message.entries] == [number + 1]
    assert venue.ended == ["a"]
    assert senders.reconnects == 0


def test_a_batch_is_one_message_of_one_key() -> None:
    """Requests of a batch stand together in the session of their key; cancels are of that key's."""
    profile = load_profile("mixed")
    assert profile.cancel_after_ns > 0
    times = list(range(0, 600, 20))
    samples, venue, _ = sent_to(
        accept_all, times, batch=5, connections=4, keys=KEYS, profile=profile
    )
    assert labels(samples) == [(ACCEPTED, "OK")] * 150
    assert [len(message.entries) for _, message in venue.messages] == [5] * 30
    assert len(venue.logons) == 4
    placed: dict[str, str] = {}
    cancels = 0
    for key, message in sorted(venue.messages, key=lambda each: each[1].entries[0].sequence):
        first = message.entries[0].sequence
        assert (first - 1) % 5 == 0
        assert key == "ab"[(first - 1) // 5 % 2]
        for entry in message.entries:
            if entry.HasField("place"):
                placed[entry.place.client_order_id] = key
            else:
                assert placed[entry.cancel.orig_client_order_id] == key
                cancels += 1
    assert cancels > 0


def test_of_more_keys_than_connections_the_first_trade() -> None:
    """Each session is one key's."""
    _, venue, _ = sent_to(accept_all, [0, 10], keys=KEYS, connections=1)
    assert [logon.api_key for logon in venue.logons] == ["a"]
    assert [key for key, _ in venue.messages] == ["a", "a"]


def test_answers_are_known_by_their_number() -> None:
    """Coalesced, out of order, refused, doubled, nobody's."""
    count = wire.Refusal(reason=codes.REASON_ORDER_COUNT_LIMIT, rule="rate", decision_id="r2")
    lost = wire.Refusal(reason=codes.REASON_ENGINE_TIMEOUT, unknown=True, decision_id="r3")
    odd = wire.Refusal(reason=999_999, decision_id="r4")  # type: ignore[arg-type]

    def late(request: wire.SessionRequest, number: int) -> list[wire.SessionResponse]:
        if number < 4:
            return []
        refusals = [
            wire.SessionAnswer(sequence=at, refused=each)
            for at, each in ((4, odd), (3, lost), (2, count))
        ]
        return [accepted(0, 77), wire.SessionResponse(answers=refusals), accepted(1, 1, 2)]

    samples, _, senders = sent_to(late, [0, 10, 20, 30])
    assert labels(samples) == [
        (ACCEPTED, "OK"),
        (REFUSED, "ORDER_COUNT_LIMIT rate"),
        (ERROR, "ENGINE_TIMEOUT"),
        (ERROR, "reason 999999"),
    ]
    assert samples.decision_ids == ["d1", "r2", "r3", "r4"]
    assert senders.reconnects == 0


def test_a_session_that_ends_is_opened_again() -> None:
    """What it had under way is an error with the status; what comes later goes to a new session."""

    def cut_first(request: wire.SessionRequest, number: int) -> list[wire.SessionResponse]:
        return [CUT] if number == 1 else accept_all(request, number)

    samples, venue, senders = sent_to(cut_first, [0, 400])
    assert labels(samples) == [
        (ERROR, "stream ended: UNAVAILABLE going down"),
        (ACCEPTED, "OK"),
    ]
    assert len(venue.logons) == 2
    assert senders.reconnects == 1


def test_no_answer_in_time_is_an_error_of_that_request() -> None:
    """The session goes on."""

    def deaf_first(request: wire.SessionRequest, number: int) -> list[wire.SessionResponse]:
        return [] if number == 1 else accept_all(request, number)

    samples, _, senders = sent_to(deaf_first, [0, 700], timeout_ms=300)
    assert labels(samples) == [(ERROR, "no answer in time"), (ACCEPTED, "OK")]
    assert senders.reconnects == 0


def test_an_answer_that_says_nothing_ends_the_session() -> None:
    """An answer without content is against the proto."""

    def empty(request: wire.SessionRequest, number: int) -> list[wire.SessionResponse]:
        if number == 1:
            return [wire.SessionResponse(answers=[wire.SessionAnswer(sequence=1)])]
        return accept_all(request, number)

    samples, _, senders = sent_to(empty, [0, 400])
    assert labels(samples) == [(ERROR, "malformed answer"), (ACCEPTED, "OK")]
    assert senders.reconnects == 1


def test_a_refused_logon_is_told() -> None:
    """Nothing is sent; the message says what the target said."""
    with pytest.raises(LoadTestError, match=r"can't connect to grpc.*UNAUTHENTICATED no such key"):
        sent_to(accept_all, [0], keys=[Key("nobody", "s")])


def test_a_target_that_does_not_read_is_waited_for() -> None:
    """Where its window is used up, messages wait; that is latency, and nothing is lost."""
    samples, venue, _ = sent_to(
        accept_all, [0, 10, 20, 30], batch=1_000, timeout_ms=60_000, deaf=True
    )
    assert labels(samples) == [(ACCEPTED, "OK")] * 4_000
    assert [len(message.entries) for _, message in venue.messages] == [1_000] * 4
    assert samples.possible_ns[0] == samples.intended_ns[0]
    pairs = zip(samples.possible_ns, samples.intended_ns, strict=True)
    assert any(possible > meant for possible, meant in pairs)


def test_sessions_are_encrypted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With grpcs the target's certificate is verified; an unknown authority is refused."""
    authority = Certificates()
    credentials = grpc.ssl_server_credentials([authority._issue("127.0.0.1")])
    with pytest.raises(LoadTestError, match="certificate verify failed"):
        sent_to(accept_all, [0], credentials=credentials)
    path = tmp_path / "authority.pem"
    path.write_bytes(authority._pem(authority._certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    samples, venue, _ = sent_to(accept_all, [0, 10], credentials=credentials)
    assert labels(samples) == [(ACCEPTED, "OK")] * 2
    assert venue.ended == ["a"]
