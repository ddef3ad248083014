"""What is sent: shares, prices, and cancels of orders that were placed."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.market import read_markets
from loadtest.profile import Profile, load_profile, shipped_profiles
from loadtest.schedule import constant
from loadtest.signing import Key
from loadtest.units import NS_PER_MS, NS_PER_SECOND, LoadTestError
from loadtest.workload import Intent, Placement, Workload
from tests.loadtest.markets import MARKET

KEYS = [Key("a" * 64, "secret-a"), Key("b" * 64, "secret-b")]


def planned(profile: Profile, count: int = 2_000, seed: int = 1) -> list[Intent]:
    """Requests at 1,000 a second."""
    times = constant(Fraction(1_000), count * NS_PER_MS)
    return list(Workload(profile, [MARKET], KEYS, seed, "t").plan(times))


def test_requests_are_numbered_and_due_in_order() -> None:
    """Each request knows its place and its moment; keys take turns."""
    for number, intent in enumerate(planned(load_profile("place-only"), 500)):
        assert intent.number == number
        assert intent.at_ns == number * NS_PER_MS
        assert intent.key == KEYS[number % 2]


@pytest.mark.parametrize("name", shipped_profiles())
def test_cancels_name_orders_that_are_old_enough(name: str) -> None:
    """A cancel is of an earlier order of the same key, once, after `cancel_after`."""
    profile = load_profile(name)
    placed: dict[str, Placement] = {}
    intents = planned(profile)
    for intent in intents:
        if isinstance(intent, Placement):
            assert intent.client_order_id not in placed
            placed[intent.client_order_id] = intent
        else:
            assert placed.pop(intent.placement.client_order_id) == intent.placement
            assert intent.at_ns - intent.placement.at_ns >= profile.cancel_after_ns
            assert not intent.placement.crosses
    counts = Counter(type(intent) for intent in intents[400:])
    share = 100 * counts[Placement] / counts.total()
    assert share == pytest.approx(profile.place_percent, abs=4)


@given(st.integers(0, 10**6), st.integers(0, 100), st.integers(0, 5_000))
def test_prices_are_on_the_grid_and_on_their_side(seed: int, cross: int, spread: int) -> None:
    """Resting orders do not cross the market, crossing ones do, all meet the filters."""
    profile = Profile(
        place_percent=100, cross_percent=cross, spread_bps_min=spread, spread_bps_max=5_000
    )
    for order in planned(profile, 20, seed):
        assert isinstance(order, Placement)
        price, quantity = Decimal(order.price), Decimal(order.quantity)
        assert price % MARKET.tick == 0
        assert quantity % MARKET.step == 0
        assert price * quantity >= MARKET.notional_min
        if order.crosses:
            assert price >= MARKET.ask if order.buys else price <= MARKET.bid
        else:
            assert price <= MARKET.bid if order.buys else price >= MARKET.ask


def test_the_seed_is_all_there_is_to_chance() -> None:
    """The same seed draws the same requests, another one others."""
    profile = load_profile("mixed")
    assert planned(profile, 300) == planned(profile, 300)
    assert planned(profile, 300) != planned(profile, 300, seed=2)


def test_profiles_say_all_that_is_wrong(tmp_path: Path) -> None:
    """Every fault of a file is told at once; unknown fields and names are faults."""
    path = tmp_path / "odd.toml"
    path.write_text(
        "place_percent = 101\ncross_percent = -1\nspread_bps_min = 9\nspread_bps_max = 8\n"
        'notional = "0"\ncancel_after = "soon"\narrivals = "sometimes"\n'
    )
    with pytest.raises(LoadTestError) as error:
        load_profile(str(path))
    for part in ("101", "-1", "spread_bps_min 9", "`0`", "`soon`", "`sometimes`"):
        assert part in str(error.value)
    path.write_text("place_percent = 0\n")
    with pytest.raises(LoadTestError, match="leaves nothing to cancel"):
        load_profile(str(path))
    path.write_text("place_percent = 5\nplaces = 6\n")
    with pytest.raises(LoadTestError, match="places"):
        load_profile(str(path))
    with pytest.raises(LoadTestError, match="there is no profile `none`; use cancel-heavy"):
        load_profile("none")
    path.write_text("place_percent = 5\n")
    assert load_profile(str(path)).name == "odd"


def info(**changes: Any) -> dict[str, Any]:
    """An exchangeInfo of two symbols, the first one without prices."""
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.002"},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ]
    entry = {"status": "TRADING", "filters": filters}
    return {"symbols": [{"symbol": "NONE", **entry}, {"symbol": "ABC", **entry, **changes}]}


TICKERS = [{"symbol": "ABC", "bidPrice": "9.99", "askPrice": "10.01"}]


def test_market_is_read_from_the_target() -> None:
    """The first symbol with prices is taken; its filters bound prices and quantities."""
    (market,) = read_markets(info(), TICKERS, [])
    assert (market.symbol, market.bid, market.ask) == ("ABC", Decimal("9.99"), Decimal("10.01"))
    assert market.quantity_text(Decimal(1), Decimal(10)) == "0.600"
    assert market.quantity_text(Decimal(20), Decimal(10)) == "2.000"
    assert market.quantity_text(Decimal(20), Decimal(100_000)) == "0.002"
    assert market.price_text(Decimal("1.234"), up=True) == "1.24"
    assert market.price_text(Decimal("1.234"), up=False) == "1.23"
    assert market.price_text(Decimal("0.001"), up=False) == "0.01"


def test_a_market_that_is_not_there_is_an_error() -> None:
    """Unknown and unpriced symbols, halts and strange answers are told."""
    with pytest.raises(LoadTestError, match=r"`XYZ` does not trade .* there is ABC"):
        read_markets(info(), TICKERS, ["XYZ"])
    with pytest.raises(LoadTestError, match="no symbol of the target"):
        read_markets(info(status="HALT"), TICKERS, [])
    with pytest.raises(LoadTestError, match="can't be read"):
        read_markets({"code": -1}, TICKERS, [])
    assert NS_PER_SECOND == 1_000 * NS_PER_MS
