"""What the admin port takes and answers, as JSON objects; the commands decode the same structs.

Times are nanoseconds since the Unix epoch. Scopes are `venue`, `symbol`, `owner`, `account` and
`key`; a subject is named as operators know it (BTCUSDT, an account's name, a key id) and is empty
for the venue.
"""

from typing import Literal, TypeAlias

import msgspec

StopScope: TypeAlias = Literal["venue", "symbol", "owner", "account", "key"]
KeyKind: TypeAlias = Literal["hmac", "rsa", "ed25519"]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what an operator sends: an unknown field is an error, not silently dropped."""


class KillRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop a scope; `state` may be milder than KILLED, never ACTIVE."""

    scope: StopScope
    subject: str = ""
    state: Literal["KILLED", "CANCEL_ONLY", "REDUCE_ONLY", "SLOW"] = "KILLED"
    reason: str
    actor: str


class ReleaseRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set a scope back to ACTIVE."""

    scope: StopScope
    subject: str = ""
    reason: str
    actor: str


class SymbolStateRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open, halt or restrict trading in a symbol."""

    symbol: str
    state: Literal["TRADING", "HALT", "BREAK", "END_OF_DAY", "CANCEL_ONLY", "AUCTION"]
    reason: str
    actor: str


class BanRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ban an address for some seconds, or (0) lift its ban and forget its history."""

    address: str
    seconds: int
    actor: str


class CreateKeyRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make a key; an account or owner that does not exist is opened with it."""

    account: str
    owner: str = ""
    """Of an account that is opened; empty: named like the account."""
    tier: str = ""
    """Of an account that is opened."""
    kind: KeyKind = "hmac"
    public_key: str = ""
    """PEM; for rsa and ed25519 only."""
    permissions: tuple[Literal["read", "trade", "margin", "futures"], ...] = ("read",)
    addresses: tuple[str, ...] = ()
    """Addresses it may be used from; empty: any."""
    expires_ns: int = 0
    """0: never."""


class RevokeKeyRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End a key for good."""

    name: str


class AdvanceRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Move a manual clock forward."""

    seconds: int


class RecordReadRequest(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody is about to read the record: who, and what is asked."""

    actor: str
    query: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Why a request of an operator was not carried out."""

    error: str


class ActAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's act was recorded."""

    decision_id: str
    now_ns: int


class StopAnswer(ActAnswer, frozen=True, kw_only=True):
    """A stop state was set."""

    scope: str
    subject: str
    state: str
    open_orders: int
    """Open orders of the scope when it was stopped; a kill cancels all of them."""
    remaining: int
    """Those still open when this was answered: their cancels are on the way."""


class ScopeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What stopping a scope would reach."""

    scope: str
    subject: str
    state: str
    """The scope's own state."""
    open_orders: int
    accounts: int
    """Accounts with open orders in the scope."""


class StopLine(msgspec.Struct, frozen=True, kw_only=True):
    """One scope that is not ACTIVE."""

    scope: str
    subject: str
    state: str
    reason: str
    actor: str
    since_ns: int


class SymbolLine(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument."""

    symbol: str
    state: str
    last: str
    bid: str
    ask: str


class BanLine(msgspec.Struct, frozen=True, kw_only=True):
    """One banned address."""

    address: str
    until_ns: int


class LaneLine(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one class that wait for their turn."""

    name: str
    requests: int
    oldest_ns: int
    """How long the one that waits longest has waited."""
    shed: int
    """Those that were refused since the start because they had waited for too long."""
    shedding: bool


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How the gate is."""

    version: str
    started_ns: int
    now_ns: int
    seq: int
    recorded_seq: int
    rulebook: str
    revision: str
    compiled: bool
    """Whether the rules run as compiled modules."""
    engine_connected: bool
    engine_epoch: int
    engine_seq: int
    open_orders: int
    accounts: int
    keys: int
    journal: str
    """Where the record is, empty when there is none."""
    journal_fault: str
    record_space: str = "AMPLE"
    """Room on the record's disk: AMPLE, LOW (queries are refused) or SCARCE (new orders too)."""
    stops: tuple[StopLine, ...]
    symbols: tuple[SymbolLine, ...]
    bans: tuple[BanLine, ...]
    more_bans: bool = False
    """Whether there are more than are listed."""
    lanes: tuple[LaneLine, ...] = ()
    """The most urgent first."""


class LimitLine(msgspec.Struct, frozen=True, kw_only=True):
    """The use of one limit."""

    rule: str
    scope: str
    subject: str
    label: str
    used: int | str
    limit: int | str
    """Decimal text where the limit is a ratio or an amount; 0: counted without a limit."""
    window_ns: int
    resets_ns: int


class LimitsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The use of every limit of a key, account or address."""

    now_ns: int
    limits: tuple[LimitLine, ...]
    more: bool = False
    """Whether there are, or may be, more than are listed."""


class KeyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One key; never its secret."""

    name: str
    kind: str
    """Empty when there is no key material any more."""
    account: str
    owner: str
    permissions: tuple[str, ...]
    addresses: tuple[str, ...]
    expires_ns: int
    enabled: bool


class KeysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All keys."""

    keys: tuple[KeyLine, ...]


class CreatedKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A new key."""

    key: KeyLine
    secret: str
    """Shown this once; empty for a public key."""
    account_opened: bool


class ClockAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The core's time."""

    now_ns: int


class RatioLine(msgspec.Struct, frozen=True, kw_only=True):
    """One ratio of an owner in one symbol."""

    rule: str
    symbol: str
    label: str
    ratio: str | None
    maximum: str | None
    """None where it is counted and never judged."""
    counted: int
    judged_from: int
    level: str
    recovers_ns: int
    """When the level ends if nothing more is sent, 0 without one."""
    enforced: bool
    """Whether anything follows from it; in shadow it is only counted."""


class FeeLine(msgspec.Struct, frozen=True, kw_only=True):
    """One fee of the running period."""

    tariff: str
    symbol: str
    period: str
    currency: str
    amount: str
    projected: str
    headroom: str | None
    """How much more is free before `next` begins; None where nothing is left to begin."""
    next: str
    ends_ns: int
    enforced: bool
    """Whether it is posted; in shadow it is only shown."""


class OwnerConductLine(msgspec.Struct, frozen=True, kw_only=True):
    """How one owner stands."""

    owner: str
    level: str
    """The strictest of all ratios from which something follows."""
    ratios: tuple[RatioLine, ...]
    fees: tuple[FeeLine, ...]
    amounts: dict[str, str]
    """Fees so far, by currency."""
    projected: dict[str, str]


class ConductAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How owners stand in ratios and fees."""

    now_ns: int
    owners: int
    """How many there are in all."""
    sort: str
    lines: tuple[OwnerConductLine, ...]
