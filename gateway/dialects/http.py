"""HTTP as the dialects see it: no server's type crosses this line."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from gateway.outcome import Outcome
from rules.events import Request
from rules.reasons import Reason


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
    headers: list[tuple[str, str]]
    body: bytes


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
