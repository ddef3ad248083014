"""Bytes into requests: what is one, what is none, wherever the network cuts them."""

import random
from collections.abc import Iterable

import h11
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edges.http.exchange import Exchange
from gateway.edges.http.limits import HttpLimits
from gateway.edges.http.reader import BODY, HEAD, IDLE, RequestReader
from gateway.edges.http.room import Room
from tests.gateway.http.hostile import (
    CHUNKED,
    GET,
    HOST,
    NEXT,
    POST,
    REFUSED,
    TAKEN,
    Refused,
    Taken,
)


def reader(room: Room | None = None, **limits: int) -> RequestReader:
    """Return a reader of one connection from 127.0.0.1."""
    bounds = HttpLimits(**limits)
    room = room or Room(bounds.long_bodies_bytes)
    return RequestReader(bounds, "127.0.0.1", lambda forwarded: f"for {forwarded}", room)


def read(pieces: Iterable[bytes], **limits: int) -> list[Exchange]:
    """Return what a reader makes of pieces of bytes."""
    one = reader(**limits)
    for piece in pieces:
        one.feed(piece, 1, 2)
    one.close()
    return list(one.arrived)


def bytes_of(sent: bytes) -> list[bytes]:
    """Return each byte for itself."""
    return [sent[at : at + 1] for at in range(len(sent))]


def told(exchanges: list[Exchange]) -> list[tuple[object, ...]]:
    """Return what was understood, to be compared."""
    return [
        (
            one.request,
            one.fault,
            one.fault_status,
            one.keep_alive,
            one.broken,
            one.head_only,
            one.old,
        )
        for one in exchanges
    ]


@pytest.mark.parametrize("case", REFUSED, ids=[case.what for case in REFUSED])
def test_what_must_be_refused_is_one_refusal(case: Refused) -> None:
    """It is refused once, nothing behind it is read, and it makes no difference how it is cut."""
    for pieces in ([case.sent + NEXT], [case.sent, NEXT], bytes_of(case.sent + NEXT)):
        (refused,) = read(pieces)
        assert refused.request is None
        assert refused.fault
        assert not refused.keep_alive
        assert refused.fault_status == case.status


@pytest.mark.parametrize("case", TAKEN, ids=[case.what for case in TAKEN])
def test_what_must_be_taken_is_one_request(case: Taken) -> None:
    """It is one request, and the one behind it is another."""
    for pieces in ([case.sent + NEXT], [case.sent, NEXT], bytes_of(case.sent + NEXT)):
        first, second = read(pieces)
        assert first.request is not None
        assert second.request is not None
        assert first.request.body == case.body
        assert second.request.path == "/api/v3/time"
        assert first.keep_alive


def test_a_request_arrives_as_it_was_sent() -> None:
    """Method, path, raw query, headers, body and times; names of headers in lower case."""
    sent = b"POST /api/%6f?a=%40&b=+ HTTP/1.1\r\nHost: gate\r\nX-A:  one \t\r\nx-a: two\r\n"
    (found,) = read([sent + b"Content-Length: 3\r\n\r\na=\xff"])
    assert found.request is not None
    assert msgspec.structs.asdict(found.request) == {
        "method": "POST",
        "path": "/api/%6f",
        "query": b"a=%40&b=+",
        "headers": {"host": "gate", "x-a": "one, two", "content-length": "3"},
        "body": b"a=\xff",
        "address": "127.0.0.1",
        "received_ns": 2,
        "session": 0,
        "body_too_large": False,
    }
    assert (found.started_ns, found.received_ns) == (1, 2)


