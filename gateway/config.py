"""The gate's configuration: a TOML file, strict, every error reported at once."""

from pathlib import Path
from typing import Literal

import msgspec


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the configuration's tables."""


class ListenConfig(Section, frozen=True, kw_only=True):
    """Where to listen; port 0 picks a free one, -1 does not listen at all."""

    host: str = "127.0.0.1"
    rest_port: int = 8080
    grpc_port: int = 50051
    admin_port: int = 8081
    proxies: tuple[str, ...] = ()
    """Networks whose forwarded headers are believed."""


class EngineConfig(Section, frozen=True, kw_only=True):
    """The matching engine."""

    address: str = ""
    """Of an `ordergate engine` process; empty: embedded in the gate."""
    deadline: str = "900ms"
    """A command without an answer after this is of unknown fate; below one second."""


class RecordConfig(Section, frozen=True, kw_only=True):
    """The record."""

    data: Path = Path("ordergate-data")
    segment_bytes: int = 64 * 1024 * 1024
    durability: Literal["process"] = "process"


class InstrumentConfig(Section, frozen=True, kw_only=True):
    """A symbol that is traded."""

    name: str
    base: str
    quote: str
    previous_close: str = "0"
    """The price to start from, as decimal text; 0: none."""
    maker_commission: str = "0.001"
    taker_commission: str = "0.001"


class AccountConfig(Section, frozen=True, kw_only=True):
    """An account; its owner and its funds."""

    name: str
    owner: str = ""
    """Empty: the account's own name."""
    tier: str = ""
    market_maker: bool = False
    high_frequency: bool = False
    funds: dict[str, str] = {}
    """Amounts to deposit by asset, as decimal text, when the account is first opened."""


class KeyConfig(Section, frozen=True, kw_only=True):
    """An API key whose secret or public key is given in the configuration or in a bulk file."""

    name: str
    account: str
    kind: Literal["hmac", "rsa", "ed25519"] = "hmac"
    secret: str
    """HMAC secret, or public key as PEM text."""
    permissions: tuple[Literal["read", "trade", "margin", "futures"], ...] = ("read",)
    addresses: tuple[str, ...] = ()
    expires: str = ""
    """UTC time such as 2027-01-01T00:00:00Z; empty: never."""


class TelemetryConfig(Section, frozen=True, kw_only=True):
    """Metrics."""

    otlp_endpoint: str = ""


class Config(Section, frozen=True, kw_only=True):
    """Everything `ordergate serve -c FILE` reads."""

    rulebook: str = "binance-spot-2026"
    """Name of a shipped rulebook, or path of a file, relative to this one."""
    listen: ListenConfig = ListenConfig()
    engine: EngineConfig = EngineConfig()
    record: RecordConfig = RecordConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    instruments: tuple[InstrumentConfig, ...] = ()
    accounts: tuple[AccountConfig, ...] = ()
    keys: tuple[KeyConfig, ...] = ()
    bulk: tuple[Path, ...] = ()
    """Further files (TOML, or CSV with a header) of accounts and keys."""
    clock: Literal["system", "manual"] = "system"
    """`manual`: limits and timers follow the admin port's clock; for tests."""
    demo_market: bool = False
    """Seeded participants who keep the market moving."""
    seed: int = 1
    seed_history: bool = False
    """Generated candles before the first trade, so that indicators have their history."""
