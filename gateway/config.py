"""The gate's configuration: a TOML file, strict, every error reported at once."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from rules.texts import DecimalText, DurationText, SecretText

Port: TypeAlias = Annotated[int, msgspec.Meta(ge=-1, le=65_535)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the configuration's tables."""


class ListenConfig(Section, frozen=True, kw_only=True):
    """Where to listen; port 0 picks a free one, -1 does not listen at all."""

    host: str = "127.0.0.1"
    """Address or name of this machine to listen on."""
    rest_port: Port = 8080
    """REST order entry and market data."""
    grpc_port: Port = 50051
    """gRPC order entry."""
    admin_port: Port = 8081
    """Operators: stop, release, keys, health, metrics."""
    proxies: tuple[str, ...] = ()
    """Networks whose forwarded headers are believed."""
    rest_edge: Literal["httptools", "aiohttp"] = "httptools"
    """What serves REST: the edge made for order entry, or the general one over aiohttp."""
    edges: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    """Processes that serve REST in front of the core: HTTP, signatures, reading and writing. 0: the
    core's own process does (`httptools` only; Linux). They share `connections_max`."""
    connections_max: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    """Most connections at a time over REST (`httptools` only), and as many over gRPC. Over REST the
    oldest without a proved key makes room for a further one; over gRPC a further one is closed."""
    spin: bool = False
    """Look for work instead of sleeping: faster answers, and one processor is always busy. It needs
    that one for itself: with durability `disk`, give the gate another for the thread that syncs."""


class OverloadConfig(Section, frozen=True, kw_only=True):
    """Whose request is next, and what is refused when there are more than can be decided."""

    orders: DurationText = "100ms"
    """Once new orders, replacements and amends have waited for longer and that has lasted, those that
    have waited for longer than a quarter of it are refused (-1008, HTTP 503). 0s: never. Cancels
    never are."""
    queries: DurationText = "75ms"
    """As `orders`, for what a client asks of its account; at most as long."""
    market_data: DurationText = "50ms"
    """As `queries`, for what needs no signature; at most as long."""
    lasting: DurationText = "100ms"
    """How long waits must have been too long before anything is refused."""
    turn: DurationText = "1ms"
    """How long requests are decided before whoever does not wait in line gets on: operators, the
    engine, new connections."""
    turn_requests: Annotated[int, msgspec.Meta(ge=1)] = 16
    """Requests of one connection or session that are decided in a turn."""


class EngineConfig(Section, frozen=True, kw_only=True):
    """The matching engine."""

    address: str = ""
    """Of an `ordergate engine` process; empty: embedded in the gate."""
    deadline: DurationText = "900ms"
    """A command without an answer after this is of unknown fate; below one second."""


class RecordConfig(Section, frozen=True, kw_only=True):
    """The record."""

    data: Path = Path("ordergate-data")
    """Directory of the record and the key store; a relative one is below where `serve` starts."""
    segment_bytes: int = 64 * 1024 * 1024
    """Size of a segment of the record."""
    durability: Literal["auto", "process", "disk"] = "auto"
    """`disk`: a record is on the disk before anything leaves; `process`: with the kernel, which
    survives the end of the gate and not of the machine. `auto`: `disk`, with `demo_market`
    `process`."""
    stall: DurationText = "2s"
    """With `disk`, a record the disk has not confirmed after this is lost, and new orders are
    refused."""
    reserve: str = "auto"
    """Directory of the reserve, where cancels, stops and engine reports are recorded when the
    record is lost; best on a disk of its own. `auto`: beside `data`, with `-reserve` after its
    name, where durability is `disk`. Empty: none."""
    reserve_bytes: int = 256 * 1024 * 1024
    """Room of the reserve, made at the start; queries may use half of it."""
    low_disk_bytes: int = 0
    """With less than this free on the disk of `data`, queries are refused; with less than half of
    it, new orders too. 0: room for four segments."""
    refusals_per_second: int = 1_000
    """Refusals of unauthenticated requests that are recorded one by one each second; the rest is
    counted."""
    addresses_max: int = 1_000_000
    """Addresses that are known apart; those of proved keys have a sixteenth more."""
    snapshots: bool = True
    """Whenever a segment is closed, store the state after it, so that the next start is quick; done
    by a process of low priority, which decides everything again and compares."""
    seal_key: str = ""
    """PEM file of the Ed25519 key that closed segments are signed with, from `ordergate record key
    seal`. Empty: they are not signed."""
    compress: bool = False
    """Keep closed segments compressed, the newest excepted; done by a process of low priority."""
    encrypt: bool = False
    """Keep them compressed and encrypted, with the key in `ORDERGATE_RECORD_KEY` or the file
    `ORDERGATE_RECORD_KEY_FILE` names."""
    retention: str = ""
    """Runs older than this are deleted, such as `5y`, legal holds excepted. Empty: never."""


