"""HTTP as the dialects see it: no server's type crosses this line."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, TypeAlias

import msgspec

from gateway.outcome import Outcome
from rules.events import Request
from rules.reasons import Reason

_LINE_END: Final = "\r\n"


class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    """One request as it came off the wire."""

    method: str
    path: str
    """Without the query; still percent-encoded."""
    query: bytes
    """The raw query string, without `?`."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    address: str
    """The peer's address, after forwarded headers of listed proxies."""
    received_ns: int
    """Receive clock, UTC."""
    session: int = 0
    body_too_large: bool = False
    """The body was longer than the edge takes and `body` is only its beginning: the dialect
    refuses the request with BODY_TOO_LARGE."""


class HttpResponse(msgspec.Struct, frozen=True, gc=False):
    """One answer, ready for the wire."""

    status: int
    fields: list[tuple[str, str]] | str
    """Headers, or their lines as they go over the wire; those must have been made by
    `header_lines`, or of nothing that could hold a line break."""
    body: bytes

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers, in order."""
        fields = self.fields
        if not isinstance(fields, str):
            return fields
        lines = fields.removesuffix(_LINE_END).split(_LINE_END) if fields else []
        return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]

    @property
    def lines(self) -> str:
        """The headers' lines; raises ValueError when a line break would make two of one."""
        fields = self.fields
        return fields if isinstance(fields, str) else header_lines(fields)


def header_lines(headers: Iterable[tuple[str, str]]) -> str:
    """Return headers as they go over the wire; raises ValueError when one has a line break."""
    lines = ""
    for name, value in headers:
        line = f"{name}: {value}"
        if "\r" in line or "\n" in line:
            raise ValueError(f"the header {line!r} has a line break")
        lines += line + _LINE_END
    return lines


Render: TypeAlias = Callable[[Outcome], HttpResponse]


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """A request understood (or refused): what goes into the core, and how to answer."""

    event: Request
    render: Render


class HttpDialect(Protocol):
    """A venue's language over HTTP."""

    def serves(self, path: str) -> bool:
        """Tell whether this dialect answers `path`."""

    def lane(self, method: str, path: str) -> int:
        """Return the lane (`gateway.lanes`) of a request; MARKET_DATA for a path it does not know."""

    def shed(self, request: HttpRequest, waited_ns: int, most_ns: int) -> Parsed:
        """Turn a request that waited for longer than `most_ns` into a RefusedRequest, unread."""

    def parse(self, request: HttpRequest) -> Parsed:
        """Turn a request into an event; what can't be understood is a RefusedRequest."""

    def refuse(self, address: str, received_ns: int, reason: Reason, detail: str) -> Parsed:
        """Turn what the server could not read, or nobody serves, into a RefusedRequest."""
