"""What the values of a configuration must mean: addresses, keys, instruments and their names."""

import re
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.admin.surface import NAME_CHARACTERS_MAX
from gateway.auth.authenticator import well_formed
from gateway.auth.material import KeyMaterial, verifier
from gateway.config import (
    AccountConfig,
    EngineConfig,
    InstrumentConfig,
    KeyConfig,
    ListenConfig,
    OverloadConfig,
    RecordConfig,
    TelemetryConfig,
)
from gateway.journal.retention_period import read_retention
from gateway.journal.writer import SEGMENT_BYTES_MIN
from rules.faults import Fault, FieldPath
from rules.texts import read_decimal, read_duration
from rules.values import E8, INT63_MAX, NS_PER_SECOND

_SYMBOL: Final = re.compile(r"[A-Z0-9._-]{1,50}")
_ASSET: Final = re.compile(r"[A-Z0-9._-]{1,20}")
_HOST: Final = re.compile(r"[A-Za-z0-9.:_-]+")
_HOST_AND_PORT: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_LATEST_SECONDS: Final = INT63_MAX // NS_PER_SECOND
"""Times are nanoseconds in 63 bits."""
_PORT_MAX: Final = 65_535
_COMMISSION_STEP_E8: Final = 100
"""Commissions are recorded in whole millionths."""
RESERVE_BYTES_MIN: Final = 1 << 20
"""Below this a reserve would not hold the cancels of a busy second."""


