"""The protocols of order entry the tester speaks."""

from collections.abc import Sequence

from loadtest.protocols.protocol import Protocol
from loadtest.protocols.rest import RestProtocol
from loadtest.signing import Key
from loadtest.target import Target


def protocol_of(target: Target, keys: Sequence[Key]) -> Protocol:
    """Return the protocol a target speaks."""
    return RestProtocol(target, keys)
