"""The demo's accounts and keys: the same each time, and visibly not real."""

from typing import Final

from gateway.config import AccountConfig, KeyConfig

_FUNDS: Final = {"BTC": "10", "ETH": "100", "USDT": "1000000"}


def _padded(text: str) -> str:
    """Return `text` as the 64 letters and digits that keys and secrets have."""
    return text.ljust(64, "0")


DEMO_ACCOUNTS: Final = (
    AccountConfig(name="demo-alice", owner="demo-alice", funds=_FUNDS),
    AccountConfig(name="demo-bob", owner="demo-bob", funds=_FUNDS),
)
DEMO_KEYS: Final = (
    KeyConfig(
        name=_padded("OrderGateDemoKeyAlice"),
        account="demo-alice",
        secret=_padded("OrderGateDemoSecretOfAliceThisIsNotSecret"),
        permissions=("read", "trade"),
    ),
    KeyConfig(
        name=_padded("OrderGateDemoKeyBob"),
        account="demo-bob",
        secret=_padded("OrderGateDemoSecretOfBobThisIsNotSecret"),
        permissions=("read", "trade"),
    ),
)
