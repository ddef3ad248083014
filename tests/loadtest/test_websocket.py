"""The WebSocket API: signed requests, answers by their id, pings, closes and limits."""

import asyncio
import json
import threading
from array import array
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from loadtest import files
from loadtest.commands import load
from loadtest.control import RECV_WINDOW_MS
from loadtest.profile import Profile
from loadtest.protocols import protocol_of
from loadtest.protocols.senders import Senders, Ways
from loadtest.samples import ACCEPTED, ERROR, REFUSED, Samples
from loadtest.signing import Key
from loadtest.target import parse_target
from loadtest.units import NS_PER_MS, LoadTestError
from loadtest.workload import Workload
from tests.loadtest.websocket_venue import WebSocketVenue, running

KEY = Key("abc", "secret")
SECRETS = {KEY.name: KEY.secret}
MS = NS_PER_MS
PLACE_ONLY = Profile(place_percent=100)


def sent_to(
    venue: WebSocketVenue,
    times_ms: Sequence[int],
    connections: int = 1,
    timeout_ms: int = 2_000,
    key: Key = KEY,
    watch: Callable[[Senders], Coroutine[Any, Any, None]] | None = None,
) -> tuple[Samples, Senders]:
    """Send an order at each time."""

    async def session(url: str) -> tuple[Samples, Senders]:
        protocol = protocol_of(parse_target(url), [key], connections)
        async with protocol.control() as control:
            markets = await control.markets([])
            offset_ns = await control.server_minus_stopwatch_ns()
            start_ns = (await control.server_time_ms()) * MS
        samples = Samples(array("q", [at * MS for at in times_ms]))
        workload = Workload(PLACE_ONLY, markets, protocol.keys, 1, "t")
        rendered = protocol.rendered(workload.plan(samples.intended_ns), start_ns)
        ways = Ways(protocol.connections, timeout_ms * MS, (), True, offset_ns)
        senders = protocol.senders(ways, markets)
        await senders.connect()
        watching = asyncio.create_task(watch(senders)) if watch is not None else None
        try:
            await senders.run(samples, rendered, 0)
        finally:
            if watching is not None:
                watching.cancel()
            await senders.close()
        return samples, senders

    with running(venue) as url:
        return asyncio.run(session(url))


def labels(samples: Samples) -> list[tuple[str, str]]:
    """Return how each request ended."""
    return [samples.label_names[number] for number in samples.labels]


def test_a_whole_run_over_websocket(tmp_path: Path) -> None:
    """Orders rest, trade and are cancelled at a venue that checks every signature."""
    venue = WebSocketVenue(SECRETS)
    keys, output = tmp_path / "keys.json", tmp_path / "run.json"
    keys.write_text(json.dumps({"keys": [{"name": KEY.name, "secret": KEY.secret}]}))
    with running(venue) as url:
        done = CliRunner().invoke(
            load,
            [
                *("run", "--target", url, "--keys", str(keys), "--rate", "300", "--json"),
                *("--duration", "1s", "--warmup", "300ms", "--late-bound", "p99<5s"),
                *("--connections", "3", "--output", str(output)),
            ],
        )
    assert done.exit_code == 0, done.output
    measured = files.load(output)
    (run,) = measured.runs
    assert measured.load.protocol == "WebSocket"
    assert run.latency[ERROR].count == 0
    assert run.latency[ACCEPTED].count > 0.8 * run.offered
    assert set(run.outcomes) <= {"accepted 200", "refused 400 -2011"}
    assert venue.placed + venue.cancelled > run.offered * 0.8
    assert venue.filled > 0
    assert venue.book == {}, "open orders are cancelled at the end"
    assert measured.audit is not None
    assert measured.audit.answers == 0
    assert "no answer carries a decision id" in measured.audit.not_audited[0]


def test_limits_are_refusals() -> None:
    """429 with the dialect's code is a decision, told apart from other refusals."""
    samples, _ = sent_to(WebSocketVenue(SECRETS, orders_max=2), [0, 10, 20, 30])
    assert labels(samples) == [(ACCEPTED, "200")] * 2 + [(REFUSED, "429 -1015")] * 2


