"""A bare open-loop HTTP client: requests leave at their planned times, whatever is still unanswered.

A latency is counted from the planned time to the arrival of the answer, so whoever waits in this
client waits too, and a server that stands still delays all who come meanwhile.
"""

import gc
import random
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from loadtest.workload import Key
from tests.bench.rest_servers import http_request, placement, signed_order

ORDER: Final = "order"
CANCEL: Final = "cancel"
CANCEL_ALONE: Final = "cancel alone"
"""Over a connection that sends nothing else."""
QUERY: Final = "query"
MARKET_DATA: Final = "market data"
ADMIN: Final = "admin"
SHED_STATUS: Final = 503
TICKER: Final = "/api/v3/ticker/bookTicker?symbol=BTCUSDT"

_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *([0-9]+)")
_PATIENCE_SECONDS: Final = 30.0
_ADMIN_EVERY_NS: Final = 50_000_000
_OPEN_MAX: Final = 20
"""Orders of one connection that stay open."""
_CANCEL_BELOW: Final = 0.47
"""Of 0 to 1, where 0.1 is for questions: fewer cancels than orders, by what one connection in nine
that only cancels needs, so that it finds orders and about as many of both are sent."""


class Answer(NamedTuple):
    """One request and its answer."""

    kind: str
    planned_ns: int
    latency_ns: int
    late_ns: int
    """How long after its planned time it left."""
    status: int


class Mix:
    """What clients send: orders and about as many cancels, some queries and some market data.

    Each request is signed when it is asked for. No order is marketable, and each connection keeps
    the same number of them open. Connections from number `connections` on only cancel, orders of
    the others.
    """

    def __init__(self, keys: Sequence[Key], connections: int, seed: int) -> None:
        self._keys = [keys[number % len(keys)] for number in range(connections)]
        self._open: list[deque[str]] = [deque() for _ in self._keys]
        self._random = random.Random(seed)
        self._number = 0

    def next(self, connection: int) -> tuple[str, bytes]:
        """Return kind and bytes of the next request of a connection."""
        if connection >= len(self._keys):
            connection = self._random.randrange(len(self._keys))
            if len(self._open[connection]) <= _OPEN_MAX // 2:
                connection = max(range(len(self._keys)), key=lambda one: len(self._open[one]))
            names = self._open[connection]
            name = names.popleft() if len(names) > _OPEN_MAX // 2 else "none"
            parameters = {"symbol": "BTCUSDT", "origClientOrderId": name}
            return CANCEL_ALONE, signed_order("DELETE", self._keys[connection], parameters)
        key, names, drawn = self._keys[connection], self._open[connection], self._random.random()
        if drawn < 0.05:
            return MARKET_DATA, http_request("GET", TICKER)
        if drawn < 0.10:
            parameters = {"symbol": "BTCUSDT", "origClientOrderId": names[-1] if names else "none"}
            return QUERY, signed_order("GET", key, parameters)
        enough = len(names) > _OPEN_MAX // 2
        if len(names) >= _OPEN_MAX or (enough and drawn < _CANCEL_BELOW):
            parameters = {"symbol": "BTCUSDT", "origClientOrderId": names.popleft()}
            return CANCEL, signed_order("DELETE", key, parameters)
        self._number += 1
        names.append(f"open-{self._number}")
        return ORDER, signed_order("POST", key, placement(self._random, names[-1]))


class _Wire:
    """One connection: what is to be sent, what is expected, what has come of the next answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.expected: deque[tuple[str, int, int]] = deque()
        """(kind, planned, left) of each request without an answer."""
        self.writing = False
        self._unsent = b""
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send bytes, as far as the kernel takes them."""
        self._unsent += data
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            return
        self._unsent = self._unsent[sent:]

    @property
    def blocked(self) -> bool:
        """Whether the kernel takes no more at the moment."""
        return bool(self._unsent)

    def receive(self) -> list[int]:
        """Return the statuses of the answers that are complete; raises ConnectionError."""
        received = self.socket.recv(262_144)
        if not received:
            raise ConnectionError("the server closed a connection")
        data = self._received + received if self._received else received
        statuses, at = [], 0
        while (end := data.find(b"\r\n\r\n", at)) >= 0:
            length = _LENGTH.search(data, at, end)
            if length is None:
                raise ConnectionError("an answer without a length")
            after = end + 4 + int(length[1])
            if len(data) < after:
                break
            statuses.append(int(data[at + 9 : at + 12]))
            at = after
        self._received = data[at:]
        return statuses


