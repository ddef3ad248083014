"""One client's connection: requests in, decisions in turn, answers out in the same order."""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from gateway.addresses import UNKNOWN_ADDRESS
from gateway.edges.http.answers import CLOSE, CONTINUE, KEEP_ALIVE
from gateway.edges.http.exchange import Exchange
from gateway.edges.http.reader import BODY, HEAD, IDLE, RequestReader

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

    A turn decides a bounded number of requests and writes all answers that are there as one piece
    of bytes; what is left waits for a turn of the loop. Nothing is read while too much waits, and
    nothing is decided while the client does not take its answers.
    """

    __slots__ = (
        "_arrived",
        "_client_ended",
        "_draining",
        "_edge",
        "_flush_planned",
        "_full",
        "_lingering",
        "_lost",
        "_pieces",
        "_reader",
        "_reading",
        "_stage",
        "_stranger",
        "_transport",
        "_turn_planned",
        "_unanswered",
        "due_tick",
        "slot_tick",
    )

    _transport: asyncio.Transport
    _reader: RequestReader
    _arrived: deque[Exchange]

    def __init__(self, edge: "HttpEdge") -> None:
        self.due_tick = self.slot_tick = 0
        self._edge = edge
        self._unanswered: deque[Exchange] = deque()
        self._turn_planned = self._flush_planned = False
        self._reading = True
        self._pieces: _Pieces | None = None
        """What has arrived and is not looked at yet; nothing more is read meanwhile."""
        self._full = False
        """The client does not read its answers, and buffers are full."""
        self._client_ended = False
        """The client sends no more, and may wait for answers."""
        self._lingering = False
        """Everything is answered, and what still comes is thrown away."""
        self._draining = False
        self._stranger = True
        """No key was proved over this connection yet."""
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

        self._reader = RequestReader(edge.limits, address_of(None), address_of)
        self._arrived = self._reader.arrived
        if edge.opened(self):
            edge.wheel.set(self, edge.idle_ticks)
        else:
            self._lost = True
            transport.abort()  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Read bytes, and decide what has arrived."""
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
        if not self._turn_planned:
            self._turn()
        elif self._reading and self._has_enough():
            self._pause()

    def eof_received(self) -> bool:
        """Take note that the client sends no more; return whether answers are still to go out."""
        if self._lingering or self._lost:
            return False
        self._client_ended = True
        self._look()
        self._reader.finish()
        if not self._turn_planned:
            self._turn()
        return bool(self._arrived or self._unanswered) and not self._transport.is_closing()

    def pause_writing(self) -> None:
        """Decide nothing more until the client has taken answers."""
        self._full = True
        self._stage = (0, IDLE)
        self._edge.wheel.set(self, self._edge.write_ticks)

    def resume_writing(self) -> None:
        """Go on deciding."""
        self._full = False
        if not self._turn_planned:
            self._turn()

    def connection_lost(self, error: Exception | None) -> None:
        """Have what was read decided all the same; its answers are lost."""
        if not self._lost:
            self._lost = True
            self._full = False
            self._reader.finish()
            self._edge.closed(self)
            if not self._turn_planned:
                self._turn()
        self._reader.close()

    # --- Deciding -----------------------------------------------------------------------------

    def _turn(self) -> None:
        """Decide some of the requests that have arrived, and write the answers there are."""
        self._turn_planned = False
        edge, arrived, unanswered = self._edge, self._arrived, self._unanswered
        left, most = edge.limits.turn_requests, edge.limits.unanswered_requests
        while arrived and left and not self._full and len(unanswered) < most:
            left -= 1
            exchange = arrived.popleft()
            unanswered.append(exchange)
            edge.decide(exchange)
            if not exchange.done:
                exchange.waiter = self
            if self._stranger and exchange.proved:
                self._stranger = False
                edge.proved(self)
        self._write()
        if arrived and not self._full and len(unanswered) < most:
            self._turn_planned = True
            edge.loop.call_soon(self._turn)
        if not (self._lost or self._lingering):
            self._regulate()

    def answered(self) -> None:
        """Write answers soon that came later than the call which submitted their requests."""
        if not self._flush_planned:
            self._flush_planned = True
            self._edge.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        if not self._turn_planned:
            self._turn()

    def _write(self) -> None:
        """Write the answers that are there, in the order of the requests, as one piece."""
        unanswered, edge = self._unanswered, self._edge
        pieces = []
        while unanswered and unanswered[0].done:
            exchange = unanswered.popleft()
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
        elif len(self._arrived) <= few and not self._full:
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
        return len(self._arrived) > self._edge.limits.waiting_requests or self._pieces is not None

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
        if self._arrived and not self._turn_planned:
            self._turn_planned = True
            edge.loop.call_soon(self._turn)

    def _look(self, most: int | None = None) -> None:
        """Look at what has arrived, until more than `most` requests wait."""
        pieces = self._pieces
        if pieces is None:
            return
        data, at = pieces.left, 0
        while at < len(data) and (most is None or len(self._arrived) <= most):
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
            if not self._turn_planned:
                self._turn()

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
