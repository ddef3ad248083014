"""gRPC calls nobody should make, made from ones that are right: seeded, so that a run repeats."""

import hashlib
import hmac
import random
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from gateway.dialects.native.signing import (
    KEY_HEADER,
    RECV_WINDOW_HEADER,
    SERVICE,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    call_payload,
    logon_payload,
)
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from tests.fuzz.hostile_requests import KEY, SECRET

Metadata = tuple[tuple[str, str | bytes], ...]

INTEGERS: Final = (0, 1, -1, 2**31 - 1, 2**31, 10**19 - 2**63, 2**63 - 1, -(2**63))
"""Both ends of 64 bits, what 32 bits hold, and neighbours of nothing."""
ENUMS: Final = (-1, 0, 1, 99, 2**31 - 1, -(2**31))
TEXTS: Final = ("", "\x00", "x" * 37, "é", "🙂", "a" * 100_000, "../..", "%s{}", "BTCUSDT\n")
_INTEGER_TYPES: Final = (
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_INT32,
)
ORDER: Final = wire.PlaceRequest(
    symbol="BTCUSDT",
    side=1,  # type: ignore[arg-type]
    order_type=1,  # type: ignore[arg-type]
    time_in_force=1,  # type: ignore[arg-type]
    price_e8=20_000 * 10**8,
    quantity_e8=100_000,
)
RIGHT: Final[dict[str, Any]] = {
    "Place": ORDER,
    "Cancel": wire.CancelRequest(symbol="BTCUSDT", order_id=12),
    "Replace": wire.ReplaceRequest(order_id=12, order=ORDER, allow_failure=True),
    "CancelAll": wire.CancelAllRequest(symbol="ETHUSDT"),
    "Status": wire.StatusRequest(symbol="BTCUSDT", order_id=12),
}
METHODS: Final = tuple(RIGHT)


class Call(NamedTuple):
    """One unary call, ready to be sent."""

    path: str
    raw: bytes
    metadata: Metadata


def _signature(payload: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


def call(
    method: str,
    raw: bytes,
    timestamp: str = "",
    recv_window: str = "",
    key: str = KEY,
    secret: str = SECRET,
) -> Call:
    """Return a call that is signed as it should be."""
    path = f"/{SERVICE}/{method}"
    timestamp = timestamp or str(time.time_ns() // 1_000)
    signature = _signature(call_payload(path, timestamp, recv_window, raw), secret)
    metadata: Metadata = (
        (KEY_HEADER, key),
        (TIMESTAMP_HEADER, timestamp),
        (SIGNATURE_HEADER, signature),
    )
    if recv_window:
        metadata += ((RECV_WINDOW_HEADER, recv_window),)
    return Call(path, raw, metadata)


def extremes() -> Iterator[tuple[str, Any]]:
    """Yield each right message with extreme values in each of its fields in turn."""
    for method, message in RIGHT.items():
        for changed in _extremes_of(message):
            yield method, changed


def _extremes_of(message: Any) -> Iterator[Any]:
    for field in message.DESCRIPTOR.fields:
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in _extremes_of(getattr(message, field.name)):
                changed = type(message)()
                changed.CopyFrom(message)
                getattr(changed, field.name).CopyFrom(inner)
                yield changed
            continue
        for value in _values(field):
            changed = type(message)()
            changed.CopyFrom(message)
            setattr(changed, field.name, value)
            yield changed


def _values(field: FieldDescriptor) -> tuple[Any, ...]:
    if field.type in _INTEGER_TYPES:
        return INTEGERS
    if field.type == FieldDescriptor.TYPE_ENUM:
        return ENUMS
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS
    return (True, False)


def spoiled(chance: random.Random) -> Call:
    """Return a call that is wrong in one of many ways, in its bytes or in its metadata."""
    method = chance.choice(METHODS)
    raw = RIGHT[method].SerializeToString()
    right = call(method, raw)
    kind = chance.randrange(9)
    if kind == 0:
        return call(method, chance.randbytes(chance.choice((0, 1, 7, 300))))
    if kind == 1:
        place = chance.randrange(len(raw))
        return call(method, raw[:place] + chance.randbytes(1) + raw[place + 1 :])
    if kind == 2:
        return call(method, raw[: chance.randrange(len(raw))])
    if kind == 3:
        return call(chance.choice(METHODS), raw)
    if kind == 4:
        return Call(chance.choice((f"/{SERVICE}/Nothing", "/a/b", "/x.y.Z/Q")), raw, right.metadata)
    if kind == 5:
        left_out = chance.randrange(len(right.metadata))
        return right._replace(metadata=right.metadata[:left_out] + right.metadata[left_out + 1 :])
    if kind == 6:
        name = chance.choice((KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, RECV_WINDOW_HEADER))
        value = chance.choice(("", "0", "-1", "9" * 20, "9" * 40, "nobody", "x" * 3_000, "1e9"))
        others = tuple(pair for pair in right.metadata if pair[0] != name)
        return right._replace(metadata=(*others, (name, value)))
    now_us = time.time_ns() // 1_000
    if kind == 7:
        wrong = (now_us - 5_100_000, now_us + 1_500_000, now_us + 20_000_000, 1, 0, 10**20)
        return call(method, raw, str(chance.choice(wrong)))
    return call(method, raw, "", chance.choice(("0", "60000000", "60000001", "-1", "x", "9" * 25)))


def session_messages(chance: random.Random, number: int) -> list[bytes]:
    """Return the messages of one session: a right logon, then entries right and wrong."""
    logon = wire.Logon(api_key=KEY, timestamp_us=time.time_ns() // 1_000, agent="fuzz")
    logon.signature = _signature(logon_payload(logon))
    messages = [wire.SessionRequest(logon=logon).SerializeToString()]
    kinds = [(method, message) for method, message in extremes() if message.ByteSize() < 1_000]
    fields = {
        "Place": "place",
        "Cancel": "cancel",
        "Replace": "replace",
        "CancelAll": "cancel_all",
        "Status": "status",
    }
    for sequence in range(1, number + 1):
        method, message = chance.choice(kinds)
        strange = chance.choice((0, 1, sequence - 1)) if chance.random() < 0.1 else sequence
        entry = wire.SessionEntry(sequence=strange)
        getattr(entry, fields[method]).CopyFrom(message)
        raw = wire.SessionRequest(entries=[entry]).SerializeToString()
        if chance.random() < 0.2:
            raw = chance.randbytes(20)
        messages.append(raw)
    return messages
