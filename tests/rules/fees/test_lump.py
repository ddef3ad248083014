"""The excess-quote charge of the Korea Exchange: both limits, each to the quote."""

import pytest

from tests.rules.fees.fee_world import fee


def charge(quotes: int, contracts: int | str) -> str:
    """Return the charge for a day of a product."""
    counted = {"orders": quotes, "modifies": 0, "cancels": 0, "traded_volume": contracts}
    return fee("krx-excess-quotes-2015", **counted)


@pytest.mark.parametrize(
    ("quotes", "expected"), [(99_999, "0"), (100_000, "1000000"), (100_001, "1000000")]
)
def test_number_of_quotes(quotes: int, expected: str) -> None:
    """100,000 quotes for 100 contracts, a ratio of 1,000, are charged; one less is not."""
    assert charge(quotes, 100) == expected


@pytest.mark.parametrize(
    ("quotes", "expected"), [(149_999, "0"), (150_000, "1000000"), (150_001, "1000000")]
)
def test_ratio(quotes: int, expected: str) -> None:
    """10,000 contracts: 150,000 quotes are the ratio 15 exactly, and 15 is charged."""
    assert charge(quotes, 10_000) == expected


def test_no_contract_counts_as_one() -> None:
    """100,000 quotes without a trade are charged, 99,999 are not."""
    assert charge(100_000, 0) == "1000000"
    assert charge(99_999, 0) == "0"


def test_every_quote_counts() -> None:
    """40,000 entries, 30,000 modifications and 30,000 cancels are 100,000 quotes."""
    counted = {"orders": 40_000, "modifies": 30_000, "cancels": 30_000, "traded_volume": 1}
    assert fee("krx-excess-quotes-2015", **counted) == "1000000"
