"""What a client learns of a conduct case: its id and its measures, over REST and gRPC, no more."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.rpc.status_pb2 import Status

from gateway.app import Gate
from gateway.clock import ManualClock
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.registry import RULES
from rules.values import BUY, E8, GTC, LIMIT, NS_PER_DAY, NS_PER_MS, NS_PER_SECOND
from tests.gateway.gate_world import Client, config, running
from tests.gateway.test_resting_grpc import GrpcClient, channel_of

DETECTORS = {rule.name for rule in RULES if not rule.discloses} - {"conduct_standing"}
RULEBOOK = """
extends = "fss-conduct"

[rules.resting_time]
mode = "off"

[rules.price_collar]
last_max_age = "48h"

[rules.fictitious_bids]
distance = "0.0312"
lures = 1
imbalance = "0"
barred_for = "17s"

[rules.conduct_standing]
decay = "3d"
slow_interval = "7s"
"""
LURE = {"price": 50_000, "quantity": "5"}
GET_ROUTES = (
    "/ordergate/v1/limits",
    "/ordergate/v1/conduct",
    "/api/v3/account",
    "/api/v3/exchangeInfo",
    "/api/v3/rateLimit/order",
    "/api/v3/openOrders?symbol=BTCUSDT",
    "/api/v3/allOrders?symbol=BTCUSDT",
)


@asynccontextmanager
async def venue(tmp_path: Path) -> AsyncIterator[Gate]:
    """Run a gate on which one lure that is taken away makes a case."""
    rulebook = tmp_path / "told.toml"
    rulebook.write_text(RULEBOOK)
    async with running(config(tmp_path / "data", rulebook=str(rulebook), clock="manual")) as gate:
        await Client(gate, "bob").place(price=59_990, quantity="1")
        yield gate


async def flee(alice: Client) -> None:
    """Place a lure and take it away."""
    placed = await alice.place(**LURE)
    assert placed.status == 200, placed.body
    assert (await alice.cancel_all()).status == 200


def words(answer: Any) -> str:
    """Return everything that was told, headers included."""
    return json.dumps(answer.body) + json.dumps(dict(answer.headers))


def assert_says_nothing(text: str) -> None:
    """Hold that no detector is named."""
    for name in DETECTORS:
        assert name not in text.lower(), (name, text)


def test_a_refusal_names_the_case_and_not_who_found_it(tmp_path: Path) -> None:
    """REST: neither body, header, decision nor any other answer has the detector or its numbers."""

    async def story() -> None:
        async with venue(tmp_path) as gate:
            alice = Client(gate)
            await flee(alice)
            refused = await alice.place(**LURE)
            assert refused.status == 400
            case = refused.body["ordergate"].pop("caseId")
            assert refused.body["ordergate"] == {"rule": "conduct", "reason": "CONDUCT_LIMIT"}
            assert refused.headers["X-OrderGate-Rule"] == "conduct"
            assert "Retry-After" not in refused.headers
            assert_says_nothing(words(refused))
            number = refused.headers["X-OrderGate-Decision"]
            decision = await alice.ask("GET", f"/ordergate/v1/decisions/{number}")
            assert decision.body["breaches"] == [
                {"rule": "conduct", "reason": "CONDUCT_LIMIT", "caseId": case}
            ]
            for route in GET_ROUTES:
                path, _, query = route.partition("?")
                asked = dict(pair.split("=") for pair in query.split("&")) if query else {}
                told = await alice.ask("GET", path, **asked)
                assert told.status == 200, (route, told.body)
                assert_says_nothing(words(told))
                assert "0.0312" not in words(told)

    asyncio.run(story())


def test_limits_leave_out_what_detectors_count(tmp_path: Path) -> None:
    """Operators see an owner's shares of a market; the owner sees no threshold of them."""

    async def story() -> None:
        async with venue(tmp_path) as gate:
            alice = Client(gate)
            await flee(alice)
            told = await alice.ask("GET", "/ordergate/v1/limits")
            rules = {line["rule"] for line in told.body["limits"]}
            assert "concentration" in {rule.name for rule in gate.core.pipeline.rules}
            assert not rules & (DETECTORS | {"conduct_standing"})
            assert {"order_count", "order_to_trade"} <= rules

    asyncio.run(story())


