"""Answers as bytes."""

from http import HTTPStatus
from typing import Final

from gateway.dialects.http import HttpResponse, header_lines

CLOSE: Final = "Connection: close\r\n"
KEEP_ALIVE: Final = "Connection: keep-alive\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
FAULT: Final = HttpResponse(500, [("Content-Type", "text/plain")], b"")
"""The answer to a request that met a bug of the gate."""

_STATUS_LINES: Final = {
    int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n" for status in HTTPStatus
}


def answer_bytes(
    status: int, response: HttpResponse, date: str, connection: str, head_only: bool
) -> bytes:
    """Return an answer as it goes over the wire.

    `date` and `connection` are header lines, `connection` may be empty. They, Server and
    Content-Length are the edge's, so a dialect sends none of them. Raises ValueError when a line
    break in a header would make two answers of one.
    """
    fields, body = response.fields, response.body
    lines = fields if isinstance(fields, str) else header_lines(fields)
    line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    head = (
        f"{line}{lines}{date}Server: ordergate\r\nContent-Length: {len(body)}\r\n{connection}\r\n"
    ).encode("latin-1")
    return head if head_only else head + body
