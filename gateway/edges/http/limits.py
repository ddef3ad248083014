"""What a connection may send and how long it may take."""

from typing import NamedTuple


class HttpLimits(NamedTuple):
    """Bounds of one HTTP edge; what exceeds one is refused and its connection closed."""

    target_bytes: int = 8_190
    """Longest request target; a longer one is answered with 414."""
    headers: int = 100
    """Most headers of a request; more are answered with 431."""
    head_bytes: int = 16_384
    """Target, names and values together; more is answered with 431."""
    body_bytes: int = 1_048_576
    """Longest body; the dialect refuses a longer one, with 413."""
    small_body_bytes: int = 16_384
    """Longest body that needs none of the room for long ones."""
    long_bodies_bytes: int = 67_108_864
    """Longer bodies of all connections together, until they are answered; a further one is refused
    as too long."""
    unread_bytes: int = 268_435_456
    """Answers that clients do not take, of all connections together; a further such client is cut
    off at once."""
    head_seconds: float = 10.0
    """From the first byte of a request to the end of its headers."""
    body_seconds: float = 10.0
    """From the end of the headers to the end of the body."""
    idle_seconds: float = 75.0
    """How long a connection stays open without a request."""
    write_seconds: float = 30.0
    """How long a client may leave its answers unread once buffers are full."""
    linger_seconds: float = 2.0
    """How long what a refused client still sends is thrown away, so that it reads its answer."""
    drain_seconds: float = 5.0
    """How long requests in progress may take to end when the edge closes."""
    connections: int = 10_000
    """Most connections at a time; the oldest without a proved key makes room for a further one."""
    waiting_requests: int = 64
    """Requests of one connection waiting to be decided above which no more is read from it."""
    held_bytes: int = 262_144
    """Bytes of one connection's requests without an answer above which no more is read from it;
    requests of up to a kilobyte are not counted, as their number is bounded."""
    unanswered_requests: int = 256
    """Requests of one connection whose answer is not there yet above which none is decided."""
