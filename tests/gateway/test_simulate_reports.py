"""What a simulation reports of each rule, of trades with two prices, and of orders from outside."""

from pathlib import Path
from typing import Any

from gateway.flows.course import chart
from gateway.flows.participants import Participants
from gateway.flows.reader import Flow, read_flow
from gateway.simulate import simulate
from rules.rulebook import parse_rulebook
from rules.values import E8

SECOND = 1_000_000_000
MS = 1_000_000
HEADER = "ts_ns,event,order_id,side,price,qty,flag,symbol,account,key,ip,channel"
RULEBOOK = """
name = "test"
[rules.known_order]
mode = "enforce"
[rules.resting_time]
mode = "enforce"
minimum = "500ms"
[rules.matched_trades]
mode = "enforce"
[rules.concentration]
mode = "shadow"
orders_least = 40
trades_least = 1000000
"""


def flow_of(tmp_path: Path, *lines: str) -> Flow:
    """Return a flow; lines leave the time's thousands of seconds and empty columns out."""
    path = tmp_path / "flow.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return read_flow(path)


def line(at_ms: int, event: str, order: str, side: str, price: str, **fields: str) -> str:
    """Return a row; quantity is 2 unless told."""
    named = {"qty": "2", "flag": "", "account": "ann", "channel": "rest", **fields}
    account = named["account"]
    return (
        f"{SECOND + at_ms * MS},{event},{order},{side},{price},{named['qty']},{named['flag']},"
        f"ABC,{account},{account}-{named['channel']},127.0.0.1,{named['channel']}"
    )


def figures_of(flow: Flow) -> dict[str, Any]:
    """Simulate with the flow's own accounts."""
    rulebook = parse_rulebook("test", {"test": RULEBOOK})
    return simulate(flow, rulebook, Participants("flow"))


def test_a_trade_with_two_prices_was_at_the_older_orders(tmp_path: Path) -> None:
    """Each side states its own limit; the resting one made the price, whichever row is first."""
    flow = flow_of(
        tmp_path,
        line(0, "new", "a", "sell", "100"),
        line(10, "new", "b", "buy", "120", account="bob"),
        line(20, "fill", "b", "buy", "120", account="bob"),
        line(22, "fill", "a", "sell", "100"),
        line(30, "new", "c", "buy", "90"),
        line(40, "new", "d", "sell", "80", account="bob"),
        line(50, "fill", "c", "buy", "90"),
        line(150, "fill", "d", "sell", "80", account="bob"),
    )
    assert chart(flow).prices_e8 == {2: 100 * E8, 3: 100 * E8, 6: 90 * E8, 7: 90 * E8}


def test_rows_that_are_no_pair_keep_their_prices(tmp_path: Path) -> None:
    """Too far apart, of other sizes, of one side, or with flags: each row says what it says."""
    flow = flow_of(
        tmp_path,
        line(0, "fill", "a", "sell", "100"),
        line(101, "fill", "b", "buy", "120"),
        line(110, "fill", "c", "sell", "100", qty="1"),
        line(111, "fill", "d", "sell", "120", qty="1"),
        line(112, "fill", "e", "buy", "100", flag="T"),
        line(113, "fill", "f", "sell", "120", flag="M"),
    )
    assert chart(flow).prices_e8 == {}


def test_hits_owners_and_doubtful_ones_by_rule(tmp_path: Path) -> None:
    """An order that traded and was cancelled too young stands out as doubtful."""
    lines = [line(0, "new", "z", "sell", "100", account="zoe")]
    for number in range(3):
        start = 1_000 * number
        lines += [
            line(start + 1, "new", f"a{number}", "buy", "90"),
            line(start + 100, "cancel", f"a{number}", "buy", "90"),
        ]
    lines += [
        line(5_000, "new", "b", "buy", "91", account="bob", qty="4"),
        line(5_100, "fill", "b", "buy", "91", account="bob", qty="1", flag="M"),
        line(5_200, "cancel", "b", "buy", "91", account="bob"),
    ]
    (report,) = (
        one
        for one in figures_of(flow_of(tmp_path, *lines))["rules"]
        if one["rule"] == "resting_time"
    )
    assert (report["mode"], report["hits"], report["alerts"]) == ("enforce", 4, 0)
    assert report["per_million_orders"] == 4 * 1_000_000 // 5
    assert (report["owners_hit"], report["owners_seen"]) == (2, 3)
    assert [(one["owner"], one["hits"]) for one in report["most_hit"]] == [("ann", 3), ("bob", 1)]
    assert report["doubtful"] == {
        "hits_of_orders_that_traded": 1,
        "hits_of_market_makers": 0,
        "owners_hit_rarely": 0,
        "hits_of_owners_hit_rarely": 0,
    }
    assert report["examples"][0]["observed"].startswith("99")


def test_one_hit_of_a_hundred_messages_is_doubtful(tmp_path: Path) -> None:
    """A pattern would show more often."""
    for messages, rarely in ((99, 0), (100, 1)):
        lines = [line(0, "new", "a", "buy", "90"), line(1, "cancel", "a", "buy", "90")]
        lines += [line(1_000 + n, "new", f"o{n}", "buy", "90") for n in range(messages - 2)]
        rules = figures_of(flow_of(tmp_path, *lines))["rules"]
        (report,) = (one for one in rules if one["rule"] == "resting_time")
        assert report["doubtful"]["owners_hit_rarely"] == rarely


def test_orders_of_other_channels_are_told_as_a_drop_copy(tmp_path: Path) -> None:
    """A trade of one by hand with himself through the gate is an alert with its time."""
    figures = figures_of(
        flow_of(
            tmp_path,
            line(0, "new", "a", "sell", "100", channel="app"),
            line(400, "new", "b", "buy", "100"),
            line(450, "fill", "b", "buy", "100", flag="T"),
            line(450, "fill", "a", "sell", "100", flag="M", channel="app"),
        )
    )
    assert figures["orders"] == 1
    (alert,) = (one for one in figures["alerts"] if one["rule"] == "matched_trades")
    assert (alert["who"], alert["symbol"], alert["shadow"]) == ("ann", "ABC", False)
    assert alert["at_ns"] == SECOND + 450 * MS
    assert alert["evidence"] >= 2
    assert figures["alerts_by_rule"] == {"matched_trades": 1}


def test_shadow_rules_alert_and_move_nothing(tmp_path: Path) -> None:
    """What a rule in shadow tells is marked, and no measure follows."""
    lines = [line(n, "new", f"o{n}", "buy", "90") for n in range(4)]
    figures = figures_of(flow_of(tmp_path, *lines))
    assert figures["alerts_by_rule"] == {"concentration": 1}
    assert all(alert["shadow"] for alert in figures["alerts"])
    assert figures["measures"] == []


def test_rebuilt_takers_are_in_no_report(tmp_path: Path) -> None:
    """Nobody recorded their orders, so no alert tells of them."""
    lines = [line(0, "new", "a", "sell", "100", qty="40")]
    lines += [line(10 * n, "fill", "a", "sell", "100", flag="M", qty="1") for n in range(1, 31)]
    figures = figures_of(flow_of(tmp_path, *lines))
    assert figures["takers"]["orders"] == 30
    assert figures["alerts"] == []
