"""Answers as bytes."""

from http import HTTPStatus
from typing import Final

from gateway.dialects.http import HttpResponse

CLOSE: Final = "Connection: close\r\n"
KEEP_ALIVE: Final = "Connection: keep-alive\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
FAULT: Final = HttpResponse(500, [("Content-Type", "text/plain")], b"")
"""The answer to a request that met a bug of the gate."""

_STATUS_LINES: Final = {
    int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in HTTPStatus
}
_OWN_LINES: Final = 5
"""Status line, Date, Server, Content-Length and the empty line."""


def answer_bytes(
    status: int, response: HttpResponse, date: str, connection: str, head_only: bool
) -> bytes:
    """Return an answer as it goes over the wire.

    `date` and `connection` are header lines, `connection` may be empty. They, Server and
    Content-Length are the edge's, so a dialect sends none of them. Raises ValueError when a line
    break in a header would make two answers of one.
    """
    headers, body = response.headers, response.body
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
    line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    head = (
        f"{line}{fields}{date}Server: ordergate\r\nContent-Length: {len(body)}\r\n{connection}\r\n"
    )
    lines = len(headers) + _OWN_LINES + (1 if connection else 0)
    if head.count("\n") != lines or head.count("\r") != lines:
        raise ValueError(f"one of the headers {headers} has a line break")
    return head.encode("latin-1") if head_only else head.encode("latin-1") + body
