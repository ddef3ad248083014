"""The protocols of order entry the tester speaks."""

from collections.abc import Sequence
from typing import Final

from loadtest.protocols.engine import EngineProtocol
from loadtest.protocols.grpc_calls import CallsProtocol
from loadtest.protocols.grpc_session import SessionProtocol
from loadtest.protocols.protocol import Protocol
from loadtest.protocols.rest import RestProtocol
from loadtest.protocols.websocket import WebSocketProtocol
from loadtest.signing import Key
from loadtest.target import (
    CALLS,
    ENGINE_SCHEME,
    GRPC_SCHEMES,
    HTTP_SCHEMES,
    Target,
)

_PROTOCOLS: Final[dict[str, type[Protocol]]] = {
    **dict.fromkeys(HTTP_SCHEMES, RestProtocol),
    ENGINE_SCHEME: EngineProtocol,
    "ws": WebSocketProtocol,
    "wss": WebSocketProtocol,
}


def protocol_of(target: Target, keys: Sequence[Key], connections: int) -> Protocol:
    """Return the protocol a target speaks, over at most so many connections."""
    kind = _PROTOCOLS.get(target.scheme)
    if kind is None:
        assert target.scheme in GRPC_SCHEMES
        kind = CallsProtocol if target.grpc == CALLS else SessionProtocol
    return kind(target, keys, connections)
