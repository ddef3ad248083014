"""One client's connection: requests in, decisions in turn, answers out in the same order."""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from gateway.addresses import UNKNOWN_ADDRESS
from gateway.edges.http.answers import CLOSE, CONTINUE, KEEP_ALIVE
from gateway.edges.http.exchange import Exchange
from gateway.edges.http.reader import BODY, HEAD, IDLE, RequestReader
from gateway.lanes import MARKET_DATA, strangers_lane
from gateway.turns import NOWHERE
from rules.values import AUTH_NOT_CHECKED, AUTH_OK

if TYPE_CHECKING:
    from gateway.edges.http.edge import HttpEdge

_RESUME_SHARE: Final = 4
"""Reading goes on once no more than this part of the requests that stopped it is left."""
_PIECE_BYTES: Final = 8_192
"""Bytes looked at before it is asked whether enough requests wait: a transport may deliver thousands
of requests at a time, and reading them all would keep everybody else waiting."""


class _Pieces(NamedTuple):
    """Bytes that arrived at these times (stopwatch, receive clock)."""

    left: bytes
    started_ns: int
    received_ns: int


class Connection(asyncio.Protocol):
    """Serves one connection of an edge.

    Its requests wait for their turns (`gateway/turns.py`), together with everybody's; after a turn
    all answers that are there are written as one piece of bytes. Nothing is read while too much
    waits, and nothing is decided while the client does not take its answers.
    """

    __slots__ = (
        "_address",
        "_arrived",
        "_client_ended",
        "_draining",
        "_edge",
        "_flush_planned",
        "_full",
        "_in_line",
        "_lingering",
        "_lost",
        "_pieces",
        "_reader",
        "_reading",
        "_stage",
        "_stranger",
        "_transport",
        "_trusted",
        "_unanswered",
        "_unread_bytes",
        "due_tick",
        "lane",
        "number",
        "since_ns",
        "slot_tick",
        "taken",
        "turn",
    )

    _transport: asyncio.Transport
    _address: str
    _reader: RequestReader
    _arrived: deque[Exchange]

    def __init__(self, edge: "HttpEdge") -> None:
        self.due_tick = self.slot_tick = 0
        self.lane = NOWHERE
        self.since_ns = self.turn = self.taken = 0
        self.number = edge.next_number()
        """Among all connections of the edge."""
        self._edge = edge
        self._unanswered: deque[Exchange] = deque()
        self._in_line = False
        """It has requests waiting for a turn, or has one now."""
        self._flush_planned = False
        self._reading = True
        self._pieces: _Pieces | None = None
        """What has arrived and is not looked at yet; nothing more is read meanwhile."""
        self._full = False
        """The client does not read its answers, and buffers are full."""
        self._unread_bytes = 0
        """What was in them when they were."""
        self._client_ended = False
        """The client sends no more, and may wait for answers."""
        self._lingering = False
        """Everything is answered, and what still comes is thrown away."""
        self._draining = False
        self._stranger = True
        """No key was proved over this connection yet."""
        self._trusted = False
        """The last request that named a key proved it."""
        self._lost = False
        self._stage = (0, IDLE)
        """The unfinished request whose time runs, by number and state."""

    # --- What the transport calls -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve, if there is room for one more."""
        edge = self._edge
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else ""
        addresses = edge.addresses

        def address_of(forwarded_for: str | None) -> str:
            return addresses.of(host, forwarded_for) if host else UNKNOWN_ADDRESS

        self._address = address_of(None)
        self._reader = RequestReader(edge.limits, self._address, address_of, edge.room)
        self._arrived = self._reader.arrived
        if edge.opened(self):
            edge.wheel.set(self, edge.idle_ticks)
        else:
            self._lost = True
            transport.abort()  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Read bytes; what has arrived gets its turn after everybody's bytes have been read."""
        if self._lingering or self._lost:
            return
        edge = self._edge
        started_ns, received_ns = time.perf_counter_ns(), edge.receive_ns()
        if len(data) <= _PIECE_BYTES and self._pieces is None:
            self._reader.feed(data, started_ns, received_ns)
        else:
            left = self._pieces.left if self._pieces is not None else b""
            self._pieces = _Pieces(left + data, started_ns, received_ns)
            self._look(edge.limits.waiting_requests)
        if not self._in_line:
            self._go()
        elif self._reading and self._has_enough():
            self._pause()

    def eof_received(self) -> bool:
        """Take note that the client sends no more; return whether answers are still to go out."""
        if self._lingering or self._lost:
            return False
        self._client_ended = True
        self._look()
        self._reader.finish()
        if not self._in_line:
            self._go()
        return bool(self._arrived or self._unanswered) and not self._transport.is_closing()

    def pause_writing(self) -> None:
        """Decide nothing more until the client has taken answers; without room for them, end."""
        unread_bytes = self._transport.get_write_buffer_size()
        if not self._edge.unread.take(unread_bytes):
            self._transport.abort()
            return
        self._unread_bytes = unread_bytes
        self._full = True
        self._stage = (0, IDLE)
        self._edge.wheel.set(self, self._edge.write_ticks)

    def resume_writing(self) -> None:
        """Go on deciding."""
        self._full = False
        self._take_back()
        if not self._in_line:
            self._go()

    def connection_lost(self, error: Exception | None) -> None:
        """Have what was read decided all the same; its answers are lost."""
        if not self._lost:
            self._lost = True
            self._full = False
            self._take_back()
            self._reader.finish()
            self._edge.closed(self)
            if not self._in_line:
                self._go()
        self._reader.close()

    def _take_back(self) -> None:
        """Give back the room that unread answers had."""
        self._edge.unread.give(self._unread_bytes)
        self._unread_bytes = 0

    # --- Deciding -----------------------------------------------------------------------------

    def _go(self) -> None:
        """Get in line if there is something to decide, else go on with what there is to do."""
        self._get_in_line()
        if not self._in_line:
            self.turn_over()

    def _get_in_line(self) -> None:
        self._line_up()
        if self.lane != NOWHERE:
            self._in_line = True
            self._edge.turns.add(self)

    def _line_up(self) -> None:
        """Find the lane of the first request that waits; none when nothing may be decided."""
        arrived, edge = self._arrived, self._edge
        if not arrived or self._full or len(self._unanswered) >= edge.limits.unanswered_requests:
            self.lane = NOWHERE
            return
        exchange = arrived[0]
        request = exchange.request
        lane = MARKET_DATA if request is None else edge.lane(request.method, request.path)
        if lane != MARKET_DATA and not (self._trusted and exchange.address == self._address):
            # Behind a proxy one connection carries many clients, so there the address counts.
            lane = lane if edge.trusts(exchange.address) else strangers_lane(lane)
        if lane >= edge.open_lanes:
            lane = edge.held_back(self)
        self.lane = lane
        self.since_ns = exchange.started_ns

    @property
    def waiting(self) -> int:
        """Number of requests that wait for their turn."""
        return len(self._arrived)

    def decide(self) -> None:
        """Have the first request decided, unless the client has stopped taking answers."""
        if self._full:
            self.lane = NOWHERE
            return
        if self.lane >= self._edge.open_lanes:
            self.lane = self._edge.held_back(self)
            return
        exchange = self._arrived.popleft()
        exchange.connection = self.number
        self._unanswered.append(exchange)
        edge = self._edge
        edge.decide(exchange)
        if not exchange.done:
            exchange.waiter = self
        parsed = exchange.parsed
        if parsed is not None:
            auth = parsed.event.auth
            if auth == AUTH_OK:
                self._trusted = True
                if self._stranger:
                    self._stranger = False
                    edge.proved(self)
            elif auth == AUTH_NOT_CHECKED:
                self._trusted = False
        self._line_up()

    def shed(self, waited_ns: int, most_ns: int) -> None:
        """Have the first request refused, because it has waited for too long."""
        exchange = self._arrived.popleft()
        self._unanswered.append(exchange)
        self._edge.shed(exchange, waited_ns, most_ns)
        if not exchange.done:
            exchange.waiter = self
        self._line_up()

    def turn_over(self) -> None:
        """Write the answers there are, then wait for more or read on."""
        self._write()
        if self.lane == NOWHERE:
            self._in_line = False
            if self._arrived:
                # What waited for answers to leave may go on.
                self._get_in_line()
        if not (self._lost or self._lingering):
            self._regulate()

    def answered(self) -> None:
        """Write answers soon that came later than the call which submitted their requests."""
        if not self._flush_planned:
            self._flush_planned = True
            self._edge.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        if self._in_line:
            self._write()
        else:
            self.turn_over()

    def _write(self) -> None:
        """Write the answers that are there, in the order of the requests, as one piece."""
        unanswered, edge = self._unanswered, self._edge
        pieces = []
        while unanswered and unanswered[0].done:
            exchange = unanswered.popleft()
            if exchange.held_bytes:
                self._reader.let_go(exchange)
            if self._lost or self._lingering:
                continue
            last = not exchange.keep_alive or (
                (self._client_ended or self._draining) and not self._more_to_come()
            )
            if last:
                pieces.append(edge.answer(exchange, CLOSE))
                self._send(pieces)
                self._end(self._reader.excess or exchange.broken or self._pieces is not None)
                return
            pieces.append(edge.answer(exchange, KEEP_ALIVE if exchange.old else ""))
        if pieces:
            self._send(pieces)

    def _send(self, pieces: list[bytes]) -> None:
        self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        stages = self._edge.stages
        if stages is not None:
            stages.written()

    def _more_to_come(self) -> bool:
        waiting = self._unanswered or self._arrived or self._pieces is not None
        return bool(waiting or self._reader.state == BODY)

    # --- Going on, or not ---------------------------------------------------------------------

    def _regulate(self) -> None:
        """Read or pause, and set the time the client has for what it is to do next."""
        edge, reader = self._edge, self._reader
        few = edge.limits.waiting_requests // _RESUME_SHARE
        if self._reading:
            if self._full or self._has_enough():
                self._pause()
        elif len(self._arrived) <= few and not self._full and self._holds_little():
            self._go_on()
        if self._full:
            return  # the time to take answers runs already
        if self._draining and not self._more_to_come():
            self._end(False)
            return
        if reader.state == IDLE:
            edge.wheel.set(self, edge.idle_ticks)
            return
        waiting = self._unanswered or self._arrived
        if reader.state == BODY and not waiting and reader.wants_continue():
            self._transport.write(CONTINUE)
        stage = (reader.begun, reader.state)
        if stage != self._stage:
            self._stage = stage
            edge.wheel.set(self, edge.head_ticks if reader.state == HEAD else edge.body_ticks)

    def _has_enough(self) -> bool:
        """Tell whether so much waits that nothing more should be read."""
        limits = self._edge.limits
        return (
            len(self._arrived) > limits.waiting_requests
            or self._pieces is not None
            or self._reader.held_bytes > limits.held_bytes
        )

    def _holds_little(self) -> bool:
        """Tell whether enough bytes of requests are let go to read on."""
        return self._reader.held_bytes <= self._edge.limits.held_bytes // _RESUME_SHARE

    def _pause(self) -> None:
        self._reading = False
        self._transport.pause_reading()

    def _go_on(self) -> None:
        """Look at more of what has arrived, or read more, in the end only what ends a body."""
        edge = self._edge
        self._look(edge.limits.waiting_requests)
        wanted = not self._draining or self._reader.state == BODY
        if wanted and self._pieces is None and not self._has_enough():
            self._reading = True
            self._transport.resume_reading()
        if self._arrived and not self._in_line:
            self._get_in_line()

    def _look(self, most: int | None = None) -> None:
        """Look at what has arrived, until more than `most` requests wait."""
        pieces = self._pieces
        if pieces is None:
            return
        data, at, limits = pieces.left, 0, self._edge.limits
        while at < len(data) and (
            most is None
            or (len(self._arrived) <= most and self._reader.held_bytes <= limits.held_bytes)
        ):
            piece = data[at : at + _PIECE_BYTES]
            self._reader.feed(piece, pieces.started_ns, pieces.received_ns)
            at += _PIECE_BYTES
        self._pieces = pieces._replace(left=data[at:]) if at < len(data) else None

    def timed_out(self) -> None:
        """End what has taken too long; what was sent of a request is refused."""
        edge, reader = self._edge, self._reader
        if self._lingering or self._full:
            self._transport.abort()
        elif reader.state == IDLE and not (self._unanswered or self._arrived):
            self._end(False)
        elif reader.state == IDLE or not self._reading:
            edge.wheel.set(self, edge.idle_ticks)
        else:
            reader.refuse("head not in time" if reader.state == HEAD else "body not in time")
            if not self._in_line:
                self._go()

    def drain(self) -> None:
        """Answer what has arrived, then close."""
        self._draining = True
        if not self._more_to_come():
            self._end(False)
        elif self._reading and self._reader.state != BODY:
            self._reading = False
            self._transport.pause_reading()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _end(self, more_may_come: bool) -> None:
        """Close once all answers are sent.

        Closing on bytes that were not read resets the connection, and the client may lose its
        answer. So where more may come, only this side is closed, and the rest is thrown away.
        """
        if self._lingering:
            return
        self._lingering = True
        edge = self._edge
        if more_may_come and not self._client_ended:
            self._transport.write_eof()
            if not self._reading:
                self._reading = True
                self._transport.resume_reading()
            edge.wheel.set(self, edge.linger_ticks)
        else:
            edge.wheel.set(self, edge.write_ticks)
            self._transport.close()