class InstrumentConfig(Section, frozen=True, kw_only=True):
    """A symbol that is traded."""

    name: str
    """The symbol, such as BTCUSDT."""
    base: str
    """The asset that is traded, such as BTC. It can't change once the record knows the symbol."""
    quote: str
    """The asset it is paid in, such as USDT. It can't change once the record knows the symbol."""
    previous_close: DecimalText = "0"
    """The price to start from, as decimal text; 0: none."""
    maker_commission: DecimalText = "0.001"
    """Share of what is received, in whole millionths; a change holds for fills from then on."""
    taker_commission: DecimalText = "0.001"
    """As maker_commission, of the order that takes."""


class AccountConfig(Section, frozen=True, kw_only=True):
    """An account; its owner and its funds. One that is taken out stays open as it is, with its keys:
    what ends them is `ordergate keys revoke`, and `ordergate kill account` what stops it."""

    name: str
    """1 to 64 printable characters."""
    owner: str = ""
    """Empty: the account's own name."""
    tier: str = ""
    """One the rulebook has limits for; empty: the usual limits."""
    market_maker: bool = False
    """Has a market making agreement."""
    high_frequency: bool = False
    """Says of itself that it uses a high-frequency technique; no rule goes by it, `owner_class`
    counts messages."""
    funds: dict[str, DecimalText] = {}
    """Amounts to deposit by asset, as decimal text, when the account is first opened."""


class OwnerGroupConfig(Section, frozen=True, kw_only=True):
    """Owners who are judged together by the conduct rules, whatever accounts and keys they use."""

    name: str
    """1 to 64 printable characters."""
    owners: tuple[str, ...]
    """Names of owners; each belongs to one group at most."""
    note: str = ""
    """What the link rests on: one address, one device, one source of funds."""


class KeyConfig(Section, frozen=True, kw_only=True):
    """An API key whose secret or public key is given in the configuration or in a bulk file. Taking
    it out again revokes nothing: it stays in force until `ordergate keys revoke` ends it. A start
    warns of such keys."""

    name: str
    """The key id clients send: 64 letters and digits."""
    account: str
    """The account it trades for; one of those given."""
    kind: Literal["hmac", "rsa", "ed25519"] = "hmac"
    """HMAC-SHA256, or the kind of the public key."""
    secret: SecretText
    """HMAC secret, or public key as PEM text."""
    permissions: tuple[Literal["read", "trade", "margin", "futures"], ...] = ("read",)
    """What it may be used for."""
    addresses: tuple[str, ...] = ()
    """Addresses it may be used from; empty: any. An IPv6 address stands for its /64."""
    expires: str = ""
    """UTC time such as 2027-01-01T00:00:00Z; empty: never."""


class TelemetryConfig(Section, frozen=True, kw_only=True):
    """Metrics."""

    otlp_endpoint: str = ""
    """URL to push metrics to over OTLP/HTTP; empty: none."""
    stages: bool = False
    """Measure where the time of requests over REST and gRPC goes, for `ordergate stages` and the
    metrics; costs some microseconds a request (without edge processes)."""


class Config(Section, frozen=True, kw_only=True):
    """Everything `ordergate serve -c FILE` reads."""

    rulebook: str = "binance-spot-2026"
    """Name of a shipped rulebook, or path of a file, relative to this one."""
    listen: ListenConfig = ListenConfig()
    """Where to listen."""
    overload: OverloadConfig = OverloadConfig()
    """Whose request is next, and what is refused under overload."""
    engine: EngineConfig = EngineConfig()
    """The matching engine."""
    record: RecordConfig = RecordConfig()
    """The record."""
    telemetry: TelemetryConfig = TelemetryConfig()
    """Metrics."""
    instruments: tuple[InstrumentConfig, ...] = ()
    """What is traded."""
    accounts: tuple[AccountConfig, ...] = ()
    """Accounts, with their funds. Taking one out closes nothing."""
    owner_groups: tuple[OwnerGroupConfig, ...] = ()
    """Owners who are judged together. Who is no longer listed leaves the group."""
    keys: tuple[KeyConfig, ...] = ()
    """API keys. Taking one out revokes nothing; `ordergate keys revoke` does."""
    bulk: tuple[Path, ...] = ()
    """Further files (TOML, or CSV with a header) of accounts and keys, relative to this one."""
    clock: Literal["system", "manual"] = "system"
    """`manual`: limits and timers follow the admin port's clock; for tests."""
    demo_market: bool = False
    """Seeded participants who keep the market moving."""
    seed: int = 1
    """What the demo market is drawn from."""
    seed_history: bool = False
    """Generated candles before the first trade, so that indicators have their history."""


class BulkFile(Section, frozen=True, kw_only=True):
    """A further TOML file of accounts and keys."""

    accounts: tuple[AccountConfig, ...] = ()
    """As in the configuration."""
    keys: tuple[KeyConfig, ...] = ()
    """As in the configuration."""
