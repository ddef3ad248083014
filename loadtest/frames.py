"""What the processes of one tester say to each other, over pipes that only they have."""

import pickle
import struct
from typing import Any, Final, NamedTuple

LENGTH: Final = struct.Struct("<I")
"""Stands before each message."""


class Ready(NamedTuple):
    """Everything is rendered and connected."""


class Start(NamedTuple):
    """Begin when the stopwatch, which all processes share, shows this."""

    start_ns: int


class Stop(NamedTuple):
    """Break off, as of this moment of the stopwatch, and tell what was measured until then."""

    at_ns: int


class Refused(NamedTuple):
    """It can't be done, and why."""

    message: str


def frame(message: Any) -> bytes:
    """Return a message with its length before it."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


def unframed(body: bytes) -> Any:
    """Return the message of a frame, without its length."""
    return pickle.loads(body)  # noqa: S301 (written by a process of the same tester)