def check_listen(listen: ListenConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with where to listen."""
    faults = []
    if not _HOST.fullmatch(listen.host):
        message = f"`{listen.host}` is not an address or a host's name such as 127.0.0.1"
        faults.append(Fault(message, (*path, "host")))
    if listen.edges and listen.rest_edge != "httptools":
        message = f"`{listen.edges}` processes serve `httptools` only, not `{listen.rest_edge}`"
        faults.append(Fault(message, (*path, "edges")))
    taken: dict[int, str] = {}
    for name in ("rest_port", "grpc_port", "admin_port"):
        port = getattr(listen, name)
        first = taken.setdefault(port, name)
        if port > 0 and first != name:
            faults.append(Fault(f"{port} is {first} already; give each its own", (*path, name)))
    for index, proxy in enumerate(listen.proxies):
        try:
            ip_network(proxy)
        except ValueError:
            message = f"`{proxy}` is not an address or a network such as 10.0.0.0/8"
            faults.append(Fault(message, (*path, "proxies", index)))
    return faults


def check_overload(overload: OverloadConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with how long requests may wait; 0 is without end."""
    faults = []
    longest, of = INT63_MAX, ""
    for name in ("orders", "queries", "market_data"):
        text = getattr(overload, name)
        most_ns = read_duration(text) or INT63_MAX
        if most_ns > longest:
            message = f"`{text}` is longer than {of} may wait, which are more urgent"
            faults.append(Fault(message, (*path, name)))
        longest, of = min(longest, most_ns), name
    if read_duration(overload.turn) <= 0:
        faults.append(Fault(f"`{overload.turn}` is no time to work; write 1ms", (*path, "turn")))
    return faults


def check_engine(engine: EngineConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with how the engine is reached."""
    faults = []
    if engine.address:
        match = _HOST_AND_PORT.fullmatch(engine.address)
        if match is None or not 0 < int(match[1]) <= _PORT_MAX:
            message = f"`{engine.address}` is not host:port such as 127.0.0.1:50052"
            faults.append(Fault(message, (*path, "address")))
    if not 0 < read_duration(engine.deadline) < NS_PER_SECOND:
        message = f"`{engine.deadline}` is not between 0 and 1s; write less than a second"
        faults.append(Fault(message, (*path, "deadline")))
    return faults


def check_record(record: RecordConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with how the record is kept."""
    faults = []
    for name, least in (
        ("segment_bytes", SEGMENT_BYTES_MIN),
        ("reserve_bytes", RESERVE_BYTES_MIN),
        ("low_disk_bytes", 0),
        ("refusals_per_second", 1),
        ("addresses_max", 1),
    ):
        size = getattr(record, name)
        if size < least:
            faults.append(Fault(f"{size} is too small; write {least} or more", (*path, name)))
    if read_duration(record.stall) <= 0:
        faults.append(Fault(f"`{record.stall}` is no time to wait; write 2s", (*path, "stall")))
    if record.reserve and Path(record.reserve).absolute() == record.data.absolute():
        message = f"`{record.reserve}` is the data directory; give the reserve a path of its own"
        faults.append(Fault(message, (*path, "reserve")))
    if record.retention:
        try:
            read_retention(record.retention)
        except ValueError as error:
            faults.append(Fault(str(error), (*path, "retention")))
    return faults


def check_telemetry(telemetry: TelemetryConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with where metrics go."""
    endpoint = telemetry.otlp_endpoint
    try:
        parts = urlsplit(endpoint)
        good = not endpoint or (parts.scheme in ("http", "https") and bool(parts.hostname))
    except ValueError:
        good = False
    if good:
        return []
    message = f"`{endpoint}` is not a URL such as http://127.0.0.1:4318/v1/metrics"
    return [Fault(message, (*path, "otlp_endpoint"))]


def check_stages(listen: ListenConfig, telemetry: TelemetryConfig) -> list[Fault]:
    """Return what is wrong with measuring stages: edge processes would tell of none."""
    if not telemetry.stages or not listen.edges:
        return []
    message = "stages are measured where one process does it all, not with edge processes"
    return [Fault(message, ("telemetry", "stages"))]


def check_instrument(instrument: InstrumentConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with an instrument."""
    faults = []
    for name, form, what in (
        ("name", _SYMBOL, "a symbol such as BTCUSDT"),
        ("base", _ASSET, "an asset such as BTC"),
        ("quote", _ASSET, "an asset such as USDT"),
    ):
        value = getattr(instrument, name)
        if not form.fullmatch(value):
            faults.append(Fault(f"`{value}` is not {what}", (*path, name)))
    if instrument.base == instrument.quote:
        faults.append(Fault(f"`{instrument.quote}` is the base asset too", (*path, "quote")))
    for name in ("maker_commission", "taker_commission"):
        text = getattr(instrument, name)
        share_e8 = read_decimal(text)
        if share_e8 >= E8 or share_e8 % _COMMISSION_STEP_E8:
            message = f"`{text}` is not a share below 1 with at most 6 places, such as 0.001"
            faults.append(Fault(message, (*path, name)))
    return faults


def check_account(account: AccountConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with an account."""
    faults = []
    for name, value in (("name", account.name), ("owner", account.owner or account.name)):
        if not 0 < len(value) <= NAME_CHARACTERS_MAX or not value.isprintable():
            message = f"`{value[:80]}` is no name; 1 to {NAME_CHARACTERS_MAX} printable characters are taken"
            faults.append(Fault(message, (*path, name)))
            break
    faults += [
        Fault(f"`{asset}` is not an asset such as BTC", (*path, "funds", asset))
        for asset in account.funds
        if not _ASSET.fullmatch(asset)
    ]
    return faults


def check_key(key: KeyConfig, path: FieldPath) -> list[Fault]:
    """Return what is wrong with a key; never says its secret."""
    faults = []
    if not well_formed(key.name):
        message = f"`{key.name[:80]}` is not a key id; 64 letters and digits are needed"
        faults.append(Fault(message, (*path, "name")))
    try:
        verifier(KeyMaterial(key.kind, key.secret.encode()))
    except ValueError as error:
        faults.append(Fault(f"{error}; kind is {key.kind}", (*path, "secret")))
    for index, address in enumerate(key.addresses):
        try:
            ip_address(address)
        except ValueError:
            message = f"`{address}` is not an IPv4 or IPv6 address"
            faults.append(Fault(message, (*path, "addresses", index)))
    if key.expires and not _is_utc_time(key.expires):
        message = f"`{key.expires}` is not a time with its offset, such as 2027-01-01T00:00:00Z"
        faults.append(Fault(message, (*path, "expires")))
    elif key.expires and not 0 < datetime.fromisoformat(key.expires).timestamp() < _LATEST_SECONDS:
        message = (
            f"`{key.expires}` is not between 1970-01-01 and 2262-04-11; leave it out for a key that "
            "never expires"
        )
        faults.append(Fault(message, (*path, "expires")))
    return faults


def _is_utc_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