def test_targets() -> None:
    """A proxy's absolute form names the same path; anything else stays as it is."""
    for target, path, query in (
        (b"/", "/", b""),
        (b"/a?b?c", "/a", b"b?c"),
        (b"http://gate/a?b", "/a", b"b"),
        (b"https://gate:8080?b", "/", b"b"),
        (b"http://gate", "/", b""),
        (b"//gate/a", "//gate/a", b""),
        (b"/http://gate/a", "/http://gate/a", b""),
        (b"*", "*", b""),
    ):
        (found,) = read([b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"])
        assert found.request is not None
        assert (found.request.path, found.request.query) == (path, query)


def test_trailers_are_no_headers() -> None:
    """What stands behind the body can't name another key or another address."""
    trailers = b"0\r\nX-MBX-APIKEY: other\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n"
    (found,) = read([POST + CHUNKED + trailers])
    assert found.request is not None
    assert set(found.request.headers) == {"host", "transfer-encoding"}
    assert found.request.address == "127.0.0.1"


def test_forwarded_address_counts_for_its_request_only() -> None:
    """The next request without the header is the peer's own again."""
    forwarded = GET + b"X-Forwarded-For: a\r\nX-Forwarded-For: b\r\n\r\n"
    assert [one.address for one in read([forwarded + NEXT])] == ["for a, b", "127.0.0.1"]


def test_connections_that_end() -> None:
    """`close`, HTTP/1.0 and CONNECT end a connection; what comes then is excess, not a request."""
    for sent in (
        GET + b"Connection: close\r\n\r\n",
        GET + b"Connection: keep-alive, close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"CONNECT gate:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n",
    ):
        for pieces in ([sent + NEXT], [sent, NEXT], bytes_of(sent + NEXT)):
            one = reader()
            for piece in pieces:
                one.feed(piece, 1, 2)
            (found,) = one.arrived
            assert found.request is not None
            assert not found.keep_alive
            assert not found.broken
            assert (one.ended, one.excess) == (True, True)


def test_bounds_of_a_body() -> None:
    """At the bound it passes; above it, it is cut there and ends the connection."""
    for size in (9, 10, 11, 500):
        body = b"x" * size
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
        for sent in (POST + b"Content-Length: %d\r\n\r\n" % size + body, POST + CHUNKED + chunked):
            for pieces in ([sent], bytes_of(sent)):
                (found,) = read(pieces, body_bytes=10)
                assert found.request is not None
                assert found.request.body == body[:10]
                assert found.request.body_too_large is (size > 10)
                assert found.keep_alive is (size <= 10)
                assert found.broken is (size > 10)


def test_endless_heads_and_framing_are_bounded() -> None:
    """Neither a head that does not end nor chunks of nothing but framing go on for ever."""
    for begin, more in (
        (GET + b"A: ", b"b" * 1_000),
        (GET, b"A" * 1_000),
        (POST + CHUNKED + b"1;", b"a" * 1_000),
        (POST + CHUNKED + b"0\r\nA: ", b"b" * 1_000),
        (b"GET /", b"a" * 1_000),
    ):
        one = reader()
        one.feed(begin, 1, 2)
        fed = 0
        while not one.ended:
            one.feed(more, 1, 2)
            fed += len(more)
            assert fed < 1_048_576
        (refused,) = one.arrived
        assert refused.fault


def test_small_chunks_are_not_mostly_framing() -> None:
    """A body in chunks of one byte passes, at whatever length."""
    one = reader()
    one.feed(POST + CHUNKED, 1, 2)
    for _ in range(50_000):
        one.feed(b"1\r\nx\r\n", 1, 2)
    one.feed(b"0\r\n\r\n", 1, 2)
    (found,) = one.arrived
    assert found.request is not None
    assert len(found.request.body) == 50_000


def test_states() -> None:
    """The reader says where it stands, so that the time for it can run."""
    one = reader()
    seen = []
    for piece in (
        b"\r\n",
        b"GET /",
        b" HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
        b"a",
        b"b",
    ):
        one.feed(piece, 1, 2)
        seen.append((one.state, one.begun))
    assert seen == [(IDLE, 0), (HEAD, 1), (BODY, 1), (BODY, 1), (IDLE, 1)]


def test_the_end_of_a_client() -> None:
    """The middle of a body is a refused request; the middle of a head, or nothing, is none."""
    for sent, faults in (
        (b"", []),
        (NEXT, [""]),
        (NEXT + b"GET /", [""]),
        (GET, []),
        (POST + b"Content-Length: 2\r\n\r\na", ["broken body"]),
        (POST + CHUNKED + b"1\r\na\r\n", ["broken body"]),
    ):
        one = reader()
        one.feed(sent, 1, 2)
        one.finish()
        assert [found.fault for found in one.arrived] == faults
        assert one.ended


def test_expecting_clients() -> None:
    """`100-continue` is wanted once, by HTTP/1.1, for a body of which nothing has come."""
    expecting = b"Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n"
    old = b"POST / HTTP/1.0\r\n" + expecting
    for sent, wanted in ((POST + expecting, True), (POST + expecting + b"a", False), (old, False)):
        one = reader()
        one.feed(sent, 1, 2)
        assert [one.wants_continue(), one.wants_continue()] == [wanted, False]
    one = reader(body_bytes=1_000_000)
    one.feed(POST + b"Expect: 100-continue\r\nContent-Length: 1000001\r\n\r\n", 1, 2)
    assert not one.wants_continue()
    (found,) = one.arrived
    assert found.request is not None
    assert found.request.body_too_large


SENTENCES = (
    *(case.sent for case in REFUSED if len(case.sent) < 500),
    *(case.sent for case in TAKEN if len(case.sent) < 500),
    NEXT,
)


@given(
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4), st.randoms(use_true_random=False)
)
def test_cuts_make_no_difference(sentences: list[bytes], chance: random.Random) -> None:
    """Whatever is sent, the same is understood however the network cuts it."""
    sent = b"".join(sentences)
    whole = read([sent])
    cuts = sorted(chance.randrange(len(sent) + 1) for _ in range(chance.randrange(6)))
    pieces = [sent[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert told(read(pieces)) == told(whole)


@given(st.sampled_from(SENTENCES), st.randoms(use_true_random=False))
def test_a_second_opinion(sentence: bytes, chance: random.Random) -> None:
    """What is taken, another strict reader takes for the same requests, or refuses it."""
    sent = bytearray(sentence + NEXT)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(sent))
        if chance.random() < 0.5:
            sent[at] = chance.choice(b"\r\n\t \x00:;,0123afcCXx\x7f\xff")
        else:
            sent[at : at + chance.randrange(2)] = chance.choice(
                (b"\r\n", b"\n", b" ", b"0", b"Content-Length: 5\r\n", b"Host: b\r\n", b"")
            )
    ours = [
        (one.request.method, one.request.body)
        for one in read([bytes(sent)])
        if one.request is not None
    ]
    theirs = _as_h11_reads(bytes(sent))
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both], bytes(sent)


def _as_h11_reads(sent: bytes) -> list[tuple[str, bytes]]:
    """Return the requests that h11 finds before it refuses something."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(sent)
    found: list[tuple[str, bytes]] = []
    method, body = "", b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                method, body = event.method.decode(), b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found.append((method, body))
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            else:
                return found
    except h11.ProtocolError:
        return found


def test_the_same_headers_again_are_the_same_headers() -> None:
    """What was looked at once need not be again; one byte, or one version, of difference counts."""
    plain = b"GET /%d HTTP/1.1\r\nHost: gate\r\nA: b\r\n\r\n"
    first, second, other, third = read(
        [plain % 1 + plain % 2 + plain.replace(b"A: b", b"A: c") % 3 + plain % 4]
    )
    assert first.request is not None
    assert second.request is not None
    assert other.request is not None
    assert third.request is not None
    assert [one.request.path for one in (first, second, third) if one.request] == ["/1", "/2", "/4"]
    assert first.request.headers == second.request.headers == third.request.headers
    assert other.request.headers == {"host": "gate", "a": "c"}
    old = b"GET / HTTP/1.0\r\nA: b\r\nConnection: keep-alive\r\n\r\n"
    taken, refused = read([old + old.replace(b"1.0", b"1.1")])
    assert taken.request is not None
    assert refused.fault == "no Host"
    (refused,) = read([b"GET / HTTP/1.1\r\n\r\n"])
    assert refused.fault == "no Host"


def test_known_headers_do_not_hide_what_must_be_looked_at_each_time() -> None:
    """Forwarded addresses, expectations, codings and the bound of the whole head."""
    forwarded = b"GET / HTTP/1.1\r\nHost: gate\r\nX-Forwarded-For: a\r\n\r\n"
    assert [one.address for one in read([forwarded * 3])] == ["for a"] * 3
    chunked = POST + CHUNKED + b"1\r\na\r\n0\r\n\r\n"
    bodies = [one.request.body for one in read([chunked * 3]) if one.request is not None]
    assert bodies == [b"a"] * 3
    expecting = POST + b"Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"
    found = read([expecting + b"x" * 11], body_bytes=10)
    assert [one.request.body_too_large for one in found if one.request] == [True]
    field = b"A: " + b"b" * 100 + b"\r\n"
    short, long = (b"GET /" + b"a" * size + b" HTTP/1.1\r\n" + HOST for size in (10, 300))
    taken, refused = read([short + field + b"\r\n" + long + field + b"\r\n"], head_bytes=300)
    assert taken.request is not None
    assert refused.fault_status == 431


USUAL = b"POST /api/v3/order?a=%d&b=%%2f HTTP/1.1\r\nHost: gate\r\nA: b\r\n\r\n"


@given(
    st.lists(
        st.sampled_from(
            [
                *(case.sent for case in TAKEN),
                *(case.sent for case in REFUSED),
                USUAL % 1,
                USUAL % 2,
                USUAL.replace(b"A: b", b"A: b\r\n c") % 1,
                USUAL.replace(b"A: b", b"Content-Length: 3") % 3 + b"abc",
                USUAL.replace(b"A: b", b"Content-Length: 3") % 3 + b"de",
                USUAL.replace(b"A: b", b"Content-Length: 0") % 4,
                USUAL.replace(b"A: b", b"Connection: close") % 5,
                USUAL.replace(b"1.1", b"1.0").replace(b"A: b", b"Connection: keep-alive") % 6,
                USUAL.replace(b"POST", b"HEAD") % 7,
                USUAL.replace(b"?a", b"?a#") % 8,
                USUAL.replace(b" HTTP", b"  HTTP") % 9,
                USUAL.replace(b"/api", b"http://gate/api") % 9,
                b"\r\n" + USUAL % 9,
            ]
        ),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.integers(0, 3), min_size=1, max_size=6),
)
def test_heads_that_came_before_make_no_difference(
    sentences: list[bytes], repetitions: list[int]
) -> None:
    """Sent again and again over one connection, bytes are the requests they are one by one."""
    sent = [
        sentence * times
        for sentence, times in zip(sentences * 3, repetitions * 3, strict=False)
        if times
    ]
    assert told(read(sent)) == told(read(bytes_of(b"".join(sent))))


def test_remembered_heads_are_few_and_short() -> None:
    """What a connection sends takes no more than a bound of memory, however it differs."""
    one = reader()
    for number in range(100):
        one.feed(b"GET / HTTP/1.1\r\nHost: gate\r\nA: %d\r\n\r\n" % number, 1, 2)
        one.feed(b"GET / HTTP/1.1\r\nHost: gate\r\nA: %s\r\n\r\n" % (b"b" * 1_000), 1, 2)
    assert len(one.arrived) == 200
    assert len(one._known_heads) == 8
    assert sum(map(len, one._known_heads)) < 8 * 768
    one.close()
