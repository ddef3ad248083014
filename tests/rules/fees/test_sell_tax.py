"""A tax on the value of sells."""

import pytest

from tests.rules.fees.fee_world import fee


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0", "0"), ("100000", "50"), ("0.00002", "0.00000001"), ("0.00001999", "0")],
)
def test_chinese_stamp_duty(value: str, expected: str) -> None:
    """0.05 % of CNY 100,000 is CNY 50; less than 1e-8 is rounded down."""
    assert fee("china-stamp-2023", sold_value=value) == expected
