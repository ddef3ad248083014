"""The parts of the assembled stack check and match; a sketch stands in for what is not installed."""

from collections.abc import Callable, Iterator

import pytest

from tests.bench.assembled_parts import (
    LACKING,
    MATCHING_ENGINE,
    RISK_ENGINE,
    Book,
    Checks,
    DecimalChecks,
    LightBook,
    RiskEngineChecks,
    SortedBook,
)

needs_risk_engine = pytest.mark.skipif(
    RISK_ENGINE in LACKING, reason=f"{RISK_ENGINE} is not installed (.[bench])"
)
needs_matching_engine = pytest.mark.skipif(
    MATCHING_ENGINE in LACKING, reason=f"{MATCHING_ENGINE} is not installed (.[bench])"
)


def _numbered() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"order-{number}"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: RiskEngineChecks(["one", "two"]), marks=needs_risk_engine),
        DecimalChecks,
    ],
)
def test_orders_are_checked(make: Callable[[], Checks]) -> None:
    """Tick, step and smallest value, at the boundary, on both sides and for every account."""
    checks, names = make(), _numbered()
    cases = {
        ("0.001", "65000.00"): True,
        ("0.001", "65000.01"): True,
        ("0.001", "65000.001"): False,
        ("0.00101", "65000.00"): True,
        ("0.001001", "65000.00"): False,
        ("0.001", "5000.00"): True,
        ("0.001", "4999.99"): False,
    }
    for account in ("one", "two"):
        for side in ("BUY", "SELL"):
            for (quantity, price), right in cases.items():
                assert checks.passes(account, side, quantity, price, next(names)) is right


@needs_risk_engine
def test_the_risk_engine_knows_balances_and_the_largest_order() -> None:
    """An order may take all that is free, no more; its largest quantity and value are limits."""
    from tests.bench.risk_engine import AccountRisk

    def reason(risk: AccountRisk, side: str, quantity: str, price: str) -> str | None:
        command = risk.command(side, quantity, price, next(names))
        risk.execute(command)
        return risk.outcome(command)

    names = _numbered()
    poor = AccountRisk(1, btc=2, usdt=1_000)
    assert reason(poor, "BUY", "1", "1000.00") is None
    assert "EXCEEDS_FREE_BALANCE" in (reason(poor, "BUY", "1", "1000.01") or "")
    assert reason(poor, "SELL", "2", "1000.00") is None
    assert "EXCEEDS_FREE_BALANCE" in (reason(poor, "SELL", "2.00001", "1000.00") or "")
    rich = AccountRisk(2)
    assert reason(rich, "BUY", "9000", "1000.00") is None
    assert "GREATER_THAN_MAX" in (reason(rich, "BUY", "9000", "1000.01") or "")
    assert "maximum trade size" in (reason(rich, "BUY", "9000.00001", "1.00") or "")


@pytest.mark.parametrize("make", [pytest.param(LightBook, marks=needs_matching_engine), SortedBook])
def test_orders_rest_and_are_cancelled_once(make: Callable[[], Book]) -> None:
    """Orders of one level and of others are told apart, and each is cancelled at most once."""
    book = make()
    amounts = (("BUY", "64000.00"), ("BUY", "64000.00"), ("BUY", "64000.01"), ("SELL", "65000.00"))
    orders = [book.place(side, "0.001", price) for side, price in amounts]
    numbers = [order.order_id for order in orders if order is not None]
    assert len(set(numbers)) == len(amounts)
    for order in orders:
        assert book.cancel(order)
        assert not book.cancel(order)


@needs_matching_engine
def test_light_book_matches() -> None:
    """What has filled can't be cancelled; what is left of an order can."""
    book = LightBook()
    first, second = (book.place("SELL", "0.001", "65000.00") for _ in range(2))
    taker = book.place("BUY", "0.00150", "65000.00")
    assert not book.cancel(taker)
    assert not book.cancel(first)
    assert book.cancel(second)
