"""Limits and observed values are shown in the unit people know."""

import pytest

from gateway.logview.measures import measured
from rules.values import NS_PER_DAY, NS_PER_MS, NS_PER_SECOND


@pytest.mark.parametrize(
    ("value", "rule", "reason", "shown"),
    [
        (1_000_000, "price_filter", "PRICE_TICK", "0.01"),
        (6_000_000_100_000, "price_filter", None, "60000.001"),
        (0, "balance", "INSUFFICIENT_BALANCE", "0"),
        ("123456789012345678901", "order_value", "ORDER_VALUE", "1234567890123.45678901"),
        (5 * NS_PER_SECOND, "recv_window", None, "5s"),
        (-500 * NS_PER_MS, "recv_window", "TIMESTAMP_EXPIRED", "-500ms"),
        (0, "recv_window", None, "0"),
        (999_999, "recv_window", None, "999999ns"),
        (NS_PER_MS + 1, "recv_window", None, "1.000001ms"),
        (303_967_629, "recv_window", None, "303.967629ms"),
        (-NS_PER_SECOND - 21_672_080, "recv_window", None, "-1.02167208s"),
        (60 * NS_PER_SECOND - 1, "recv_window", None, "59.999999999s"),
        (NS_PER_SECOND, "stop_state", "STATE_SLOW", "1s"),
        (2, "stop_state", None, "2"),
        (100, "order_count", None, "100"),
        (400 * NS_PER_DAY, "recv_window", "TIMESTAMP_INVALID", str(400 * NS_PER_DAY)),
        (20_000 * NS_PER_DAY, "recv_window", "TIMESTAMP_INVALID", "2024-10-04T00:00:00.000000000Z"),
        (10**18, "key_standing", None, "2001-09-09T01:46:40.000000000Z"),
        (10**18 - 1, "key_standing", None, str(10**18 - 1)),
        (3_000_000, "fictitious_bids", "CONDUCT_LIMIT", "0.03"),
        (6_500_000_000_000, "target_ramp", None, "65000"),
        (5 * NS_PER_SECOND, "tape_painting", "CONDUCT_LIMIT", "5s"),
        (3, "tape_painting", "RULE_FAULT", "3"),
        (2, "conduct_standing", "CONDUCT_LIMIT", "warning"),
        (5, "conduct_standing", None, "kill"),
        (6, "conduct_standing", None, "6"),
        (4, "stop_state", "STATE_KILLED", "KILLED"),
        (1, "stop_state", "STATE_CANCEL_ONLY", "SLOW"),
        ("none", "order_to_trade", None, "none"),
        ("no fault", "price_filter", "RULE_FAULT", "no fault"),
        (7, "a rule of another version", None, "7"),
    ],
)
def test_units(value: int | str, rule: str, reason: str | None, shown: str) -> None:
    """The unit is the reason's, or the rule's own where it passed."""
    assert measured(value, rule, reason) == shown