class OpenClient:
    """Connections to one gate, and one to its admin port unless `admin_port` is 0."""

    def __init__(self, port: int, connections: int, admin_port: int = 0, token: str = "") -> None:
        self._wires = [_Wire(port) for _ in range(connections)]
        self._admin = _Wire(admin_port) if admin_port else None
        headers = f"Host: gate\r\nAuthorization: Bearer {token}\r\n"
        self._asked_admin = f"GET /admin/v1/status HTTP/1.1\r\n{headers}\r\n".encode()
        self._poll = select.epoll()
        self._by_number = {wire.socket.fileno(): wire for wire in self._all()}
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)
        self._answers: list[Answer] = []
        self._admin_due_ns = 0

    def _all(self) -> list[_Wire]:
        return self._wires + ([self._admin] if self._admin is not None else [])

    def close(self) -> None:
        """Close all connections."""
        self._poll.close()
        for wire in self._all():
            wire.socket.close()

    def offer(
        self,
        mix: Callable[[int], tuple[str, bytes]],
        per_second: float,
        seconds: float,
        whole: bool = True,
    ) -> list[Answer]:
        """Send so many requests a second, connections in turn; return what was answered.

        With `whole`, waits for every answer; else those that are missing belong to the next call.
        Raises TimeoutError when answers do not come.
        """
        # Answers pile up and are in no cycle. Looking through them all for garbage took the client
        # up to 200 ms, and what it then sends at once looks like a pause of the gate.
        gc.disable()
        try:
            return self._offer(mix, per_second, seconds, whole)
        finally:
            gc.enable()

    def _offer(
        self,
        mix: Callable[[int], tuple[str, bytes]],
        per_second: float,
        seconds: float,
        whole: bool,
    ) -> list[Answer]:
        number, total = 0, int(per_second * seconds)
        started_ns = time.perf_counter_ns()
        step_ns = 1e9 / per_second
        wires = self._wires
        while number < total:
            now_ns = time.perf_counter_ns()
            planned_ns = started_ns + int(number * step_ns)
            if planned_ns <= now_ns:
                connection = number % len(wires)
                kind, data = mix(connection)
                self._send(wires[connection], kind, data, planned_ns)
                number += 1
                if number % 8:
                    continue
            self._look(0.0)
            self._ask_admin(now_ns)
        give_up_ns = time.perf_counter_ns() + int(_PATIENCE_SECONDS * 1e9)
        while whole and any(wire.expected for wire in self._all()):
            self._look(0.01)
            if time.perf_counter_ns() > give_up_ns:
                missing = sum(len(wire.expected) for wire in self._all())
                raise TimeoutError(f"{missing} requests have no answer")
        answers, self._answers = self._answers, []
        return answers

    def _send(self, wire: _Wire, kind: str, data: bytes, planned_ns: int) -> None:
        wire.expected.append((kind, planned_ns, time.perf_counter_ns()))
        wire.send(data)
        if wire.blocked and not wire.writing:
            wire.writing = True
            self._poll.modify(wire.socket, select.EPOLLIN | select.EPOLLOUT)

    def _ask_admin(self, now_ns: int) -> None:
        if self._admin is not None and now_ns >= self._admin_due_ns and not self._admin.expected:
            self._admin_due_ns = now_ns + _ADMIN_EVERY_NS
            self._send(self._admin, ADMIN, self._asked_admin, now_ns)

    def _look(self, seconds: float) -> None:
        for number, events in self._poll.poll(seconds):
            wire = self._by_number[number]
            if events & select.EPOLLOUT:
                wire.send(b"")
                if not wire.blocked:
                    wire.writing = False
                    self._poll.modify(wire.socket, select.EPOLLIN)
            if events & ~select.EPOLLOUT:
                now_ns = 0
                for status in wire.receive():
                    now_ns = now_ns or time.perf_counter_ns()
                    kind, planned_ns, left_ns = wire.expected.popleft()
                    times = (planned_ns, now_ns - planned_ns, left_ns - planned_ns)
                    self._answers.append(Answer(kind, *times, status))
