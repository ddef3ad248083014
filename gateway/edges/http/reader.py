"""Bytes into requests, and into one refusal where they are none.

`httptools` (llhttp, strict as it comes) finds the requests. Added to it are the bounds, and what
it leaves to its user: HTTP versions, the Host, transfer codings other than chunked, trailers,
upgrades. A request line that names RTSP or ICE as its protocol is read as HTTP of that version,
as llhttp reads it; where a request ends does not depend on it. Once framing is in doubt nothing
more is read from a connection, so bytes can't be taken for another request than was meant.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from gateway.dialects.http import HttpRequest
from gateway.edges.http.exchange import Exchange
from gateway.edges.http.known_heads import (
    HEAD_END,
    KNOWN_HEAD_BYTES,
    KNOWN_HEADS,
    USUAL_LINE,
    KnownHead,
)
from gateway.edges.http.limits import HttpLimits
from gateway.edges.http.room import Room

IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2

_ABSOLUTE_FORM: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
"""What a proxy puts before the path: `GET http://host/path`."""
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_SINGLE: Final = frozenset(("content-length", "host", "transfer-encoding"))
"""Headers whose repetition leaves in doubt where the request goes or ends."""
_FRAMING_BYTES: Final = 65_536
"""What the framing of a chunked body may take beside `_FRAMING_FACTOR` times the body."""
_FRAMING_FACTOR: Final = 8
_SMALL_BYTES: Final = 1_024
"""Requests up to this size are bounded by their number alone."""
_NAMES_MAX: Final = 1_024
_LOOKED_AT_EACH_TIME: Final = frozenset(
    ("expect", "transfer-encoding", "upgrade", "x-forwarded-for")
)
"""Headers that mean something for one request only."""

_METHODS: Final = {name.encode(): name for name in ("GET", "POST", "DELETE", "PUT", "HEAD")}
_names: dict[bytes, str] = {}
"""Names of headers as they were sent, and in lower case; bounded, as clients name them."""


class _RefusedError(Exception):
    """Ends the parser's work; what was at fault has been taken note of."""


