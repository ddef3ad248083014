"""Bytes with which servers have been made to see other requests than their senders sent.

Each case is one request, or what pretends to be one, and is followed by a right one: whoever
takes a case's bytes for something else answers a request too many, or one too few.
"""

from typing import Final, NamedTuple

from gateway.edges.http.limits import HttpLimits

HOST: Final = b"Host: gate\r\n"
GET: Final = b"GET /api/v3/ping HTTP/1.1\r\n" + HOST
POST: Final = b"POST /api/v3/order HTTP/1.1\r\n" + HOST
NEXT: Final = b"GET /api/v3/time HTTP/1.1\r\nHost: gate\r\n\r\n"
HEADER_BYTES: Final = HttpLimits().head_bytes - len(b"/api/v3/pingHostgateA")
"""Longest value of one header `A` behind `GET`."""
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n"


class Refused(NamedTuple):
    """What must be one refusal and the end of its connection."""

    what: str
    sent: bytes
    status: int = 0
    """The HTTP status where it is closer than 400."""


class Taken(NamedTuple):
    """What must be one request, with the next one behind it."""

    what: str
    sent: bytes
    body: bytes = b""


def _chunked(what: str, *lines: bytes) -> Refused:
    return Refused(f"chunks: {what}", POST + CHUNKED + b"\r\n".join(lines) + b"\r\n\r\n")


def _length(what: str, *lines: bytes) -> Refused:
    fields = b"".join(b"Content-Length:" + line + b"\r\n" for line in lines)
    return Refused(f"length: {what}", POST + fields + b"\r\nabc")


def _coding(what: str, *lines: bytes, status: int = 0) -> Refused:
    fields = b"".join(b"Transfer-Encoding:" + line + b"\r\n" for line in lines)
    return Refused(f"coding: {what}", POST + fields + b"\r\n0\r\n\r\n", status)


