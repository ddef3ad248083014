"""Heads that came before: what may be remembered, and how much of it."""

import re
from typing import Final, NamedTuple

USUAL_LINE: Final = re.compile(
    rb"(GET|POST|DELETE|PUT) (/[A-Za-z0-9/_.-]*)(?:\?([A-Za-z0-9&=_.%~+*-]*))? HTTP/1\.1\r\n"
)
"""A request line that is one for every reader of HTTP."""
HEAD_END: Final = b"\r\n\r\n"
KNOWN_HEADS: Final = 8
"""Heads of one connection that are remembered; the oldest goes."""
KNOWN_HEAD_BYTES: Final = 768
"""Longer heads are not remembered, so that a connection holds little memory."""


class KnownHead(NamedTuple):
    """What the parser made of the lines of a head between request line and body."""

    headers: dict[str, str]
    size: int
    """Bytes of names and values."""
    body_bytes: int