class RequestReader:
    """Reads what one connection sends.

    `address` is what its requests are counted under; `address_of` returns it for a request with
    the header X-Forwarded-For. `room` is what long bodies of all connections share.
    """

    def __init__(
        self, limits: HttpLimits, address: str, address_of: Callable[[str], str], room: Room
    ) -> None:
        self.arrived: deque[Exchange] = deque()
        """Requests that have not been taken yet, in order."""
        self.state = IDLE
        """Between two requests, in a `HEAD` or in a `BODY`."""
        self.begun = 0
        """Number of requests that have begun."""
        self.ended = False
        """Nothing more is read, because the last request ends the connection."""
        self.excess = False
        """More was sent than the connection's last request."""
        self.held_bytes = 0
        """Of requests that were handed over and not let go; those of up to a kilobyte count 0."""
        self._limits = limits
        self._room = room
        self._long_bytes = 0
        """What the present body has taken of it."""
        self._address = address
        self._address_of = address_of
        self._fields: list[tuple[bytes, bytes]] = []
        """Headers, and after them trailers, as they were sent."""
        self._known_heads: dict[bytes, KnownHead] = {}
        """Heads that came before, by their bytes from the end of the request line on."""
        self._plain = False
        """Whether `_headers` have none of those that are looked at each time."""
        self._fields_bytes = 0
        """Names and values of `_headers` together."""
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._started_ns = 0
        self._received_ns = 0
        self._raw_bytes = 0
        """Of the unfinished head or chunked body, as far as they came in reads of their own."""
        self._host = ""
        """The last one that was found to be valid."""
        self._target = b""
        self._method = ""
        self._old = False
        self._headers: dict[str, str] = {}
        self._address_now = address
        self._chunked = False
        self._continued = False
        self._parts: list[bytes] = []
        self._body_bytes = 0

    # --- What a connection asks ---------------------------------------------------------------

    def wants_continue(self) -> bool:
        """Tell, once, that the client waits for `100 Continue` before it sends the body."""
        if self._continued or self._old or self.state != BODY or self._parts:
            return False
        self._continued = self._headers.get("expect", "").lower() == "100-continue"
        return self._continued

    def feed(self, data: bytes, started_ns: int, received_ns: int) -> None:
        """Read bytes that arrived at these times (stopwatch, receive clock)."""
        if self.ended or self._parser is None:
            self.excess = True
            return
        self._started_ns, self._received_ns = started_ns, received_ns
        if self._known_heads and self.state == IDLE:
            taken = self._take_known(data)
            if taken == len(data):
                return
            if taken:
                data = data[taken:]
        state, begun = self.state, self.begun
        try:
            self._parse(data)
        except HttpParserError as error:
            if self.ended:
                self.excess = True
                return
            if isinstance(error, HttpParserCallbackError):
                raise
            self.refuse(str(error))
            return
        if self.state != IDLE and not self.ended:
            self._bound_raw(len(data), state, self.begun - begun)
        elif self._plain and state == IDLE and self.begun == begun + 1:
            self._remember(data)

    def refuse(self, fault: str, status: int = 0) -> None:
        """End the connection with a refusal of what has been sent of a request."""
        exchange = Exchange(self._started_ns, self._received_ns, self._address_now)
        exchange.fault, exchange.fault_status = fault, status
        exchange.broken = True
        exchange.head_only = self._method == "HEAD"
        self._end(exchange)

    def finish(self) -> None:
        """Take note that the client sends no more; the middle of a body is no end of one."""
        if self.state == BODY and not self.ended:
            self.refuse("broken body")
        self.ended = True

    def let_go(self, exchange: Exchange) -> None:
        """Take note that a request is gone."""
        self.held_bytes -= exchange.held_bytes
        self._room.give(exchange.long_bytes)

    def close(self) -> None:
        """Let go of the parser, which refers back to this reader, and of a body without an end."""
        self._parser = None
        self._drop_body()

    # --- What the parser calls ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.state = HEAD
        self.begun += 1
        self._target = b""
        self._method = ""
        self._address_now = self._address
        self._fields.clear()

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self._target = self._target + part if self._target else part
        if len(self._target) > self._limits.target_bytes:
            self._stop(f"a target of more than {self._limits.target_bytes} bytes", 414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Look at what decides where the request ends, and whom it is counted for."""
        parser = self._parser
        assert parser is not None
        self._method = _METHODS.get(raw := parser.get_method()) or raw.decode("ascii")
        version = parser.get_http_version()
        self._old = version == "1.0"
        if version != "1.1" and not self._old:
            self._stop(f"HTTP/{version}", 0 if version == "0.9" else 505)
        self._look_at_headers()
        self.state = BODY
        self._continued = False
        self._raw_bytes = 0
        if self._body_bytes:
            self._parts, self._body_bytes = [], 0
        headers = self._headers
        # The parser has found it to be digits; of thousands of zeros Python reads no number.
        length = headers.get("content-length", "").lstrip("0")
        if parser.should_upgrade() and (self._chunked or length):
            # The parser takes what follows for the other protocol, of which there is none.
            self._stop("an upgrade with a body")
        if "expect" in headers and int(length or 0) > self._limits.body_bytes:
            self._too_large()

    def _look_at_headers(self) -> None:
        headers = self._headers = self._read_headers()
        host = headers.get("host")
        if host != self._host:
            self._look_at_host(host)
        coding = headers.get("transfer-encoding")
        self._chunked = coding is not None
        if coding is not None:
            self._look_at_coding(coding)
        if "x-forwarded-for" in headers:
            self._address_now = self._address_of(headers["x-forwarded-for"])
        self._plain = not self._old and _LOOKED_AT_EACH_TIME.isdisjoint(headers)

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._parts.append(part)
        self._body_bytes += len(part)
        more = self._body_bytes - self._long_bytes
        if self._body_bytes > self._limits.small_body_bytes:
            if not self._room.take(more):
                self._too_large()
            self._long_bytes += more
        if self._body_bytes > self._limits.body_bytes:
            self._too_large()

    def on_message_complete(self) -> None:
        """Hand over a request."""
        parser = self._parser
        assert parser is not None
        # A tunnel is not opened, and what was meant for it is not read.
        keep_alive = parser.should_keep_alive() and self._method != "CONNECT"
        exchange = self._exchange()
        if keep_alive:
            self.state = IDLE
            self.arrived.append(exchange)
        else:
            self._end(exchange)

    # --- Heads that came before ---------------------------------------------------------------

    def _take_known(self, data: bytes) -> int:
        """Take the requests at the beginning of `data` whose heads came before; return their bytes.

        Most clients send the same headers with every request. What the parser made of those bytes
        once it would make of them again, and the request lines taken here leave nothing open.
        """
        limits, known_heads, arrived = self._limits, self._known_heads, self.arrived
        at = 0
        while (line := USUAL_LINE.match(data, at)) is not None:
            begin = line.end()
            end = data.find(HEAD_END, begin) + len(HEAD_END)
            known = known_heads.get(data[begin:end])
            if known is None:
                break
            target_bytes = begin - at
            if target_bytes > limits.target_bytes or target_bytes + known.size > limits.head_bytes:
                break
            body = b""
            if known.body_bytes:
                body = data[end : end + known.body_bytes]
                if len(body) < known.body_bytes:
                    break
                end += known.body_bytes
            method, path, query = line.groups(b"")
            exchange = Exchange(self._started_ns, self._received_ns, self._address)
            exchange.request = HttpRequest(
                _METHODS[method],
                path.decode("ascii"),
                query,
                known.headers,
                body,
                self._address,
                self._received_ns,
            )
            self.begun += 1
            if end - at > _SMALL_BYTES:
                exchange.held_bytes = end - at
                self.held_bytes += end - at
            arrived.append(exchange)
            at = end
        return at

    def _remember(self, data: bytes) -> None:
        """Remember the head of the one request that `data` is, if it is a usual one."""
        line = USUAL_LINE.match(data)
        if line is None or self.ended:
            return
        end = data.find(HEAD_END, line.end()) + len(HEAD_END)
        head = data[line.end() : end]
        if (
            len(head) > KNOWN_HEAD_BYTES
            or end + self._body_bytes != len(data)
            or head.count(b"\n") != len(self._fields) + 1
        ):
            return
        known = self._known_heads
        if len(known) >= KNOWN_HEADS:
            del known[next(iter(known))]
        known[head] = KnownHead(self._headers, self._fields_bytes, self._body_bytes)

    # --- Inside -------------------------------------------------------------------------------

    def _read_headers(self) -> dict[str, str]:
        """Return the headers; values of one that was sent twice are joined by a comma."""
        limits, fields = self._limits, self._fields
        if len(fields) > limits.headers:
            self._stop(f"more than {limits.headers} headers", 431)
        size = 0
        headers: dict[str, str] = {}
        for raw_name, raw_value in fields:
            size += len(raw_name) + len(raw_value)
            name = _names.get(raw_name) or _lower_case(raw_name)
            value = raw_value.decode("utf-8", "replace").strip(" \t")
            if name in headers:
                if name in _SINGLE:
                    self._stop(f"{name} more than once")
                value = f"{headers[name]}, {value}"
            headers[name] = value
        self._fields_bytes = size
        self._bound_head()
        return headers

    def _bound_head(self) -> None:
        if len(self._target) + self._fields_bytes > self._limits.head_bytes:
            self._stop(f"a head of more than {self._limits.head_bytes} bytes", 431)

    def _look_at_host(self, host: str | None) -> None:
        if host is None:
            if not self._old:
                self._stop("no Host")
        elif _HOST.fullmatch(host) is None:
            self._stop("an invalid Host")
        else:
            self._host = host

    def _parse(self, data: bytes) -> None:
        assert self._parser is not None
        while data:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                # An upgrade is passed over: the connection goes on as it was.
                data = data[upgrade.args[0] :]
                if self.ended:
                    self.excess = bool(data)
                    return
            else:
                return

    def _look_at_coding(self, coding: str) -> None:
        if self._old:
            self._stop("a transfer coding in HTTP/1.0")
        if coding.lower() != "chunked":
            self._stop("a transfer coding other than chunked", 501)

    def _bound_raw(self, size: int, state: int, begun: int) -> None:
        """Bound what the parser keeps or skips without telling: endless headers and chunks."""
        if begun == 0:
            self._raw_bytes += size
        elif begun == 1 and state == IDLE:
            self._raw_bytes = size
        if self.state == HEAD:
            if self._raw_bytes > 2 * self._limits.head_bytes:
                self.refuse(f"a head of more than {self._limits.head_bytes} bytes", 431)
        elif self._chunked and (
            self._raw_bytes > _FRAMING_BYTES + _FRAMING_FACTOR * self._body_bytes
        ):
            self.refuse("chunks that are mostly framing")

    def _exchange(self, too_large: bool = False) -> Exchange:
        target = self._target
        if target[:1] != b"/":
            absolute = _ABSOLUTE_FORM.match(target)
            if absolute is not None:
                target = target[absolute.end() :]
        path, _, query = target.partition(b"?")
        exchange = Exchange(self._started_ns, self._received_ns, self._address_now)
        exchange.request = HttpRequest(
            self._method,
            path.decode("ascii") or "/",
            query,
            self._headers,
            b"".join(self._parts)[: self._limits.body_bytes] if self._body_bytes else b"",
            self._address_now,
            self._received_ns,
            0,
            too_large,
        )
        size = len(target) + self._fields_bytes + self._body_bytes
        if size > _SMALL_BYTES:
            exchange.held_bytes = size
            self.held_bytes += size
            # An idle connection is not to hold what was handed over.
            self._parts = []
            exchange.long_bytes, self._long_bytes = self._long_bytes, 0
        if too_large:
            exchange.broken = True
        if self._method == "HEAD":
            exchange.head_only = True
        if self._old:
            exchange.old = True
        return exchange

    def _drop_body(self) -> None:
        """Let go of a body that no request has taken over."""
        self._room.give(self._long_bytes)
        self._parts, self._long_bytes = [], 0

    def _too_large(self) -> NoReturn:
        self._end(self._exchange(too_large=True))
        raise _RefusedError

    def _stop(self, fault: str, status: int = 0) -> NoReturn:
        self.refuse(fault, status)
        raise _RefusedError

    def _end(self, exchange: Exchange) -> None:
        self.state = IDLE
        self.ended = True
        self._drop_body()
        exchange.keep_alive = False
        self.arrived.append(exchange)


def _lower_case(raw_name: bytes) -> str:
    name = raw_name.decode("ascii").lower()
    if len(_names) < _NAMES_MAX:
        _names[raw_name] = name
    return name