REFUSED: Final = (
    # --- Where a body ends ---
    Refused("length and coding", POST + b"Content-Length: 3\r\n" + CHUNKED + b"0\r\n\r\n"),
    Refused(
        "coding and length",
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    ),
    _length("twice the same", b" 3", b" 3"),
    _length("twice and differing", b" 3", b" 4"),
    _length("a list", b" 3, 3"),
    _length("plus", b" +3"),
    _length("minus", b" -3"),
    _length("hexadecimal", b" 0x3"),
    _length("underscore", b" 3_0"),
    _length("decimal", b" 3.0"),
    _length("two numbers", b" 3 3"),
    _length("empty", b""),
    _length("blank", b" "),
    _length("vertical tab", b" \x0b3"),
    _length("beyond 64 bits", b" 18446744073709551619"),
    _length("other digits", b" \xd9\xa3"),
    Refused("length: space before the colon", POST + b"Content-Length : 3\r\n\r\nabc"),
    Refused(
        "length: twice, in another case",
        POST + b"Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc",
    ),
    Refused(
        "length: beside the coding identity",
        POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    ),
    _coding("another one", b" gzip", status=501),
    _coding("another one before", b" gzip, chunked", status=501),
    _coding("identity", b" identity", status=501),
    _coding("identity first, in a header of its own", b" identity", b" chunked"),
    _coding("identity last, in a header of its own", b" chunked", b" identity"),
    _coding("twice", b" chunked", b" chunked"),
    _coding("twice in a list", b" chunked, chunked"),
    _coding("something like it", b" xchunked", status=501),
    _coding("in quotes", b' "chunked"', status=501),
    _coding("with parameters", b" chunked;q=1", status=501),
    _coding("vertical tab", b" \x0bchunked"),
    _coding("empty", b""),
    _coding("folded", b"\r\n chunked"),
    _coding("a comma behind", b" chunked,"),
    _coding("a comma before", b" ,chunked", status=501),
    _coding("a space that is none", b" \xa0chunked", status=501),
    Refused("coding: space before the colon", POST + CHUNKED.replace(b":", b" :") + b"0\r\n\r\n"),
    Refused(
        "coding: vertical tab before the colon",
        POST + CHUNKED.replace(b":", b"\x0b:") + b"0\r\n\r\n",
    ),
    Refused(
        "coding: a space that is none before the colon",
        POST + b"Content-Length: 3\r\n" + CHUNKED.replace(b":", b"\xc2\xa0:") + b"abc",
    ),
    Refused("coding: behind a bare LF", POST + b"A: b\n" + CHUNKED + b"0\r\n\r\n"),
    Refused(
        "coding in HTTP/1.0",
        b"POST /api/v3/order HTTP/1.0\r\n" + HOST + CHUNKED + b"0\r\n\r\n",
    ),
    _chunked("not a number", b"zz", b"abc", b"0"),
    _chunked("0x", b"0x3", b"abc", b"0"),
    _chunked("minus", b"-3", b"abc", b"0"),
    _chunked("plus", b"+3", b"abc", b"0"),
    _chunked("empty", b"", b"abc", b"0"),
    _chunked("only an extension", b";a", b"abc", b"0"),
    _chunked("a space behind", b"3 ", b"abc", b"0"),
    _chunked("a space before an extension", b"3 ;a", b"abc", b"0"),
    _chunked("a space before", b" 3", b"abc", b"0"),
    _chunked("a tab behind", b"3\t", b"abc", b"0"),
    _chunked("a form feed behind", b"3\x0c", b"abc", b"0"),
    _chunked("CR twice", b"3\r", b"abc", b"0"),
    _chunked("NUL in an extension", b"3;a\x00b", b"abc", b"0"),
    _chunked("space before the colon in a trailer", b"0", b"A : b"),
    _chunked("beyond 64 bits", b"10000000000000003", b"abc", b"0"),
    _chunked("longer than said", b"3", b"abcd", b"0"),
    _chunked("bare LF in an extension", b"3;a\nb", b"abc", b"0"),
    _chunked("bare CR in an extension", b"3;a\rb", b"abc", b"0"),
    _chunked("a length in a trailer", b"0", b"Content-Length: 3"),
    _chunked("a coding in a trailer", b"0", b"Transfer-Encoding: chunked"),
    Refused("chunks: bare LF behind a size", POST + CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    Refused("chunks: bare LF behind data", POST + CHUNKED + b"3\r\nabc\n0\r\n\r\n"),
    Refused("chunks: bare LF at the end", POST + CHUNKED + b"0\r\n\n"),
    # --- Lines ---
    Refused("bare LF behind the request line", b"GET / HTTP/1.1\nHost: gate\r\n\r\n"),
    Refused("bare LF behind a header", GET + b"A: b\nC: d\r\n\r\n"),
    Refused("bare LF at the end of the head", GET + b"\n"),
    Refused("bare CR behind the request line", b"GET / HTTP/1.1\rHost: gate\r\n\r\n"),
    Refused("bare CR behind a header", GET + b"A: b\rC: d\r\n\r\n"),
    Refused("bare CR in a value", GET + b"A: b\r c\r\n\r\n"),
    Refused("folded header", GET + b"A: b\r\n c\r\n\r\n"),
    Refused("header folded by a tab", GET + b"A: b\r\n\tc\r\n\r\n"),
    Refused("folded request line", b"GET / HTTP/1.1\r\n Host: gate\r\n\r\n"),
    Refused("space before the colon", GET + b"A : b\r\n\r\n"),
    Refused("tab before the colon", GET + b"A\t: b\r\n\r\n"),
    Refused("no name", GET + b": b\r\n\r\n"),
    Refused("no colon", GET + b"A\r\n\r\n"),
    Refused("space in a name", GET + b"A b: c\r\n\r\n"),
    Refused("NUL in a name", GET + b"A\x00: b\r\n\r\n"),
    Refused("NUL in a value", GET + b"A: b\x00c\r\n\r\n"),
    Refused("DEL in a value", GET + b"A: b\x7fc\r\n\r\n"),
    Refused("a control character in a value", GET + b"A: b\x01c\r\n\r\n"),
    Refused("letters beyond ASCII in a name", GET + b"\xc3\xa9: b\r\n\r\n"),
    # --- Request lines ---
    Refused("HTTP/0.9", b"GET /api/v3/ping\r\n\r\n"),
    Refused("HTTP/1.2", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    Refused("HTTP/2.0", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    Refused("HTTP/01.1", b"GET / HTTP/01.1\r\n" + HOST + b"\r\n"),
    Refused("http/1.1", b"GET / http/1.1\r\n" + HOST + b"\r\n"),
    Refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Refused("a space behind the version", b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    Refused("a tab behind the method", b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("a tab behind the version", b"GET / HTTP/1.1\t\r\n" + HOST + b"\r\n"),
    Refused("HTTP/1.10", b"GET / HTTP/1.10\r\n" + HOST + b"\r\n"),
    Refused("HTTP/ 1.1", b"GET / HTTP/ 1.1\r\n" + HOST + b"\r\n"),
    Refused("a byte order mark", b"\xef\xbb\xbf" + GET + b"\r\n"),
    Refused("a space before the method", b" " + GET + b"\r\n"),
    Refused("unknown method", b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("method in lower case", b"get / HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("authority as target", b"GET gate:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("relative target", b"GET api/v3/ping HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("no target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("a space in the target", b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("a tab in the target", b"GET /a\t HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("a control character in the target", b"GET /a\x01 HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("NUL in the target", b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    Refused("bytes beyond ASCII in the target", b"GET /?\xff HTTP/1.1\r\n" + HOST + b"\r\n"),
    # --- Whom it is for ---
    Refused("no Host", b"GET / HTTP/1.1\r\nA: b\r\n\r\n"),
    Refused("no header at all", b"GET / HTTP/1.1\r\n\r\n"),
    Refused("two Hosts", GET + b"Host: other\r\n\r\n"),
    Refused("two equal Hosts", GET + HOST + b"\r\n"),
    Refused("a list as Host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    Refused("a path in Host", b"GET / HTTP/1.1\r\nHost: gate/x\r\n\r\n"),
    Refused("NUL in Host", b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n"),
    Refused("a user in Host", b"GET / HTTP/1.1\r\nHost: user@gate\r\n\r\n"),
    Refused("a bad port in Host", b"GET / HTTP/1.1\r\nHost: gate:80x\r\n\r\n"),
    # --- Other protocols ---
    Refused(
        "an upgrade with a body",
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
    ),
    Refused(
        "an upgrade with chunks",
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + CHUNKED + b"0\r\n\r\n",
    ),
    Refused(
        "a tunnel with a body",
        b"CONNECT gate:80 HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
    ),
    Refused("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 200),
    # --- Bounds ---
    Refused("target too long", b"GET /" + b"a" * 8_190 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    Refused("header too long", GET + b"A: " + b"b" * (HEADER_BYTES + 1) + b"\r\n\r\n", 431),
    Refused("name too long", GET + b"A" * (HEADER_BYTES + 1) + b": b\r\n\r\n", 431),
    Refused("too many headers", GET + b"A: b\r\n" * 100 + b"\r\n", 431),
    Refused("head too long", GET + (b"A: " + b"b" * 8_000 + b"\r\n") * 5 + b"\r\n", 431),
)

TAKEN: Final = (
    Taken("plain", GET + b"\r\n"),
    Taken("empty lines before it", b"\r\n\r\n" + GET + b"\r\n"),
    Taken("a body", POST + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    Taken("a request in a body", POST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT, NEXT),
    Taken("many leading zeros", POST + b"Content-Length: " + b"0" * 30 + b"3\r\n\r\nabc", b"abc"),
    Taken(
        "more leading zeros than a number may have digits",
        POST + b"Expect: 100-continue\r\nContent-Length: " + b"0" * 5_000 + b"3\r\n\r\nabc",
        b"abc",
    ),
    Taken(
        "an upgrade with no body of many digits",
        GET
        + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: "
        + b"0" * 5_000
        + b"\r\n\r\n",
    ),
    Taken("leading zeros", POST + b"Content-Length: 003\r\n\r\nabc", b"abc"),
    Taken("a blank behind the length", POST + b"Content-Length: 3 \r\n\r\nabc", b"abc"),
    Taken("no body", POST + b"Content-Length: 0\r\n\r\n"),
    Taken("neither length nor coding", POST + b"\r\n"),
    Taken("a body with GET", GET + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    Taken("chunks", POST + CHUNKED + b"1\r\na\r\n0002\r\nbc\r\n0\r\n\r\n", b"abc"),
    Taken("a chunk of ten", POST + CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    Taken("chunks behind a tab", POST + b"Transfer-Encoding:\tchunked \r\n\r\n0\r\n\r\n"),
    Taken("leading zeros of a chunk", POST + CHUNKED + b"00000003\r\nabc\r\n0\r\n\r\n", b"abc"),
    Taken("CHUNKED", POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n"),
    Taken("chunk extensions", POST + CHUNKED + b'3;a=b;c="d e"\r\nabc\r\n0;x\r\n\r\n', b"abc"),
    Taken("trailers", POST + CHUNKED + b"0\r\nX-MBX-APIKEY: other\r\nHost: other\r\n\r\n"),
    Taken("an upgrade", GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    Taken(
        "an upgrade without Connection", POST + b"Upgrade: h2c\r\nContent-Length: 1\r\n\r\na", b"a"
    ),
    Taken("absolute target", b"GET http://gate:8080/api HTTP/1.1\r\n" + HOST + b"\r\n"),
    Taken("asterisk", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    Taken("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    Taken("an IPv6 Host", b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
    Taken("HTTP/1.0 that stays", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    Taken("letters beyond ASCII in a value", GET + b"A: \xc3\xa9\xff\r\n\r\n"),
    Taken("an empty value", GET + b"A:\r\n\r\n"),
    Taken("as many headers as are taken", GET + b"A: b\r\n" * 99 + b"\r\n"),
    Taken("as long a header as is taken", GET + b"A: " + b"b" * HEADER_BYTES + b"\r\n\r\n"),
    Taken(
        "as long a target as is taken", b"GET /" + b"a" * 8_189 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    ),
)
