"""The venue that is killed: its accounts, keys, rulebook and configuration."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Final, NamedTuple

BTC_SYMBOL: Final = "BTCUSDT"
ETH_SYMBOL: Final = "ETHUSDT"
SYMBOLS: Final = (BTC_SYMBOL, ETH_SYMBOL)
PRICES: Final = {BTC_SYMBOL: 60_000, ETH_SYMBOL: 3_000}
SEGMENT_BYTES: Final = 1 << 14
"""Small, so that segments close and snapshots are made within a round."""
ACCOUNTS: Final = {"ann": "house", "ben": "house", "cat": "cat", "dan": "dan", "eve": "eve"}
"""Owner by account: two accounts have the same, so self-trades are prevented between them."""
MARKET_MAKER: Final = "dan"
GREEDY: Final = "eve"
"""Asks for more than its address may, until it is banned."""
FUNDS: Final = {"USDT": "100000000", "BTC": "1000", "ETH": "10000"}

REJECT, DEFER = "REJECT", "DEFER"
MINIMUM: Final = {REJECT: "50ms", DEFER: "400ms"}
"""Of an order in BTCUSDT: cancels that are held are held when the gate is killed."""

RULEBOOK: Final = """
name = "killed"
revision = "1"
extends = "eu-conduct"

[rules.request_weight]
windows = [{{ interval = "1m", limit = 20000 }}]

[rules.order_count]
windows = [{{ interval = "10s", limit = 4000 }}, {{ interval = "1d", limit = 2000000 }}]

[rules.order_count.tiers]
market_maker = [{{ interval = "10s", limit = 8000 }}, {{ interval = "1d", limit = 2000000 }}]

[rules.resting_time]
policy = "{policy}"
minimum = "{minimum}"
symbols = {{ ETHUSDT = "10m" }}

[rules.price_collar]
last_max_age = "1h"

[rules.order_to_trade]
minimum_orders = 20
"""
"""Limits a few clients can come near to, and a symbol in which every restart finds orders that may
not be cancelled yet. The last trade is a reference for long, since a new engine has no orders."""


class Party(NamedTuple):
    """One client program: a key, the account it trades for, and the address it comes from."""

    key: str
    account: str
    address: str = "127.0.0.1"

    @property
    def api_key(self) -> str:
        """The key id it sends: 64 letters and digits."""
        return self.key.ljust(64, "0")

    def signed(self, payload: bytes) -> str:
        """Return the signature of a payload."""
        secret = f"secret of {self.key}".encode()
        return hmac.new(secret, payload, hashlib.sha256).hexdigest()


REST_PARTIES: Final = (
    Party("annREST", "ann", "127.88.1.1"),
    Party("benREST", "ben", "127.88.1.2"),
    Party("catREST", "cat", "127.88.1.3"),
    Party("danREST", "dan", "127.88.1.4"),
)
UNARY_PARTIES: Final = (Party("annUNARY", "ann"), Party("catUNARY", "cat"))
SESSION_PARTIES: Final = (Party("benSESSION", "ben"), Party("danSESSION", "dan"))
GREEDY_PARTY: Final = Party("eveREST", "eve", "127.88.1.5")
WATCHERS: Final = tuple(
    Party(f"{account}WATCH", account, f"127.88.2.{number}")
    for number, account in enumerate(ACCOUNTS, 1)
)
"""One for each account: they ask after a restart, from addresses nobody else uses."""
PARTIES: Final = (*REST_PARTIES, *UNARY_PARTIES, *SESSION_PARTIES, GREEDY_PARTY, *WATCHERS)


def write_configuration(
    folder: Path, durability: str, engine: str = "", policy: str = "REJECT"
) -> Path:
    """Write rulebook and configuration into `folder`; return the configuration's path.

    `engine` is the address of an engine process, empty for the embedded one. `policy` says what
    becomes of a cancel that comes too early.
    """
    rulebook = RULEBOOK.format(policy=policy, minimum=MINIMUM[policy])
    (folder / "killed.toml").write_text(rulebook)
    path = folder / "gate.toml"
    path.write_text("\n".join(_lines(folder, durability, engine)))
    return path


def _lines(folder: Path, durability: str, engine: str) -> list[str]:
    lines = ['rulebook = "killed.toml"', "[listen]"]
    lines += [f"{name}_port = 0" for name in ("rest", "grpc", "admin")]
    lines += ["connections_max = 100"]
    lines += [f"[engine]\naddress = {_text(engine)}"]
    lines += [
        "[record]",
        f"data = {_text(str(folder / 'data'))}",
        f"segment_bytes = {SEGMENT_BYTES}",
        f'durability = "{durability}"',
        "reserve_bytes = 1048576",
        "compress = true",
        # A disk that is busy with everything else must not end the run.
        'stall = "30s"',
    ]
    for symbol in SYMBOLS:
        lines += [
            "[[instruments]]",
            f"name = {_text(symbol)}",
            f"base = {_text(symbol.removesuffix('USDT'))}",
            'quote = "USDT"',
            f'previous_close = "{PRICES[symbol]}"',
        ]
    for account, owner in ACCOUNTS.items():
        maker = account == MARKET_MAKER
        funds = ", ".join(f'{asset} = "{amount}"' for asset, amount in FUNDS.items())
        lines += [
            "[[accounts]]",
            f"name = {_text(account)}",
            f"owner = {_text(owner)}",
            f"market_maker = {str(maker).lower()}",
            f"tier = {_text('market_maker' if maker else '')}",
            f"funds = {{ {funds} }}",
        ]
    for party in PARTIES:
        lines += [
            "[[keys]]",
            f"name = {_text(party.api_key)}",
            f"account = {_text(party.account)}",
            f"secret = {_text(f'secret of {party.key}')}",
            'permissions = ["read", "trade"]',
        ]
    return lines


def _text(value: str) -> str:
    """Return a text as TOML: a JSON text is one."""
    return json.dumps(value)
