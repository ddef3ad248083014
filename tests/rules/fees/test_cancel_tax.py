"""The Italian and French taxes on cancelled volume, by the law's formulas."""

import pytest

from rules.units import decimal_text
from tests.rules.fees.fee_world import assess, fee


def italian(cancelled: int | str, modified: int, entered: int, price: int | str) -> str:
    """Return the Italian tax."""
    counted = {
        "cancelled_fast": cancelled,
        "modified_fast": modified,
        "ordered_volume": entered,
        "average_price": price,
    }
    return fee("italy-hft-tax-2013", **counted)


def test_italian_worked() -> None:
    """E = 9,000, M = 1,000, C = 7,000 at EUR 5.

    R = 8,000 / 10,000 = 80 %, above 60 %. Taxed are 8,000 - 0.60 x 10,000 = 2,000 shares;
    2,000 x EUR 5 x 0.0002 = EUR 2.00.
    """
    assert italian(7_000, 1_000, 9_000, 5) == "2"


@pytest.mark.parametrize(("cancelled", "expected"), [(5_999, "0"), (6_000, "0"), (6_001, "0.002")])
def test_italian_at_the_limit(cancelled: int, expected: str) -> None:
    """60 % of 10,000 entered is free; one share above at EUR 10 costs 10 x 0.0002."""
    assert italian(cancelled, 0, 10_000, 10) == expected


@pytest.mark.parametrize(("changed", "expected"), [(7_999, "0"), (8_000, "0"), (8_001, "0.001")])
def test_french_at_the_limit(changed: int, expected: str) -> None:
    """80 % of 10,000 is free; one share above at EUR 10 costs 10 x 0.0001."""
    counted = {
        "cancelled_volume": changed,
        "modified_volume": 0,
        "ordered_volume": 10_000,
        "average_price": 10,
    }
    assert fee("france-hft-tax-2012", **counted) == expected


def test_french_worked() -> None:
    """E = 90,000, M = 10,000, C = 85,000 at EUR 20: 95,000 - 80,000 = 15,000 above; EUR 30."""
    counted = {
        "cancelled_volume": 85_000,
        "modified_volume": 10_000,
        "ordered_volume": 90_000,
        "average_price": 20,
    }
    assert fee("france-hft-tax-2012", **counted) == "30"


def test_price_of_several_rows_is_weighted_by_what_was_entered() -> None:
    """3,000 at EUR 10 and 1,000 at EUR 20 average EUR 12.50.

    All 4,000 cancelled: 4,000 - 2,400 = 1,600 x 12.50 x 0.0002 = EUR 4.00.
    """
    rows = [
        {"cancelled_fast": 3000, "modified_fast": 0, "ordered_volume": 3000, "average_price": 10},
        {"cancelled_fast": 1000, "modified_fast": 0, "ordered_volume": 1000, "average_price": 20},
    ]
    assert decimal_text(assess("italy-hft-tax-2013", *rows).fee_e8) == "4"


def test_nothing_entered() -> None:
    """Orders of the day before, cancelled: nothing is free, 100 x EUR 10 x 0.0002 = 0.20."""
    assert italian(100, 0, 0, 10) == "0.2"
    assert italian(0, 0, 0, 10) == "0"


def test_the_smallest_volume_does_not_fail() -> None:
    """One unit of 1e-8 cancelled is below what can be charged."""
    assert italian("0.00000001", 0, 0, 1) == "0"
