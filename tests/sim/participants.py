"""Who and what there is in a simulated venue: accounts, keys, addresses and two small markets."""

from collections.abc import Callable
from typing import Final, NamedTuple

from rules.events import Define, DefineAccount, DefineKey, DefineSymbol, Event
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SYMBOL_TRADING,
)

START_NS: Final = 1_780_000_000 * NS_PER_SECOND
"""UTC at the beginning of every simulation."""
BTC, ETH, USDT = 1, 2, 3
BTCUSDT, ETHUSDT = 1, 2
SYMBOLS: Final = (BTCUSDT, ETHUSDT)
SYMBOL_NAMES: Final = {BTCUSDT: "BTCUSDT", ETHUSDT: "ETHUSDT"}
ASSET_NUMBERS: Final = {"BTC": BTC, "ETH": ETH, "USDT": USDT}
ASSETS: Final = (BTC, ETH, USDT)
BASE_OF: Final = {BTCUSDT: BTC, ETHUSDT: ETH}
PRICE_E8: Final = 100 * E8
"""Where both markets begin."""
TICK_E8: Final = E8 // 2
STEP_E8: Final = E8 // 10
ADDRESSES: Final = (1, 2, 3, 4)
MARKET_MAKER_TIER: Final = "market_maker"
FUNDS_E8: Final = {BTC: 7 * E8, ETH: 7 * E8, USDT: 800 * E8}
"""What every account begins with: little enough to run out of."""


class Account(NamedTuple):
    """One account."""

    number: int
    owner: int
    tier: str = ""


ACCOUNTS: Final = (
    Account(1, 1),
    Account(2, 1),
    Account(3, 2),
    Account(4, 3, MARKET_MAKER_TIER),
)
OWNERS: Final = (1, 2, 3)
OWNER_OF: Final = {account.number: account.owner for account in ACCOUNTS}
TIER_OF: Final = {account.number: account.tier for account in ACCOUNTS}


class Key(NamedTuple):
    """One API key, and the address it is mostly used from."""

    number: int
    account: int
    address: int
    permissions: int = PERMIT_READ | PERMIT_TRADE
    addresses: tuple[int, ...] = ()
    lives_ns: int = 0
    """How long after the start it expires, 0: never."""


KEYS: Final = (
    Key(1, 1, 1),
    Key(2, 1, 2),
    Key(3, 2, 1),
    Key(4, 3, 3),
    Key(5, 4, 4),
    Key(6, 3, 3, PERMIT_READ),
    Key(7, 3, 2, lives_ns=20 * NS_PER_SECOND),
    Key(8, 2, 4, addresses=(4,)),
)
TRADING_KEYS: Final = KEYS[:5]
ACCOUNT_OF: Final = {key.number: key.account for key in KEYS}


class Parties(NamedTuple):
    """Who is who, by number, for the models; those here unless another venue is judged."""

    account_of: dict[int, int] = ACCOUNT_OF
    """By key."""
    owner_of: dict[int, int] = OWNER_OF
    """By account."""
    tier_of: dict[int, str] = TIER_OF
    """By account."""
    base_of: dict[int, int] = BASE_OF
    """By symbol."""
    quote: int = USDT
    """What everything is paid in."""


SIMULATED: Final = Parties()


def definitions(now_ns: int) -> list[Event]:
    """Return the events that introduce everybody and everything."""
    events: list[Event] = [
        Define(DEFINE_ADDRESS, number, f"192.0.2.{number}") for number in ADDRESSES
    ]
    for number, name in ((BTC, "BTC"), (ETH, "ETH"), (USDT, "USDT")):
        events.append(Define(DEFINE_ASSET, number, name))
    state = SYMBOL_TRADING
    events.append(DefineSymbol(BTCUSDT, "BTCUSDT", BTC, USDT, state, PRICE_E8, 1_000, 2_000))
    events.append(DefineSymbol(ETHUSDT, "ETHUSDT", ETH, USDT, state, PRICE_E8))
    events.extend(Define(DEFINE_OWNER, number, f"owner {number}") for number in OWNERS)
    for account in ACCOUNTS:
        flags = ACCOUNT_MARKET_MAKER if account.tier else 0
        name = f"account {account.number}"
        events.append(DefineAccount(account.number, name, account.owner, account.tier, flags))
    for key in KEYS:
        expires_ns = now_ns + key.lives_ns if key.lives_ns else 0
        name = f"key-{key.number}"
        events.append(
            DefineKey(key.number, name, key.account, key.permissions, key.addresses, expires_ns)
        )
    return events


def fund(deposit: Callable[[int, int, int, str], None]) -> None:
    """Give every account what it begins with."""
    for account in ACCOUNTS:
        for asset, amount_e8 in FUNDS_E8.items():
            deposit(account.number, asset, amount_e8, "opening balance")
