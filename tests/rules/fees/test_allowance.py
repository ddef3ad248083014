"""A fee on what is above a limit: the plain one on cancels, and Eurex's that grows with volume."""

import pytest

from tests.rules.fees.fee_world import assess, fee


@pytest.mark.parametrize(
    ("cancels", "expected"), [(9_999, "0"), (10_000, "0"), (10_001, "0.01"), (25_000, "150")]
)
def test_punitive_fee(cancels: int, expected: str) -> None:
    """10,000 cancels are free: (25,000 - 10,000) x 0.01 = 150."""
    assert fee("punitive-cancels", cancels=cancels) == expected


@pytest.mark.parametrize(
    ("transactions", "expected"),
    [(112_999, "0"), (113_000, "0"), (113_001, "0.01"), (200_000, "870")],
)
def test_eurex_limit_grows_with_volume(transactions: int, expected: str) -> None:
    """Limit = 100,000 + 500 x 20 passive + 300 x 10 aggressive = 113,000.

    (200,000 - 113,000) x 0.01 = 870.
    """
    counted = {
        "orders": transactions,
        "modifies": 0,
        "cancels": 0,
        "passive_volume": 500,
        "aggressive_volume": 300,
    }
    assert fee("eurex-excessive-usage", **counted) == expected


def test_passive_volume_raises_the_limit_more() -> None:
    """The same volume, passive, allows more transactions than aggressive."""
    none = {"orders": 0, "modifies": 0, "cancels": 0, "passive_volume": 0, "aggressive_volume": 0}
    passive = assess("eurex-excessive-usage", none | {"passive_volume": 10})
    aggressive = assess("eurex-excessive-usage", none | {"aggressive_volume": 10})
    assert passive.base_e8 - aggressive.base_e8 == 100 * 10**8
