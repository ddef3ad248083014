"""The share of turnover by API as a metric, by symbol and owner."""

from gateway.directory import Directory
from gateway.telemetry import Telemetry
from gateway.turnover import API_TURNOVER, API_TURNOVER_LABELS, API_TURNOVER_TEXT, api_turnovers
from rules.events import DefineSymbol, Event
from rules.values import BUY, SYMBOL_TRADING
from tests.rules.conduct.conduct_world import SYMBOL, Market

RULES = {"concentration": {"mode": "shadow"}}


class Desk:
    """A market with names."""

    def __init__(self, market: Market) -> None:
        self.pipeline = market.pipeline
        self.directory = Directory(self._define)
        self._market = market
        self.directory.on_event(DefineSymbol(SYMBOL, "ABC", 1, 2, SYMBOL_TRADING, 0))

    def now_ns(self) -> int:
        """Return the market's time."""
        return self._market.now_ns

    def _define(self, event: Event) -> None:
        raise AssertionError(event)


def test_shares_by_symbol_and_owner() -> None:
    """By hand, through the gate, and linked owners together as their group."""
    market = Market(RULES)
    market.link(2, 3)
    market.take(1, BUY, 1_000, 3)
    market.outside_trade(1_000, 1, BUY, 1, 0)
    market.take(2, BUY, 1_000, 1)
    market.outside_trade(1_000, 3, BUY, 3, 0)
    assert dict(api_turnovers(Desk(market))) == {
        ("ABC", ""): 0.5,
        ("ABC", "1"): 0.75,
        ("ABC", "-1"): 0.25,
    }


def test_a_hundredth_at_its_boundary() -> None:
    """Who has exactly a hundredth of a symbol's turnover is shown, and with less no more."""
    market = Market(RULES)
    desk = Desk(market)
    market.outside_trade(1, 1, BUY, 1, 0)
    market.outside_trade(1, 99, BUY, 2, 0)
    assert {owner for (_, owner), _ in api_turnovers(desk)} == {"", "1", "2"}
    market.outside_trade(1, 1, BUY, 2, 0)
    assert {owner for (_, owner), _ in api_turnovers(desk)} == {"", "2"}


def test_it_is_published() -> None:
    """As a gauge with both labels, read when it is scraped."""
    market = Market(RULES)
    desk = Desk(market)
    telemetry = Telemetry()
    try:
        telemetry.shares(
            API_TURNOVER, API_TURNOVER_TEXT, API_TURNOVER_LABELS, lambda: api_turnovers(desk)
        )
        assert "api_turnover{" not in telemetry.exposition().decode()
        market.take(1, BUY, 1_000)
        market.outside_trade(1_000, 1, BUY, 1, 0)
        text = telemetry.exposition().decode()
    finally:
        telemetry.close()
    assert 'ordergate_api_turnover{owner="1",symbol="ABC"} 0.5' in text.splitlines()


def test_without_the_rule_nothing_is_shown() -> None:
    """Turnover is counted where shares of a symbol's day are."""
    assert list(api_turnovers(Desk(Market({})))) == []
