"""HTTP as bytes on a socket: what a real client library would refuse to send."""

import json
import socket
from typing import Any, Final, NamedTuple

ANSWER_SECONDS: Final = 20.0


class Answer(NamedTuple):
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """Return the decoded body; raises ValueError when it is no JSON."""
        return json.loads(self.body)


class Wire:
    """One connection to a gate on this machine, from an address of one's choice.

    `answer` returns None when the gate has closed the connection instead of answering.
    """

    def __init__(self, port: int, local: str) -> None:
        self.local = local
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(ANSWER_SECONDS)
        self._socket.bind((local, 0))
        self._socket.connect(("127.0.0.1", port))
        self._pending = b""

    def send(self, sent: bytes) -> bool:
        """Send bytes; False when the gate has closed the connection meanwhile."""
        try:
            self._socket.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def end_sending(self) -> None:
        """Close this side only: there will be no more requests, answers are still read."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close both sides."""
        self._socket.close()

    def answer(self, has_body: bool = True) -> Answer | None:
        """Return the next answer; interim ones (100 Continue) are passed over."""
        while True:
            head = self._until(b"\r\n\r\n")
            if head is None:
                return None
            first, *lines = head.decode("latin-1").split("\r\n")
            status = int(first.split(" ", 2)[1])
            if status < 200:
                continue
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            length = int(headers["content-length"]) if has_body else 0
            body = self._exactly(length)
            assert body is not None, f"an answer of {length} bytes broke off"
            return Answer(status, headers, body)

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._pending:
            if not self._receive():
                assert not self._pending, f"an answer broke off: {self._pending[:200]!r}"
                return None
        found, _, self._pending = self._pending.partition(end)
        return found

    def _exactly(self, length: int) -> bytes | None:
        while len(self._pending) < length:
            if not self._receive():
                return None
        found, self._pending = self._pending[:length], self._pending[length:]
        return found

    def _receive(self) -> bool:
        try:
            chunk = self._socket.recv(65_536)
        except ConnectionResetError:
            return False
        self._pending += chunk
        return bool(chunk)


def message(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of one request, with a length where there is a body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: gate"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body
