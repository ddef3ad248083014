"""Marginal slabs: the published tariffs on worked examples, and every limit to the order."""

import pytest

from rules.fees.tariff import Tariff, read_tariff
from rules.units import decimal_text
from tests.rules.fees.fee_world import assess, fee


def with_slabs(text: str) -> Tariff:
    """Return a tariff with a table of slabs."""
    return read_tariff(
        "example", f'description = "x"\nsource = "x"\ncurrency = "EUR"\n[slabs]\n{text}'
    )


def test_borsa_italiana_worked() -> None:
    """1,999 messages and 1 trade: 400 x 0.01 + 500 x 0.02 + 999 x 0.025 = 38.975.

    Messages 101 to 500 are in the first slab, 501 to 1,000 in the second, the rest in the third.
    """
    found = assess(
        "borsa-italiana-2012-mta", {"orders": 1000, "modifies": 0, "cancels": 999, "trades": 1}
    )
    assert [decimal_text(share.excess_e8) for share in found.shares] == ["400", "500", "999"]
    assert [decimal_text(share.fee_e8) for share in found.shares] == ["4", "10", "24.975"]
    assert decimal_text(found.fee_e8) == "38.975"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (199, "0"),
        (200, "0"),
        (201, "0.01"),
        (999, "7.99"),
        (1000, "8"),
        (1001, "8.02"),
        (1999, "27.98"),
        (2000, "28"),
        (2001, "28.025"),
    ],
)
def test_borsa_italiana_at_each_limit(messages: int, expected: str) -> None:
    """With 2 trades the slabs begin at 200, 1,000 and 2,000 messages.

    800 x 0.01 = 8 up to the second limit, 1,000 x 0.02 = 20 more up to the third.
    """
    counted = {"orders": messages, "modifies": 0, "cancels": 0, "trades": 2}
    assert fee("borsa-italiana-2012-mta", **counted) == expected


@pytest.mark.parametrize(("messages", "expected"), [(40, "0"), (41, "0.01"), (401, "5.625")])
def test_borsa_italiana_smaller_market(messages: int, expected: str) -> None:
    """From 40 on: 160 x 0.01 + 200 x 0.02 = 5.6 up to 400 messages, then 0.025 each."""
    counted = {"orders": 0, "modifies": messages, "cancels": 0, "trades": 1}
    assert fee("borsa-italiana-2012-miv", **counted) == expected


@pytest.mark.parametrize(
    ("orders", "expected"), [(749, "0"), (750, "0"), (751, "0.01"), (1000, "2.5")]
)
def test_nasdaq_nordic_2011(orders: int, expected: str) -> None:
    """250 orders to a trade, 3 trades: 750 are free and each further one costs EUR 0.01."""
    assert fee("nasdaq-nordic-2011", orders=orders, modifies=0, trades=3) == expected


@pytest.mark.parametrize(
    ("weighted", "expected"),
    [("199.5", "0"), ("200", "0"), ("200.5", "0.005"), ("300", "1")],
)
def test_nasdaq_nordic_2013_weighs_distance(weighted: str, expected: str) -> None:
    """100 weighted orders to a trade, 2 trades; half an order is half of EUR 0.01."""
    assert fee("nasdaq-nordic-2013", weighted_orders=weighted, trades=2) == expected


@pytest.mark.parametrize(
    ("messages", "in_2012", "in_2018"),
    [
        (499, "0", "0"),
        (500, "0", "0"),
        (501, "0.01", "0.02"),
        (2499, "19.99", "39.98"),
        (2500, "20", "40"),
        (2501, "20.05", "40.1"),
        (4999, "144.95", "289.9"),
        (5000, "145", "290"),
        (5001, "145.05", "290.1"),
    ],
)
def test_nse_at_each_limit(messages: int, in_2012: str, in_2018: str) -> None:
    """10 trades: slabs begin at 500, 2,500 and 5,000 messages.

    2012: 2,000 x 0.01 = 20, then 2,500 x 0.05 = 125. 2018: 2,000 x 0.02 = 40, 2,500 x 0.10 = 250.
    """
    counted = {"orders": 0, "modifies": 0, "cancels": messages, "exempt_orders": 0, "trades": 10}
    assert fee("nse-india-2012", **counted) == in_2012
    assert fee("nse-india-2018", **counted) == in_2018


def test_nse_leaves_out_orders_near_the_last_price() -> None:
    """600 orders and 600 cancels with 400 orders near the price: 800 - 500 = 300, INR 3.00."""
    counted = {"orders": 600, "modifies": 0, "cancels": 600, "exempt_orders": 400, "trades": 10}
    assert fee("nse-india-2012", **counted) == "3"


@pytest.mark.parametrize(("messages", "expected"), [(100, "0"), (101, "0.01")])
def test_no_trade_counts_as_the_floor(messages: int, expected: str) -> None:
    """Without a trade the ratio is that of a single one."""
    counted = {"orders": messages, "modifies": 0, "cancels": 0, "trades": 0}
    assert fee("borsa-italiana-2012-mta", **counted) == expected


@pytest.mark.parametrize(("messages", "expected"), [(999, "0"), (1000, "9"), (1001, "9.01")])
def test_minimum_count(messages: int, expected: str) -> None:
    """Below the minimum nothing is charged, from it on everything above the limit."""
    tariff = with_slabs(
        'count = { orders = "1" }\nbase = { trades = "1" }\nminimum = "1000"\n'
        'slabs = [{ above = "100", fee = "0.01" }]'
    )
    assert fee(tariff, orders=messages, trades=1) == expected


def test_weights_count_a_modification_twice() -> None:
    """RTS 9: 10 entries, 20 modifications at 2 and 5 cancels are 55; 45 above 10 cost 45."""
    tariff = with_slabs(
        'count = { orders = "1", modifies = "2", cancels = "1" }\nbase = { trades = "1" }\n'
        'slabs = [{ above = "10", fee = "1" }]'
    )
    assert fee(tariff, orders=10, modifies=20, cancels=5, trades=1) == "45"


def test_more_exempt_than_counted_is_nothing() -> None:
    """What is taken off never makes the count negative."""
    counted = {"orders": 1, "modifies": 0, "cancels": 0, "exempt_orders": 2, "trades": 1}
    assert assess("nse-india-2012", counted).measured_e8 == 0


def test_fractions_of_a_limit_are_exact() -> None:
    """0.00000001 above x 0.5 of a trade begins at 5e-9: 1 message has 0.999999995 above it."""
    tariff = with_slabs(
        'count = { orders = "1" }\nbase = { traded_volume = "1" }\nbase_floor = "0"\n'
        'slabs = [{ above = "0.00000001", fee = "1" }]'
    )
    assert fee(tariff, orders=1, traded_volume="0.5") == "0.99999999"
