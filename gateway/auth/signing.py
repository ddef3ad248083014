"""The bytes a client signed, taken from a request as it was sent."""

from typing import Final
from urllib.parse import unquote_to_bytes

_NAME: Final = b"signature="


def signed_bytes(query: bytes, body: bytes) -> tuple[bytes, str | None]:
    """Return what was signed, and the signature that was sent with it.

    Signed are raw query and raw body, joined with nothing, without the parameter `signature`. The
    signature is percent-decoded, and None when there is none; the query's counts before the body's.
    Nothing of the payload is decoded and encoded again: clients differ in what they
    percent-encode, and the signature is over what they sent.
    """
    if not body:
        return _split(query)
    query_payload, signature = _split(query)
    body_payload, body_signature = _split(body)
    return query_payload + body_payload, body_signature if signature is None else signature


def _split(part: bytes) -> tuple[bytes, str | None]:
    at = part.find(_NAME)
    if at < 0:
        return part, None
    if at > 0 and part[at - 1] == ord("&") and part.find(b"&", at) < 0:
        # Where nearly every client puts it: once, at the end.
        return part[: at - 1], _decoded(part[at + len(_NAME) :])
    kept: list[bytes] = []
    signature = None
    for segment in part.split(b"&"):
        if not segment.startswith(_NAME):
            kept.append(segment)
        elif signature is None:
            signature = _decoded(segment[len(_NAME) :])
    return b"&".join(kept), signature


def _decoded(raw: bytes) -> str:
    if b"%" not in raw:
        return raw.decode("ascii", "replace")
    # A plus sign that was not percent-encoded stands for itself: base64 has plus signs, not spaces.
    return unquote_to_bytes(raw).decode("ascii", "replace")
