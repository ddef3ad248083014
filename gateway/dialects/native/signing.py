"""What a gRPC client signs, byte for byte."""

from typing import Final

from gateway.wire.ordergate.v1 import order_entry_pb2 as wire

SERVICE: Final = "ordergate.v1.OrderEntry"
SESSION_PATH: Final = f"/{SERVICE}/Session"

# Metadata of a signed unary call.
KEY_HEADER: Final = "x-ordergate-key"
TIMESTAMP_HEADER: Final = "x-ordergate-timestamp"
"""The client's clock in microseconds."""
RECV_WINDOW_HEADER: Final = "x-ordergate-recv-window"
"""In microseconds; left out: the rulebook's default."""
SIGNATURE_HEADER: Final = "x-ordergate-signature"
"""HMAC-SHA256 as hex, RSA and Ed25519 as base64."""

# Metadata of an answer.
DECISION_HEADER: Final = "x-ordergate-decision"
RULE_HEADER: Final = "x-ordergate-rule"


def call_payload(path: str, timestamp: str, recv_window: str, message: bytes) -> bytes:
    """Return what a unary call's signature covers.

    That is the method's path, timestamp and recv window as they stand in the metadata (empty when
    left out), each ended by a line feed, then the message's bytes as they are sent.
    """
    return f"{path}\n{timestamp}\n{recv_window}\n".encode() + message


def logon_payload(logon: wire.Logon) -> bytes:
    """Return what a session logon's signature covers."""
    text = f"{SESSION_PATH}\n{logon.timestamp_us}\n{logon.recv_window_us}\n{logon.api_key}"
    return text.encode()
