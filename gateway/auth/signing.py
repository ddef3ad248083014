"""The bytes a client signed, taken from a request as it was sent."""

from urllib.parse import unquote_to_bytes

_NAME = b"signature="


def signed_payload(query: bytes, body: bytes) -> bytes:
    """Return raw query and raw body, joined with nothing, without the parameter `signature`.

    Nothing is decoded and encoded again: clients differ in what they percent-encode, and the
    signature is over what they sent.
    """
    return _without_signature(query) + _without_signature(body)


def signature_of(query: bytes, body: bytes) -> str | None:
    """Return the percent-decoded `signature` of query or body, None when there is none."""
    for part in (query, body):
        if _NAME in part:
            for segment in part.split(b"&"):
                if segment.startswith(_NAME):
                    value = unquote_to_bytes(segment[len(_NAME) :].replace(b"+", b" "))
                    return value.decode("ascii", "replace")
    return None


def _without_signature(part: bytes) -> bytes:
    if _NAME not in part:
        return part
    return b"&".join(segment for segment in part.split(b"&") if not segment.startswith(_NAME))