def test_measures_say_when_they_go_down(tmp_path: Path) -> None:
    """Notice after the first alert, until three days later; then slow, and who waits as told goes on."""

    async def story() -> None:
        async with venue(tmp_path) as gate:
            assert isinstance(gate.clock, ManualClock)
            alice, bob = Client(gate), Client(gate, "bob")
            assert (await alice.ask("GET", "/ordergate/v1/conduct")).body["measures"] == []
            await flee(alice)
            (notice,) = (await alice.ask("GET", "/ordergate/v1/conduct")).body["measures"]
            assert (notice["symbol"], notice["step"]) == ("BTCUSDT", "notice")
            # Rounded up, so that it has come by then.
            assert notice["recoversAt"] - notice["since"] - 3 * NS_PER_DAY // NS_PER_MS in (0, 1)
            for _ in range(2):
                gate.clock.advance(17 * NS_PER_SECOND)
                await flee(alice)
            (slow,) = (await alice.ask("GET", "/ordergate/v1/conduct")).body["measures"]
            assert (slow["step"], slow["caseId"]) == ("slow", notice["caseId"])
            gate.clock.advance(17 * NS_PER_SECOND)
            assert (await alice.place()).status == 200
            refused = await alice.place()
            said = refused.body["ordergate"]
            assert (said["rule"], said["caseId"]) == ("conduct", slow["caseId"])
            gate.clock.advance(said["retryAt"] * NS_PER_MS - gate.clock.now_ns())
            assert (await alice.place()).status == 200
            assert (await bob.ask("GET", "/ordergate/v1/conduct")).body["measures"] == []

    asyncio.run(story())


def test_over_grpc_no_more_is_told(tmp_path: Path) -> None:
    """The same refusal as a message: the case, and no rule, limit, time or window."""

    async def story() -> None:
        async with venue(tmp_path) as gate, channel_of(gate) as channel:
            await flee(Client(gate))
            order = wire.PlaceRequest(
                symbol="BTCUSDT",
                side=BUY,  # type: ignore[arg-type]
                order_type=LIMIT,  # type: ignore[arg-type]
                time_in_force=GTC,  # type: ignore[arg-type]
                price_e8=50_000 * E8,
                quantity_e8=5 * E8,
            )
            try:
                await GrpcClient(gate, channel).ask("Place", order)
            except grpc.aio.AioRpcError as error:
                metadata: dict[str, Any] = dict(error.trailing_metadata() or ())
                told = f"{error.details()} {metadata}"
            else:
                raise AssertionError("the lure was taken")
            refusal = wire.Refusal()
            status = Status.FromString(metadata["grpc-status-details-bin"])
            assert status.details[0].Unpack(refusal)
            assert_says_nothing(told + str(refusal))
            assert (refusal.rule, metadata["x-ordergate-rule"]) == ("conduct", "conduct")
            assert refusal.detail.startswith("case ")
            assert (refusal.limit, refusal.observed) == ("", "")
            assert (refusal.retry_at_ns, refusal.window_ns) == (0, 0)

    asyncio.run(story())


def test_shadow_is_told_as_such(tmp_path: Path) -> None:
    """The indicators of the rulebook only count; the order-to-trade ratio and the fee are real."""

    async def story() -> None:
        async with venue(tmp_path) as gate:
            alice = Client(gate)
            await flee(alice)
            told = (await alice.ask("GET", "/ordergate/v1/conduct")).body
            enforced = {one["rule"]: one["enforced"] for one in told["ratios"]}
            assert enforced["order_to_trade"] is True
            assert enforced["unfilled_ratio"] is False
            assert [fee["enforced"] for fee in told["fees"]] == [True]

    asyncio.run(story())
