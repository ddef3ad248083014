"""Senders: on time whatever the target does, everything accounted for, nothing sent twice."""

import asyncio
from array import array
from collections.abc import Awaitable, Callable

import pytest

from loadtest.protocols.rest import RestSenders, rendered_request
from loadtest.protocols.senders import Rendered, Ways
from loadtest.samples import ACCEPTED, ERROR, REFUSED, Samples, classify
from loadtest.target import parse_target
from loadtest.units import NS_PER_MS, NS_PER_SECOND, LoadTestError

Handler = Callable[[int, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nX-OrderGate-Decision: d%d\r\nContent-Length: 2\r\n\r\n{}"
MS = NS_PER_MS


class Venue:
    """A server that does with each request what its handler says."""

    def __init__(self, handler: Handler) -> None:
        self.seen: list[bytes] = []
        self._handler = handler

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            while True:
                self.seen.append(await reader.readuntil(b"\r\n\r\n"))
                await self._handler(len(self.seen), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def sent_to(
    handler: Handler, times_ms: list[int], connections: int = 4, timeout_ms: int = 2_000
) -> tuple[Samples, Venue, RestSenders]:
    """Send one request at each time to a server of this process."""

    async def session() -> tuple[Samples, Venue, RestSenders]:
        venue = Venue(handler)
        server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = parse_target(f"http://127.0.0.1:{port}")
        senders = RestSenders(target, Ways(connections, timeout_ms * MS))
        samples = Samples(array("q", [at * MS for at in times_ms]))
        numbers = range(len(times_ms))
        wires = [rendered_request(target, "POST", f"/{number}", "key") for number in numbers]
        await senders.connect()
        try:
            await senders.run(samples, Rendered(wires), 0)
        finally:
            await senders.close()
            server.close()
            await server.wait_closed()
        return samples, venue, senders

    return asyncio.run(session())


def labels(samples: Samples) -> list[tuple[str, str]]:
    """Return how each request ended."""
    return [samples.label_names[number] for number in samples.labels]


async def answer(number: int, writer: asyncio.StreamWriter) -> None:
    """Answer at once."""
    writer.write(OK % number)


def test_requests_do_not_wait_for_answers() -> None:
    """While the target says nothing, each request still goes out at its time."""
    all_in = asyncio.Event()

    async def silent_at_first(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 4:
            all_in.set()
        await all_in.wait()
        writer.write(OK % number)

    samples, _, _ = sent_to(silent_at_first, [0, 20, 40, 60])
    assert labels(samples) == [(ACCEPTED, "200")] * 4
    pairs = zip(samples.sent_ns, samples.intended_ns, strict=True)
    assert all(sent >= meant for sent, meant in pairs)
    assert samples.possible_ns == samples.intended_ns
    assert samples.answered_ns[0] - samples.intended_ns[0] >= 60 * MS
    assert sorted(map(str, samples.decision_ids)) == ["d1", "d2", "d3", "d4"]


def test_waiting_for_a_connection_is_latency_not_lateness() -> None:
    """Behind a target that takes 30 ms, five requests due at once take 30, 60, 90… ms."""

    async def slow(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.03)
        writer.write(OK % number)

    samples, venue, _ = sent_to(slow, [0] * 5, connections=1)
    for index in range(5):
        assert samples.answered_ns[index] >= 30 * MS * (index + 1)
        if index:
            assert samples.possible_ns[index] == samples.answered_ns[index - 1]
        assert samples.sent_ns[index] >= samples.possible_ns[index]
    assert [line.split()[1] for line in venue.seen] == [b"/%d" % index for index in range(5)]


def test_requests_are_rendered_as_http() -> None:
    """What arrives is the request with the headers the dialect needs."""
    _, venue, _ = sent_to(answer, [0])
    head, *headers = venue.seen[0].decode().rstrip().split("\r\n")
    assert head == "POST /0 HTTP/1.1"
    assert headers[0].startswith("Host: 127.0.0.1:")
    assert headers[1:] == ["X-MBX-APIKEY: key", "Content-Length: 0"]


def test_no_answer_in_time_is_an_error_and_ends() -> None:
    """A request without an answer is given up, and so is one that found no connection."""

    async def silent(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    samples, venue, _ = sent_to(silent, [0, 0], connections=1, timeout_ms=100)
    first, second = labels(samples)
    assert first == (ERROR, "no answer in time")
    assert second[0] == ERROR
    assert samples.answered_ns[0] >= 100 * MS
    assert samples.decision_ids == [None, None]
    assert venue.seen[0].startswith(b"POST /0 ")


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        (b"", (ERROR, "connection lost")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", (ERROR, "connection lost")),
        (b"HELLO\r\n\r\n", (ERROR, "malformed answer")),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", (ACCEPTED, "200")),
    ],
    ids=["nothing", "half", "not HTTP", "ends with the connection"],
)
def test_a_connection_that_ends_is_opened_again(reply: bytes, label: tuple[str, str]) -> None:
    """What is lost is an error and is not sent again; the next request gets through."""

    async def once(number: int, writer: asyncio.StreamWriter) -> None:
        if number > 1:
            await answer(number, writer)
            return
        writer.write(reply)
        await writer.drain()
        writer.close()

    samples, venue, senders = sent_to(once, [0, 150], connections=1)
    assert labels(samples) == [label, (ACCEPTED, "200")]
    assert len(venue.seen) == 2
    assert senders.reconnects >= 1


def test_close_interim_and_chunked_answers_are_understood() -> None:
    """`Connection: close`, 100 Continue and chunked bodies are all read to their end."""
    replies = {
        1: b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        2: b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        3: b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'e\r\n{"code":-2011}\r\n0\r\n\r\n',
    }

    async def reply(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(replies[number])

    samples, venue, senders = sent_to(reply, [0, 150, 200], connections=1)
    assert labels(samples) == [(ACCEPTED, "200"), (ACCEPTED, "201"), (REFUSED, "400 -2011")]
    assert len(venue.seen) == 3
    assert senders.reconnects == 1


def test_surplus_answers_are_nobodys() -> None:
    """A second answer to one request is not taken for the answer to the next one."""

    async def twice(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(OK % (10 * number))
        if number == 1:
            writer.write(OK % 666)

    samples, _, senders = sent_to(twice, [0, 0, 100], connections=1)
    assert "d666" not in samples.decision_ids
    assert samples.counts[ACCEPTED] + samples.counts[ERROR] == 3
    assert senders.reconnects == 1


def test_progress_counts_what_is_due() -> None:
    """The display is told how far the run is, and in the end it is over."""
    told: list[tuple[int, int]] = []

    async def session() -> None:
        venue = Venue(answer)
        server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
        target = parse_target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        senders = RestSenders(target, Ways(1, NS_PER_SECOND, ("127.0.0.2",), spin=False))
        samples = Samples(array("q", [0, 120 * MS]))
        await senders.connect()
        wires = [rendered_request(target, "GET", "/", "key")] * 2
        await senders.run(
            samples, Rendered(wires), 0, lambda s, due: told.append((s.answered, due))
        )
        await senders.close()
        server.close()
        await server.wait_closed()

    asyncio.run(session())
    assert told[-1] == (2, 2)
    assert any(due == 1 for _, due in told)


def test_classification() -> None:
    """Refused is a decision of the target; overload is one, an unknown fate is not."""
    assert classify(200, b"{}", "") == (ACCEPTED, "200")
    assert classify(299, b"", "") == (ACCEPTED, "299")
    assert classify(400, b'{"code":-2010,"msg":"x"}', "balance") == (REFUSED, "400 -2010 balance")
    assert classify(429, b"<html>", "") == (REFUSED, "429")
    assert classify(408, b'{"code":-1007}', "") == (ERROR, "408 -1007")
    assert classify(503, b'{"code":-1008}', "") == (REFUSED, "503 -1008")
    assert classify(503, b"", "") == (ERROR, "503")
    assert classify(500, b"[1]", "") == (ERROR, "500")
    assert classify(302, b"", "") == (ERROR, "302")


def test_a_target_that_is_not_there_is_told() -> None:
    """No connection is an error that names the target."""

    async def connect() -> None:
        server = await asyncio.start_server(Venue(answer).serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        await RestSenders(parse_target(f"http://127.0.0.1:{port}"), Ways(2, MS)).connect()

    with pytest.raises(LoadTestError, match=r"can't connect to http://127\.0\.0\.1"):
        asyncio.run(connect())
