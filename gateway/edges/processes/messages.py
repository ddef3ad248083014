"""What core and edge processes tell each other.

Numbers of requests are the edge's own, and an answer names the one it is for. Both sides are always
the same version of the code: nothing here is kept anywhere.
"""

from typing import Final, TypeAlias

import msgspec

from gateway.views import OrderView
from rules.decisions import Decision
from rules.events import (
    Amend,
    Cancel,
    CancelAll,
    CommandResult,
    Define,
    DefineKey,
    DefineSymbol,
    Place,
    Query,
    RefusedRequest,
    Replace,
)

NOT_VERIFIED: Final = 0
"""In place of a result of authentication: the core is to look itself."""

AskedEvent: TypeAlias = Place | Cancel | CancelAll | Replace | Amend | Query | RefusedRequest
Definition: TypeAlias = Define | DefineSymbol | DefineKey


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Base of all of them."""


# --- From an edge to the core -----------------------------------------------------------------


class Asking(Message, frozen=True, array_like=True, gc=False):
    """The beginning of every request."""

    number: int
    connection: int
    """Number of its connection, whose requests are decided in order."""
    since_ns: int
    """Stopwatch when it arrived. On Linux that is the monotonic clock, one for all processes."""


class Asked(Asking, frozen=True, array_like=True, gc=False, tag=1):
    """A request that the edge has read, with a signature it has verified."""

    event: AskedEvent


class Forwarded(Asking, frozen=True, array_like=True, gc=False, tag=2):
    """A request as it came; the core's dialect reads it and writes the answer."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    address: str
    received_ns: int
    body_too_large: bool
    auth: int
    """What the edge found of the signature, `NOT_VERIFIED` where it did not look or is not sure."""
    key: int
    """The key it verified it with."""
    endpoint: int


class Unreadable(Asking, frozen=True, array_like=True, gc=False, tag=3):
    """What was no HTTP request, or nobody serves."""

    address: str
    received_ns: int
    reason: int
    detail: str


class Listening(Message, frozen=True, array_like=True, gc=False, tag=4):
    """The edge takes connections from here on."""


class Measured(Message, frozen=True, array_like=True, gc=False, tag=5):
    """What the edge has answered since it said so last."""

    answers: tuple[tuple[int, int, int], ...]
    """How many by endpoint and HTTP status."""
    latencies: tuple[tuple[int, tuple[int, ...], int, int, int], ...]
    """By endpoint: how many in each bucket, their sum, the least and the most, in ns."""
    connections: int
    refused_connections: int


# --- From the core to an edge -----------------------------------------------------------------


class ClockRate(Message, frozen=True, array_like=True, gc=False, tag=1):
    """How the receive clock runs from here on (`gateway.clock`)."""

    since_ns: int
    offset_ns: int
    ppm: int


class Setup(Message, frozen=True, array_like=True, gc=False, tag=2):
    """First of all: what the edge needs to know of the gate."""

    clock: ClockRate
    proxies: tuple[str, ...]
    connections_max: int
    spin: bool
    rulebook_text: str
    """The resolved rulebook as JSON."""
    decision_key: bytes
    run_id: str
    keystore: str
    """Path of the store of key material; the secret it is sealed with is found as the core's."""
    bounds_ns: tuple[int, ...]
    """Upper bounds of the buckets of latencies, inclusive."""


class Defined(Message, frozen=True, array_like=True, gc=False, tag=3):
    """A number, an instrument or a key was defined or changed."""

    event: Definition


class Begin(Message, frozen=True, array_like=True, gc=False, tag=4):
    """Everything there is has been defined: take connections."""


class Decided(Message, frozen=True, array_like=True, gc=False, tag=5):
    """The outcome of an `Asked`, and what its answer says beside it."""

    number: int
    seq: int
    now_ns: int
    decision: Decision
    result: CommandResult | None
    result_ns: int
    weights: tuple[int, ...]
    """Of each window of the address's request weight: its length in ns and what is used."""
    counts: tuple[int, ...]
    """As `weights`, of the account's order count."""
    view: OrderView | None
    """The order the answer is about."""
    waited_ns: int = 0
    """Of a request that was refused because it had waited for so long: how long."""
    most_ns: int = 0
    """And how long it might have."""


class Answered(Message, frozen=True, array_like=True, gc=False, tag=6):
    """The answer to what was forwarded."""

    number: int
    status: int
    lines: str
    """Headers as they go over the wire."""
    body: bytes
    ip: int
    """Number of the request's address, 0 when it has none."""
    agent: int
    """Number of its client program, 0 when it has none."""


class Failed(Message, frozen=True, array_like=True, gc=False, tag=7):
    """The gate met a bug of its own with a request."""

    number: int


class Stop(Message, frozen=True, array_like=True, gc=False, tag=8):
    """Answer what is under way, take nothing new, and end."""


AnyAsking: TypeAlias = Asked | Forwarded | Unreadable
FromEdge: TypeAlias = AnyAsking | Listening | Measured
FromCore: TypeAlias = ClockRate | Setup | Defined | Begin | Decided | Answered | Failed | Stop
