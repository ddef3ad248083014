"""Every rule refuses at its limit and not before, with the same answer over REST and gRPC."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import aiohttp
import grpc
import pytest

from gateway.dialects.binance import error_table as binance_table
from gateway.dialects.disclosure import rule_told
from gateway.dialects.native import refusal_table as native_table
from gateway.journal import find_run
from gateway.replay import replay
from rules.decisions import REFUSED, Breach
from rules.events import CommandResult
from rules.reasons import Reason
from rules.registry import RULES
from tests.scenarios.clients import UNNAMED, GrpcClient, RestClient, Told, told_ns
from tests.scenarios.exceptions import REQUEST_EXCEPTIONS, RULE_EXCEPTIONS
from tests.scenarios.stored import assert_state_survives
from tests.scenarios.table import Expect, Scenario, read_scenarios
from tests.scenarios.world import World, instant_ns, running

SCENARIOS = read_scenarios()
SECONDS = 30.0
_OPERATORS = frozenset(
    (
        "wait",
        "stop",
        "release",
        "symbol_state",
        "ban",
        "disable_key",
        "disable_account",
        "record_space",
        "alerts",
        "standing",
        "case",
    )
)


class Answered(NamedTuple):
    """One request's outcome, as far as it must be the same whichever way it came in."""

    step: int
    refused: str
    breaches: tuple[tuple[str, str, str, str, int], ...]
    """Rule, reason, limit, observed value and time of the next try of every breach recorded."""
    shadowed: tuple[str, ...]
    status: str
    executed: str
    canceled: tuple[str, ...]


@pytest.mark.parametrize(
    "scenario", [scenario for _, scenario in SCENARIOS], ids=[name for name, _ in SCENARIOS]
)
def test_scenario(scenario: Scenario, tmp_path: Path) -> None:
    """Every line comes to what the table says, on each way in alike, and replays identically."""
    answered: dict[str, list[Answered]] = {}
    for channel in scenario.channels():
        folder = tmp_path / channel
        folder.mkdir()
        answered[channel] = asyncio.run(_play(scenario, channel, folder))
        report = replay(find_run(folder / "data"))
        assert report.difference is None
        assert report.requests >= len(answered[channel])
        assert_state_survives(find_run(folder / "data"))
    first, *others = answered.values()
    for other in others:
        assert other == first


def test_every_reason_of_every_rule_is_refused_in_some_scenario() -> None:
    """No rule, and no reason of a rule a client can meet, is without a scenario."""
    shown = {
        (step.expect.rule, step.expect.refused)
        for _, scenario in SCENARIOS
        for step in scenario.steps
    }
    wanted = {(rule.name, reason.name) for rule in RULES for reason in rule.reasons}
    assert wanted - shown == set(RULE_EXCEPTIONS)


def test_every_way_of_not_being_understood_is_in_some_scenario() -> None:
    """Each reason of a malformed request that both dialects can meet has a line."""
    shown = {
        step.expect.refused
        for _, scenario in SCENARIOS
        for step in scenario.steps
        if step.expect.rule == "request" and not scenario.only
    }
    wanted = {reason.name for reason in Reason if reason < Reason.ADDRESS_BANNED}
    assert wanted - shown == set(REQUEST_EXCEPTIONS)


def test_every_scenario_that_refuses_accepts_too() -> None:
    """What is refused at a limit stands beside what is accepted just inside it."""
    for name, scenario in SCENARIOS:
        requests = [step for step in scenario.steps if step.do not in _OPERATORS]
        refused = [bool(step.expect.refused) for step in requests]
        assert not all(refused), f"{name} only refuses"
        for step in requests:
            assert not step.expect.refused or step.expect.refused in Reason.__members__


def test_steps_name_only_what_is_there() -> None:
    """A step's key, scope and rule exist, so that no line passes for a reason of its own."""
    rules = {rule.name for rule in RULES} | {"request", "engine", ""}
    for name, scenario in SCENARIOS:
        keys = {"alice", "bob", "none", "malformed", "unknown", *scenario.keys}
        for step in scenario.steps:
            assert step.key in keys, f"{name}: {step}"
            assert step.expect.rule in rules, f"{name}: {step}"


def test_both_dialects_measure_in_the_same_unit() -> None:
    """A limit that one dialect tells as an amount or a time is one for the other too."""
    for reason, entry in binance_table.ENTRIES.items():
        other = native_table.ENTRIES[reason].unit
        assert (entry.unit == binance_table.E8) == (other == native_table.E8), reason
        if entry.unit == binance_table.NS:
            assert other == native_table.NS, reason


