"""Malformed requests over real sockets: one decision and one answer each, then the end."""

import pytest

from gateway.dialects.http import HttpRequest, HttpResponse, Parsed
from gateway.outcome import Outcome
from rules.events import RefusedRequest
from rules.reasons import Reason
from tests.gateway.edges.rest_world import EchoDialect, RecordingCore, run
from tests.gateway.http.hostile import CHUNKED, GET, NEXT, POST, REFUSED, TAKEN
from tests.gateway.http.http_world import client, serving


def test_every_malformed_request_is_decided_answered_and_the_last() -> None:
    """Nothing behind it is answered; what stood before it is."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            for case in REFUSED:
                decided, understood = len(core.requests), len(dialect.seen)
                async with client(port) as one:
                    one.send(NEXT + case.sent + NEXT)
                    first, second = await one.answers()
                assert (first.status, second.status) == (200, case.status or 400), case.what
                assert b"\r\nConnection: close\r\n" in second.head
                assert second.body == b"decided"
                before, refused = core.requests[decided:]
                assert [first.seq, second.seq] == [
                    core.events.index(before) + 1,
                    core.events.index(refused) + 1,
                ]
                assert isinstance(refused, RefusedRequest)
                assert refused.reason is Reason.MALFORMED_REQUEST
                assert refused.detail
                assert len(dialect.seen) == understood + 1

    run(scenario())


def test_every_unusual_request_is_answered_and_the_next_one_too() -> None:
    """Two requests are two decisions and two answers, in their order."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core) as (dialect, port, _):
            for case in TAKEN:
                decided = len(core.requests)
                async with client(port) as one:
                    one.send(case.sent + NEXT)
                    one.writer.write_eof()
                    first, second = await one.answers()
                assert len(core.requests) == decided + 2, case.what
                assert first.seq < second.seq
                assert dialect.seen[-1].path == "/api/v3/time"

    run(scenario())


@pytest.mark.parametrize("ending", [b"", b"Connection: close\r\n"])
def test_the_answer_survives_what_the_client_still_sends(ending: bytes) -> None:
    """A client in the midst of sending reads its answer before the connection ends."""

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, body_max=1_000) as (_, port, _edge):
            for refused in (
                POST + ending + b"Content-Length: 5000000\r\n\r\n",
                POST + ending + CHUNKED + b"zz\r\n",
                GET + ending + b"\r\n" if ending else b"nonsense\r\n\r\n",
            ):
                async with client(port) as one:
                    one.send(refused)
                    for _ in range(50):
                        one.send(b"x" * 100_000)
                    (answer,) = await one.answers()
                    assert answer.body == b"decided"
            assert len(core.requests) == 3

    run(scenario())


def test_a_refusal_for_another_reason_keeps_its_status() -> None:
    """A banned client that sends nonsense is told of its ban, not of a header's length."""

    class Banning(EchoDialect):
        def render(self, outcome: Outcome) -> HttpResponse:
            return HttpResponse(418, [], b"banned")

        def parse(self, request: HttpRequest) -> Parsed:
            raise AssertionError("nothing here can be parsed")

    async def scenario() -> None:
        core = RecordingCore()
        async with serving(core, dialect=Banning) as (_, port, _edge), client(port) as one:
            one.send(GET + b"A: " + b"b" * 20_000 + b"\r\n\r\n")
            (answer,) = await one.answers()
            assert (answer.status, answer.body) == (418, b"banned")

    run(scenario())


def test_no_answer_can_become_two() -> None:
    """A line break in a header of an answer is a fault of the gate, not another answer."""

    class Splitting(EchoDialect):
        def render(self, outcome: Outcome) -> HttpResponse:
            return HttpResponse(200, [("X", f"a{self.line_break}HTTP/1.1 200 OK")], b"")

    async def scenario() -> None:
        async with serving(RecordingCore(), dialect=Splitting) as (dialect, port, _):
            for line_break in ("\r\n", "\n", "\r"):
                dialect.line_break = line_break  # type: ignore[attr-defined]
                async with client(port) as one:
                    one.send(NEXT + NEXT)
                    one.writer.write_eof()
                    answers = await one.answers()
                    assert [answer.status for answer in answers] == [500, 500]

    run(scenario())


def test_answers_to_head_have_no_body() -> None:
    """They say how long it would be, also where the request is refused."""

    async def scenario() -> None:
        async with serving(RecordingCore()) as (_, port, _edge), client(port) as one:
            one.send(b"HEAD /api HTTP/1.1\r\nHost: gate\r\n\r\n")
            answer = await one.answer(bodiless=True)
            assert answer is not None
            assert b"\r\nContent-Length: 7\r\n" in answer.head
            one.send(b"HEAD /api HTTP/1.1\r\nHost: a b\r\n\r\n")
            answer = await one.answer(bodiless=True)
            assert answer is not None
            assert answer.status == 400
            assert await one.reader.read() == b""

    run(scenario())


def test_old_clients_are_told_how_it_goes_on() -> None:
    """HTTP/1.0 stays open where it asks for it, and is told; HTTP/1.1 is told of an end only."""

    async def scenario() -> None:
        async with serving(RecordingCore()) as (_, port, _edge):
            async with client(port) as one:
                one.send(b"GET /api HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + NEXT)
                one.send(b"GET /api HTTP/1.0\r\n\r\n")
                answers = await one.answers()
            connections = [
                [line for line in answer.head.split(b"\r\n") if line.startswith(b"Connection")]
                for answer in answers
            ]
            assert connections == [[b"Connection: keep-alive"], [], [b"Connection: close"]]

    run(scenario())