def test_a_wrong_signature_is_refused() -> None:
    """The venue of the tests does check."""
    samples, _ = sent_to(WebSocketVenue(SECRETS), [0], key=Key("abc", "other"))
    assert labels(samples) == [(REFUSED, "401 -1022")]


class Backwards(WebSocketVenue):
    """Answers when it has been asked three times, the last one first, amid other frames."""

    def __init__(self) -> None:
        super().__init__(SECRETS)
        self._asked: list[dict[str, Any]] = []

    async def handle(self, peer: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        """Collect, then answer."""
        if "order" not in asked["method"]:
            await super().handle(peer, asked)
            return
        self._asked.append(asked)
        if len(self._asked) < 3:
            return
        await peer.ping(b"there?")
        for each in reversed(self._asked):
            await peer.send_json({"event": {"e": "executionReport"}, "subscriptionId": 0})
            await peer.send_str("no JSON")
            await peer.send_json({"id": None, "status": 400, "error": {"code": -1100}})
            await peer.send_json({"id": 10**6, "status": 200, "result": {}})
            await peer.send_json({"id": str(each["id"]), "status": 500})
            await peer.send_json(self.answer(each))
            await peer.send_json({"id": each["id"], "status": 500})


def test_answers_are_known_by_their_id() -> None:
    """Order does not matter; events, garbage and second answers are nobody's."""
    samples, senders = sent_to(Backwards(), [0, 10, 40])
    assert labels(samples) == [(ACCEPTED, "200")] * 3
    assert samples.possible_ns == samples.intended_ns
    assert samples.answered_ns[0] >= 40 * MS
    assert senders.reconnects == 0


class Closing(WebSocketVenue):
    """Closes the first connection that an order comes on."""

    async def handle(self, peer: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        """Close once."""
        if asked["method"] == "order.place" and not self.placed:
            self.placed += 1
            await peer.close(code=1008, message=b"too fast")
        else:
            await super().handle(peer, asked)


def test_a_close_is_told_with_its_code() -> None:
    """What was under way is an error and is not sent again; the next request gets through."""
    venue = Closing(SECRETS)
    samples, senders = sent_to(venue, [0, 300])
    assert labels(samples) == [
        (ERROR, "closed by the target, code 1008 too fast"),
        (ACCEPTED, "200"),
    ]
    assert senders.reconnects == 1
    assert venue.placed == 2


class Silent(WebSocketVenue):
    """Answers no order but late."""

    async def handle(self, peer: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        """Wait."""
        if asked["method"] == "order.place" and asked["id"] == 0:
            await asyncio.sleep(0.5)
        await super().handle(peer, asked)


def test_no_answer_in_time_is_an_error_of_that_request() -> None:
    """The connection stays, since a late answer names its request."""
    samples, senders = sent_to(Silent(SECRETS), [0, 700], timeout_ms=300)
    assert labels(samples) == [(ERROR, "no answer in time"), (ACCEPTED, "200")]
    assert senders.reconnects == 0


class Deaf(WebSocketVenue):
    """Reads nothing once the first order has come, until it may."""

    def __init__(self) -> None:
        super().__init__(SECRETS)
        self.may_read = threading.Event()

    async def handle(self, peer: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        """Stop reading, then go on."""
        if asked["method"] == "order.place" and asked["id"] == 0:
            transport = peer._req.transport  # type: ignore[union-attr]
            assert isinstance(transport, asyncio.ReadTransport)
            transport.pause_reading()
            while not self.may_read.is_set():
                await asyncio.sleep(0.01)
            transport.resume_reading()
        if asked["method"] == "order.place":
            await peer.send_str(f'{{"id":{asked["id"]},"status":200}}')
        else:
            await super().handle(peer, asked)


def test_a_target_that_does_not_read_is_waited_for() -> None:
    """Where the connection is full requests wait; that is latency, and nothing is lost."""
    count = 12_000
    venue = Deaf()

    async def until_full(senders: Senders) -> None:
        while not any(each.paused for each in senders._connections):  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        venue.may_read.set()

    samples, _ = sent_to(
        venue, [0] * 100 + [100] * (count - 100), timeout_ms=60_000, watch=until_full
    )
    assert samples.counts[ACCEPTED] == count
    waited = [
        possible - meant
        for possible, meant in zip(samples.possible_ns, samples.intended_ns, strict=True)
    ]
    assert waited[0] == 0
    assert max(waited) > 0


class Raw(WebSocketVenue):
    """Answers orders with bytes of a test's choice."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(SECRETS)
        self._reply = reply

    async def handle(self, peer: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        """Write the bytes in place of the first answer."""
        if asked["method"] == "order.place" and asked["id"] == 0:
            transport = peer._req.transport  # type: ignore[union-attr]
            assert transport is not None
            transport.write(self._reply)
        else:
            await super().handle(peer, asked)


ANSWER = b'{"id":0,"status":200}'


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        (bytes([0x81, len(ANSWER)]) + ANSWER, (ACCEPTED, "200")),
        (bytes([0x82, len(ANSWER)]) + ANSWER, (ACCEPTED, "200")),
        (
            bytes([0x01, 5]) + ANSWER[:5] + b"\x89\x00" + bytes([0x80, 16]) + ANSWER[5:],
            (ACCEPTED, "200"),
        ),
        (b"\x81\x03abc", (ERROR, "no answer in time")),
        (b"\x83\x00", (ERROR, "malformed answer")),
        (b"\xc1\x00", (ERROR, "malformed answer")),
        (b"\x80\x00", (ERROR, "malformed answer")),
        (b"\x81\x7f\x00\x00\x00\x00\x7f\xff\xff\xff", (ERROR, "malformed answer")),
        (b"\x88\x02\x03\xe8", (ERROR, "closed by the target, code 1000")),
        (b"\x88\x00", (ERROR, "closed by the target, code 1005")),
    ],
    ids=[
        "text",
        "binary",
        "in pieces around a ping",
        "no JSON",
        "unknown opcode",
        "compressed, which was not agreed on",
        "a continuation of nothing",
        "too long",
        "close",
        "close without a code",
    ],
)
def test_frames_of_all_kinds(reply: bytes, label: tuple[str, str]) -> None:
    """What can be an answer is one; what breaks the protocol ends the connection."""
    # Only a time-out is waited for; a busy machine may take its time for the rest.
    timeout_ms = 400 if label[1] == "no answer in time" else 10_000
    samples, _ = sent_to(Raw(reply), [0, 500], timeout_ms=timeout_ms)
    assert labels(samples) == [label, (ACCEPTED, "200")]


def test_a_target_without_websocket_is_told() -> None:
    """The message says what the handshake found."""

    async def connect(url: str) -> None:
        protocol = protocol_of(parse_target(url), [KEY], 1)
        await protocol.senders(Ways(1, 1_000 * MS), []).connect()

    with running(WebSocketVenue(SECRETS)) as url:
        wrong = url.replace("/ws-api/v3", "/other")
        with pytest.raises(LoadTestError, match=r"can't connect to ws://.*/other.*404"):
            asyncio.run(connect(wrong))


def test_the_control_tells_what_is_missing() -> None:
    """A venue that answers with an error or not at all ends the run before it begins."""

    async def ask(url: str, method: str) -> None:
        async with protocol_of(parse_target(url), [KEY], 1).control() as control:
            if method == "markets":
                await control.markets(["ETHUSDT"])
            else:
                await control.server_time_ms()

    with (
        running(WebSocketVenue(SECRETS)) as url,
        pytest.raises(LoadTestError, match="symbol `ETHUSDT` does not trade"),
    ):
        asyncio.run(ask(url, "markets"))
    with pytest.raises(LoadTestError, match="can't connect"):
        asyncio.run(ask(url, "time"))
    assert RECV_WINDOW_MS == 60_000
