"""The benchmark of REST requests measures what it says, and says what it left out."""

import pytest

from tests.bench.rest import ELSEWHERE, ORDER, doubts, measure, ratios, stages
from tests.bench.rest_client import drive
from tests.bench.rest_servers import (
    ASSEMBLED,
    GATE,
    GATE_INTERPRETED,
    NGINX,
    NGINX_LUA,
    ROOT,
    WHOLE_ASSEMBLED,
    compiled,
    servers,
)


def test_the_gate_and_the_stack_from_parts_are_measured() -> None:
    """Orders are accepted by both, at one connection and at many; refusals are rows of their own."""
    measured = [one for one in servers() if one.name in (ASSEMBLED, GATE)]
    assert not any(one.missing for one in measured)
    lines = measure([1, 64], requests=256, rounds=1, measured=measured)
    found = [(one["server"], one["what"], one["connections"]) for one in lines]
    assert found == [
        (ASSEMBLED, ORDER, 1),
        (ASSEMBLED, ORDER, 64),
        (GATE, ORDER, 1),
        (GATE, "refusal", 1),
        (GATE, "ping", 1),
        (GATE, ORDER, 64),
        (GATE, "refusal", 64),
        (GATE, "ping", 64),
    ]
    for line in lines:
        assert line["accepted_share"] == (0 if line["what"] == "refusal" else 1)
        assert line["cpu_us"] > 0
        assert line["us_p50"] <= line["us_p99"]
    (compared,) = ratios(lines)
    assert compared["ratio"] > 0


def test_nginx_is_measured_where_it_is_installed() -> None:
    """Each of its two kinds answers signed orders with 200, or says what is missing."""
    for server in servers():
        if server.name in (NGINX, NGINX_LUA) and not server.missing:
            (line,) = measure([2], requests=64, rounds=1, measured=[server])
            assert line["accepted_share"] == 1
    missing = {one.name for one in servers() if one.missing}
    assert missing <= {NGINX, NGINX_LUA, GATE_INTERPRETED}
    assert (GATE_INTERPRETED in missing) is not compiled()


def test_ratios() -> None:
    """How many times faster is how many times less of the processor."""
    lines = [_line(NGINX, 10.0), _line(NGINX_LUA, 34.0), _line(ASSEMBLED, 200.0), _line(GATE, 40.0)]
    assert [one["ratio"] for one in ratios(lines)] == [5.0, 0.85]


@pytest.mark.parametrize(
    ("name", "figure", "connections", "times"),
    [
        (NGINX_LUA, "cpu_us", 64, 28 / 8.3),
        (NGINX_LUA, "us_p50", 1, 158 / 79),
        (WHOLE_ASSEMBLED, "cpu_us", 64, 202 / 8.3),
        (WHOLE_ASSEMBLED, "us_p50", 1, 337 / 79),
    ],
)
def test_a_strange_baseline_is_named(
    name: str, figure: str, connections: int, times: float
) -> None:
    """It is doubted when its ratio to nginx is more than 30 % off what it was elsewhere."""
    for off, doubted in ((0.69, True), (0.71, False), (1.0, False), (1.29, False), (1.31, True)):
        lines = [
            _line(NGINX, 10.0, connections, figure),
            _line(name, 10.0 * times * off, connections, figure),
        ]
        found = doubts(lines)
        assert len(found) == doubted
        assert all(f"of {name}, connections: {connections}: " in doubt for doubt in found)


def test_baselines_without_nginx_are_named() -> None:
    """Without a floor nothing can be held against it, and the run says so."""
    (doubt,) = doubts([_line(NGINX_LUA, 34.0), _line(GATE, 40.0)])
    assert doubt.endswith(f"nothing to hold it against, since {NGINX} has no row")


def test_the_documented_figures_are_those_baselines_are_held_against() -> None:
    """docs/performance.md has a line for each of them."""
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for name, figures in ELSEWHERE.items():
        assert f"| {name} | {figures['cpu_us']:g} | {figures['us_p50']:g} |" in text


def _line(
    server: str, value: float, connections: int = 64, figure: str = "cpu_us"
) -> dict[str, object]:
    figures = {"cpu_us": 1.0, "us_p50": 1.0} | {figure: value}
    return {"server": server, "what": ORDER, "connections": connections, **figures}


def test_lua_refuses_a_wrong_signature() -> None:
    """The yardstick does what it is said to do: it verifies before it passes on."""
    for server in servers():
        if server.name == NGINX_LUA and not server.missing:
            with server.start() as (_, port, orders, *_):
                right = orders.plan(0, 1)[0]
                wrong = right.replace(b"quantity=0.001", b"quantity=0.002")
                assert drive(port, [[right, wrong]]).statuses == {200: 1, 401: 1}


def test_the_stack_from_parts_refuses_what_it_should() -> None:
    """It verifies signatures, and asks its checks before its book."""
    (server,) = (one for one in servers() if one.name == ASSEMBLED)
    with server.start() as (_, port, orders, *_):
        right, off_tick = orders.plan(0, 1)[0], orders.off_tick(1, 1)[0]
        wrong = right.replace(b"quantity=0.001", b"quantity=0.002")
        driven = drive(port, [[right, wrong, right, off_tick]])
    assert driven.statuses == {200: 1, 401: 1, 400: 2}


def test_the_budget_of_an_order_adds_up() -> None:
    """From a gate that traces: every order is in it, and its stages make up the whole."""
    answer = stages(4, 64)
    assert answer.traced
    assert answer.requests == 64
    *parts, whole = (line.total_ns for line in answer.stages)
    assert sum(parts) == whole
