"""A bare closed-loop HTTP client: each connection sends its next request when it has its answer."""

import re
import select
import socket
import time
from collections import Counter
from typing import Final, NamedTuple

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_ANSWER_SECONDS: Final = 20.0


class Driven(NamedTuple):
    """What came back."""

    seconds: float
    latencies_ns: list[int]
    statuses: Counter[int]


class _Wire:
    """One connection and what it has to send."""

    __slots__ = ("left", "pending", "requests", "sent_ns", "socket")

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = iter(requests)
        self.left = len(requests)
        self.pending = b""
        self.sent_ns = 0

    def send(self) -> None:
        """Send the next request."""
        sent = next(self.requests)
        self.sent_ns = time.perf_counter_ns()
        self.socket.sendall(sent)

    def answer(self) -> int:
        """Return the status of the answer, 0 when it is not complete; raises ConnectionError."""
        received = self.socket.recv(65_536)
        if not received:
            raise ConnectionError("the server closed a connection")
        self.pending += received
        end = self.pending.find(b"\r\n\r\n")
        if end < 0:
            return 0
        length = _LENGTH.search(self.pending, 0, end + 2)
        if length is None:
            raise ConnectionError("an answer without a length")
        if len(self.pending) < end + 4 + int(length[1]):
            return 0
        status = int(self.pending[9:12])
        self.pending = b""
        return status


def drive(port: int, plans: list[list[bytes]]) -> Driven:
    """Send each plan over a connection of its own; raises ConnectionError and TimeoutError."""
    wires = [_Wire(port, plan) for plan in plans]
    by_number = {wire.socket.fileno(): wire for wire in wires}
    poll = select.epoll()
    latencies_ns: list[int] = []
    statuses: Counter[int] = Counter()
    started_ns = time.perf_counter_ns()
    try:
        for wire in wires:
            poll.register(wire.socket, select.EPOLLIN)
            wire.send()
        open_wires = len(wires)
        while open_wires:
            ready = poll.poll(_ANSWER_SECONDS)
            if not ready:
                raise TimeoutError(f"{open_wires} requests have no answer")
            for number, _ in ready:
                wire = by_number[number]
                status = wire.answer()
                if not status:
                    continue
                latencies_ns.append(time.perf_counter_ns() - wire.sent_ns)
                statuses[status] += 1
                wire.left -= 1
                if wire.left:
                    wire.send()
                else:
                    open_wires -= 1
        seconds = (time.perf_counter_ns() - started_ns) / 1e9
    finally:
        poll.close()
        for wire in wires:
            wire.socket.close()
    return Driven(seconds, latencies_ns, statuses)


def drive_in_waves(port: int, plans: list[list[bytes]]) -> Driven:
    """Send one request of each plan at once, and the next ones when all have been answered.

    So that many wait at a time, however slow the client is. Raises ConnectionError.
    """
    wires = [_Wire(port, plan) for plan in plans]
    latencies_ns: list[int] = []
    statuses: Counter[int] = Counter()
    started_ns = time.perf_counter_ns()
    try:
        for _ in range(min(map(len, plans))):
            for wire in wires:
                wire.send()
            for wire in wires:
                status = 0
                while not status:
                    status = wire.answer()
                latencies_ns.append(time.perf_counter_ns() - wire.sent_ns)
                statuses[status] += 1
        seconds = (time.perf_counter_ns() - started_ns) / 1e9
    finally:
        for wire in wires:
            wire.socket.close()
    return Driven(seconds, latencies_ns, statuses)
