"""The scenario tables: what stands in `*.toml`, read strictly.

`docs/scenarios.md` describes the format. An unknown field is an error, so that a misspelt
expectation can't pass for none.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

FOLDER = Path(__file__).parent
CHANNELS = ("rest", "grpc")


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables."""


class Expect(Row, frozen=True, kw_only=True):
    """What a request must come to; without `refused` it must be accepted."""

    refused: str = ""
    """Name of the reason the client is told."""
    rule: str = ""
    """The rule that refused; `request` for a malformed one, `engine` for the engine."""
    limit: str | None = None
    observed: str | None = None
    """A number, a duration such as `500ms`, or an instant such as `2026-03-02T12:02:00Z`."""
    also: tuple[str, ...] = ()
    """Further rules that refused, in the order they are told."""
    shadowed: tuple[str, ...] = ()
    """Rules in shadow that would have refused; the record has them, the client does not."""
    retry: str | None = None
    """When the same request could pass: a duration from now, or an instant."""
    binance: str = ""
    """HTTP status, code and text, as in `400 -1013 Filter failure: LOT_SIZE`."""
    grpc: str = ""
    """Name of the gRPC status code."""
    status: str = ""
    """Status of the order after the request."""
    executed: str | None = None
    """Quantity executed in answer to the request."""
    canceled: tuple[str, ...] | None = None
    """Client order ids of what a cancel of all ended."""
    told: tuple[str, ...] = ()
    """`alerts`: what conduct rules told since the last such line: rule, who and severity."""


class Step(Row, frozen=True, kw_only=True):
    """One line: a request, an operator's act, or the passing of time."""

    do: Literal[
        "place",
        "test",
        "cancel",
        "cancel_all",
        "replace",
        "amend",
        "status",
        "nowhere",
        "garbage",
        "flood",
        "wait",
        "stop",
        "release",
        "symbol_state",
        "ban",
        "disable_key",
        "disable_account",
        "record_space",
        "alerts",
        "standing",
        "case",
    ]
    times: int = 1
    # Who asks, and how it is proved.
    key: str = "alice"
    """Name of a key; `none`, `malformed` and `unknown` are no keys."""
    signature: Literal["right", "wrong", "missing"] = "right"
    sent: str = "0s"
    """Client's clock: offset from the gate's (`-5s`), an instant, or `missing`."""
    recv_window: str = ""
    # The order.
    symbol: str = "BTCUSDT"
    side: str = "BUY"
    type: str = "LIMIT"
    price: str | None = None
    quantity: str | None = None
    quote: str | None = None
    time_in_force: str | None = None
    """Left out: GTC for a LIMIT order."""
    id: str = ""
    """Client order id of the new order."""
    stp: str = ""
    # The order that is meant by a cancel, replace, amend or status.
    of: str = ""
    """Its client order id."""
    order: str = ""
    """Client order id of an order whose number is sent; `unknown` sends one nobody has."""
    restriction: Literal["", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"] = ""
    allow_failure: bool = False
    # Time and operators.
    time: str = msgspec.field(name="for", default="")
    scope: str = ""
    subject: str = ""
    state: str = ""
    expect: Expect = Expect()


class Account(Row, frozen=True, kw_only=True):
    """What is different about an account."""

    owner: str = ""
    group: str = ""
    """Owners with the same one are judged together."""
    tier: str = ""
    market_maker: bool = False
    funds: dict[str, str] = msgspec.field(default_factory=lambda: {"USDT": "1000000", "BTC": "100"})


class Key(Row, frozen=True, kw_only=True):
    """What is different about a key."""

    account: str = ""
    """Empty: the account of the key's own name."""
    permissions: tuple[str, ...] = ("read", "trade")
    addresses: tuple[str, ...] = ()
    expires: str = ""


class Quote(Row, frozen=True, kw_only=True):
    """An order in the market before the first step, by an account of its own."""

    side: Literal["BUY", "SELL"]
    price: str
    quantity: str
    symbol: str = "BTCUSDT"


class Scenario(Row, frozen=True, kw_only=True):
    """One table: a world, and what happens in it."""

    name: str
    why: str = ""
    rulebook: str = "binance-spot-2026"
    changes: dict[str, Any] = {}
    """Laid over the rulebook, in its own form."""
    only: Literal["", "rest"] = ""
    """The one way in that can express the scenario; empty: all can."""
    previous_close: str = "60000"
    """Of BTCUSDT; 0: never traded."""
    accounts: dict[str, Account] = {}
    keys: dict[str, Key] = {}
    market: tuple[Quote, ...] = ()
    steps: tuple[Step, ...]

    def channels(self) -> tuple[str, ...]:
        """Return the ways in that are tried."""
        return (self.only,) if self.only else CHANNELS


class File(Row, frozen=True, kw_only=True):
    """One `.toml` file."""

    scenario: tuple[Scenario, ...]


def read_scenarios() -> list[tuple[str, Scenario]]:
    """Return (file and name, scenario) of every table in this folder."""
    files = {
        path.stem: msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), File)
        for path in sorted(FOLDER.glob("*.toml"))
    }
    return [
        (f"{name}: {scenario.name}", scenario)
        for name, file in files.items()
        for scenario in file.scenario
    ]
