"""Ratios and fees of a whole gate: what a key and an operator are shown, and what is posted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from gateway.app import Gate
from gateway.clock import ManualClock
from gateway.journal import find_run, read_run
from gateway.replay import replay
from rules.events import PostFees
from rules.values import NS_PER_DAY
from tests.gateway.gate_world import Client, config, running

RULEBOOK = """
extends = "eu-conduct"

[rules.resting_time]
mode = "off"

[rules.price_collar]
last_max_age = "48h"

[rules.order_to_trade]
max_number = "20"
minimum_orders = 4
notice = "0.2"

[rules.cancel_fees]
tariffs = ["plain"]

[tariffs.plain]
description = "each cancel above 2 costs EUR 1.50"
source = "the test"
currency = "EUR"
allowance = { count = { cancels = "1" }, limit = "2", fee = "1.5" }
"""


@asynccontextmanager
async def gate_of(tmp_path: Path) -> AsyncIterator[Gate]:
    """Run a gate that charges by the test's tariff, with a clock that is moved by hand."""
    rulebook = tmp_path / "charging.toml"
    rulebook.write_text(RULEBOOK)
    data = tmp_path / "data"
    async with running(config(data, rulebook=str(rulebook), clock="manual")) as gate:
        yield gate


async def trade_and_cancel(client: Client, cancels: int) -> None:
    """Place and cancel so many orders."""
    for _ in range(cancels):
        assert (await client.place()).status == 200
        assert (await client.cancel_all()).status == 200


async def admin(gate: Gate, path: str) -> tuple[int, Any]:
    """Ask the admin port."""
    url = f"http://127.0.0.1:{gate.ports['admin']}{path}"
    headers = {"Authorization": f"Bearer {gate.admin_token}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.json()


def next_day(gate: Gate) -> None:
    """Move the clock to the start of the next day, UTC."""
    assert isinstance(gate.clock, ManualClock)
    gate.clock.advance(NS_PER_DAY - gate.clock.now_ns() % NS_PER_DAY)


def test_a_key_sees_how_its_owner_stands(tmp_path: Path) -> None:
    """Three orders and three cancels: 6 - 1 = 5 of 20, told from 4 on; the third cancel costs."""

    async def story() -> None:
        async with gate_of(tmp_path) as gate:
            alice, bob = Client(gate), Client(gate, "bob")
            nothing = (await alice.ask("GET", "/ordergate/v1/conduct")).body
            assert (nothing["owner"], nothing["ratios"], nothing["fees"]) == ("alice", [], [])
            await trade_and_cancel(alice, 2)
            (fee,) = (await alice.ask("GET", "/ordergate/v1/conduct")).body["fees"]
            assert (fee["amount"], fee["headroom"]) == ("0", "0")
            assert fee["next"] == "1.5 each above the limit"
            await trade_and_cancel(alice, 1)
            told = await alice.ask("GET", "/ordergate/v1/conduct")
            assert told.status == 200
            (fee,) = told.body["fees"]
            assert (fee["tariff"], fee["symbol"], fee["currency"]) == ("plain", "BTCUSDT", "EUR")
            assert (fee["measured"], fee["amount"], fee["headroom"]) == ("3", "1.5", None)
            assert float(fee["projected"]) >= 1.5
            number = next(one for one in told.body["ratios"] if one["label"] == "number")
            assert (number["ratio"], number["maximum"], number["level"]) == ("5", "20", "notice")
            assert number["recoversAt"] % 86_400_000 == 0
            assert told.body["level"] == "notice"
            assert (await bob.ask("GET", "/ordergate/v1/conduct")).body["ratios"] == []
            unsigned = await alice.ask("POST", "/ordergate/v1/conduct")
            assert unsigned.status in (404, 405)

    asyncio.run(story())


def test_operators_see_all_owners(tmp_path: Path) -> None:
    """Sorted as asked; an unknown owner, order or number is told so."""

    async def story() -> None:
        async with gate_of(tmp_path) as gate:
            await trade_and_cancel(Client(gate), 3)
            await trade_and_cancel(Client(gate, "bob"), 4)
            status, answer = await admin(gate, "/admin/v1/conduct?sort=fee")
            assert status == 200
            assert [line["owner"] for line in answer["lines"]] == ["bob", "alice"]
            assert [line["amounts"] for line in answer["lines"]] == [{"EUR": "3"}, {"EUR": "1.5"}]
            for sort, first in (("owner", "alice"), ("ratio", "bob"), ("messages", "bob")):
                _, answer = await admin(gate, f"/admin/v1/conduct?sort={sort}&limit=1")
                assert [line["owner"] for line in answer["lines"]] == [first]
                assert answer["owners"] == 2
            _, answer = await admin(gate, "/admin/v1/conduct?owner=alice")
            assert [line["owner"] for line in answer["lines"]] == ["alice"]
            for query, status in (("owner=carol", 404), ("sort=luck", 400), ("limit=0", 400)):
                assert (await admin(gate, f"/admin/v1/conduct?{query}"))[0] == status

    asyncio.run(story())


def test_the_day_is_posted_and_replays(tmp_path: Path) -> None:
    """Once, when it has ended; the record has the postings and decides them again."""

    async def story() -> None:
        async with gate_of(tmp_path) as gate:
            await trade_and_cancel(Client(gate), 4)
            gate.fee_poster.post()
            next_day(gate)
            for _ in range(3):
                gate.fee_poster.post()
            assert gate.fee_poster.backlog() == 0

    asyncio.run(story())
    run = find_run(tmp_path / "data")
    records = [one for one in read_run(run.path) if isinstance(one.event, PostFees)]
    (posting,) = (posting for record in records for posting in record.decision.postings)
    assert (posting.tariff, int(posting.amount_e8), posting.currency) == ("plain", 3 * 10**8, "EUR")
    assert len(records) <= 2
    assert replay(run).difference is None