async def _play(scenario: Scenario, channel: str, folder: Path) -> list[Answered]:
    """Run a scenario over one way in; return what came of each request."""
    async with asyncio.timeout(SECONDS), running(scenario, channel, folder) as world:
        if channel == "rest":
            async with aiohttp.ClientSession() as session:
                return await _lines(scenario, channel, world, RestClient(world, session))
        address = f"127.0.0.1:{world.gate.ports['grpc']}"
        async with grpc.aio.insecure_channel(address) as connection:
            return await _lines(scenario, channel, world, GrpcClient(world, connection))


async def _lines(
    scenario: Scenario, channel: str, world: World, client: RestClient | GrpcClient
) -> list[Answered]:
    found = []
    for number, step in enumerate(scenario.steps, 1):
        if step.do in _OPERATORS:
            await world.act(step)
            continue
        for _ in range(step.times):
            told = await client.ask(step)
            where = f"{channel}, line {number} ({step.do})"
            answer = _recorded(number, told, world)
            _check(step.expect, told, answer, channel, world, where)
            found.append(answer)
    return found


def _recorded(number: int, told: Told, world: World) -> Answered:
    """Return what the record says of a request, held against what its client was told."""
    seq, _, decision = world.decided(told.decision_id)
    result = world.results.get(seq)
    refused = ""
    if decision.verdict == REFUSED:
        refused = decision.breaches[0].reason.name
        assert told.rule == rule_told(decision.breaches[0])
        assert told.refused == refused
    elif told.refused:
        refused = Reason.UNKNOWN_ORDER.name if result is None else _engine_reason(result)
        assert told.refused in (UNNAMED, refused), "the Binance dialect does not name all"
    breaches = tuple(map(_in_common, decision.breaches))
    shadowed = tuple(breach.rule for breach in decision.shadows)
    return Answered(number, refused, breaches, shadowed, told.status, told.executed, told.canceled)


def _engine_reason(result: CommandResult) -> str:
    reason = result.reason or result.replaced_refusal
    assert reason is not None, f"refused without a reason in the record: {result}"
    return reason.name


def _in_common(breach: Breach) -> tuple[str, str, str, str, int]:
    """Return a breach without what a malformed request is called in each dialect's own words."""
    malformed = breach.rule == "request"
    limit, observed = ("", "") if malformed else (str(breach.limit), str(breach.observed))
    return breach.rule, breach.reason.name, limit, observed, breach.retry_ns


def _check(
    expect: Expect, told: Told, answer: Answered, channel: str, world: World, where: str
) -> None:
    assert answer.refused == expect.refused, f"{where}: {told}"
    if expect.refused:
        # A client is not told which rule found the case that it is refused for; the record is.
        rule = answer.breaches[0][0] if answer.breaches else told.rule
        assert rule == expect.rule, f"{where}: {told}"
        for wanted, said, recorded in zip(
            (expect.limit, expect.observed),
            (told.limit, told.observed),
            answer.breaches[0][2:4] if answer.breaches else ("", ""),
            strict=True,
        ):
            # The Binance dialect keeps states and names to itself; the record has them.
            hidden = channel == "rest" and not said
            _check_value(wanted, recorded if hidden else said, "grpc" if hidden else channel, where)
        assert tuple(breach[0] for breach in answer.breaches[1:]) == expect.also, where
    assert answer.shadowed == expect.shadowed, where
    if expect.retry is not None:
        retry_ns = instant_ns(expect.retry)
        if "T" not in expect.retry and retry_ns:
            retry_ns += world.clock.now_ns()
        assert answer.breaches[0][4] == retry_ns, f"{where}: {answer.breaches[0]}"
    words = expect.binance if channel == "rest" else expect.grpc
    assert words in ("", told.words), f"{where}: {told}"
    assert expect.status in ("", told.status), f"{where}: {told}"
    assert expect.executed in (None, told.executed), f"{where}: {told}"
    assert expect.canceled in (None, told.canceled), f"{where}: {told}"


def _check_value(wanted: str | None, told: str, channel: str, where: str) -> None:
    """Compare a limit or observed value as told with the table's: a number, a time, or a word."""
    if wanted is None or wanted == told:
        return
    assert any(letter.isalpha() for letter in wanted), f"{where}: {told} is not {wanted}"
    exact_ns, step_ns = told_ns(told, channel)
    assert exact_ns == instant_ns(wanted) // step_ns * step_ns, f"{where}: {told} is not {wanted}"
