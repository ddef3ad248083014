"""A market for tests."""

from decimal import Decimal
from typing import Final

from loadtest.market import Market

MARKET: Final = Market(
    "BTCUSDT",
    Decimal("0.01000000"),
    Decimal("0.00001000"),
    Decimal("0.00001000"),
    Decimal(5),
    Decimal("65018.23"),
    Decimal("65021.62"),
)
