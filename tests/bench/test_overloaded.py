"""A gate with far more work than it can do: what is refused, what is not, and what is recorded."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from gateway.app import Gate
from gateway.config_file import load_config
from gateway.journal import read_run
from gateway.journal.manifest import find_run
from gateway.replay import replay
from loadtest.keys import read_keys
from loadtest.prepare import prepare_gate
from rules.events import RefusedAggregate, Request
from rules.reasons import Reason
from tests.bench.open_client import (
    CANCEL,
    CANCEL_ALONE,
    ORDER,
    SHED_STATUS,
    Answer,
    Mix,
    OpenClient,
)
from tests.bench.overload import (
    BUCKET_SECONDS,
    RECOVERY_SECONDS_MAX,
    KindFigures,
    Phase,
    Result,
    recovery_seconds,
    verdict,
)

CONNECTIONS = 16
IMPATIENT = """
[overload]
orders = "4ms"
queries = "2ms"
market_data = "1ms"
lasting = "0ms"
"""
"""Even a gate on a fast machine sheds, and one on a slow machine does not have to be waited for."""


def test_every_cancel_finds_an_order(tmp_path: Path) -> None:
    """Once the book is filled: each names one that was placed well before, and none twice."""
    prepare_gate(tmp_path, 2, 0, -1)
    mix = Mix(read_keys(tmp_path / "keys.json"), 64, 1)
    sent: Counter[str] = Counter()
    open_names: dict[str, int] = {}
    for number in range(12_000):
        kind, request = mix.next(number % 72)
        sent[kind] += number >= 2_000
        if kind == ORDER:
            open_names[_name(request, b"newClientOrderId=")] = number
        elif kind in (CANCEL, CANCEL_ALONE):
            name = _name(request, b"origClientOrderId=")
            if number >= 2_000 or name != "none":
                assert number - open_names.pop(name) > 300
    assert 0.42 < sent[ORDER] / 10_000 < 0.50
    assert 0.42 < (sent[CANCEL] + sent[CANCEL_ALONE]) / 10_000 < 0.50


def _name(request: bytes, field: bytes) -> str:
    return request.partition(field)[2].partition(b"&")[0].decode()


def flood(port: int, mix: Mix) -> list[Answer]:
    """Send as fast as can be, for a moment, then little; return all answers."""
    client = OpenClient(port, CONNECTIONS + 2)
    try:
        answers = client.offer(mix.next, 100_000, 0.03)
        return answers + client.offer(mix.next, 200, 0.2)
    finally:
        client.close()


async def overloaded(config: Path) -> tuple[list[Answer], Path, dict[str, int], int]:
    """Run a gate under a flood; return answers, its run, what was shed, full collections."""
    gate = Gate(load_config(config))
    try:
        await gate.start()
        keys = read_keys(config.parent / "keys.json")
        collected = gate.collector.full
        mix = Mix(keys, CONNECTIONS, 1)
        answers = await asyncio.to_thread(flood, gate.ports["rest"], mix)
        collected = gate.collector.full - collected
        return answers, gate.journal.directory, dict(gate.turns.shed), collected
    finally:
        await gate.stop()


@pytest.mark.parametrize(
    ("kind", "shed", "recovered", "unanswered", "code"),
    [
        (ORDER, 9, RECOVERY_SECONDS_MAX, 0, 0),
        (CANCEL, 1, 0.0, 0, 1),
        (CANCEL_ALONE, 1, 0.0, 0, 1),
        (ORDER, 9, RECOVERY_SECONDS_MAX + BUCKET_SECONDS, 0, 1),
        (ORDER, 9, 0.0, 1, 1),
    ],
)
def test_what_is_a_failure(
    kind: str, shed: int, recovered: float, unanswered: int, code: int
) -> None:
    """A cancel that is shed, an answer that is missing, and a gate that stays overloaded."""
    figures = KindFigures(kind, 10, shed, 1.0, 1.0, 1.0)
    phase = Phase("50%", 10, 10, 0.1, [figures], 0.0, 1)
    assert verdict(Result(10, [phase], recovered, unanswered)) == code


def test_the_end_of_an_overload() -> None:
    """It lasts until the first tenth of a second in which all is as usual."""
    began_ns = 5 * 10**9
    answers = [
        Answer(ORDER, began_ns - 1, 10**9, 0, SHED_STATUS),
        Answer(ORDER, began_ns + 1, 10**6, 0, SHED_STATUS),
        Answer(ORDER, began_ns + 150_000_000, 60 * 10**6, 0, 200),
        Answer(ORDER, began_ns + 250_000_000, 40 * 10**6, 0, 200),
        Answer(ORDER, began_ns + 350_000_000, 60 * 10**6, 0, 200),
    ]
    assert recovery_seconds(answers, began_ns) == 0.2
    assert recovery_seconds(answers, began_ns - 2 * 10**9) == 0.0


def test_overload_sheds_no_cancel_and_every_answer_is_recorded(tmp_path: Path) -> None:
    """Over real sockets: each request has one answer and one decision; replay says the same."""
    config = prepare_gate(tmp_path, CONNECTIONS, 0, -1)
    text = config.read_text(encoding="utf-8").replace("demo_market = true\n", "")
    config.write_text(text + IMPATIENT, encoding="utf-8")
    answers, run, shed, collected = asyncio.run(overloaded(config))
    assert len(answers) == 3_000 + 40
    told = Counter(one.kind for one in answers if one.status == SHED_STATUS)
    assert told[CANCEL] == told[CANCEL_ALONE] == 0
    # Before a key was proved, orders have the lane of market data.
    assert told[ORDER] >= shed["orders"] > 0
    assert sum(told.values()) == sum(shed.values())
    after = [one.status for one in answers[3_000:] if one.kind == ORDER]
    assert after.count(SHED_STATUS) < len(after)
    assert collected == 0
    decided = overloads = 0
    for record in read_run(run):
        event = record.event
        if isinstance(event, RefusedAggregate):
            decided += event.count
            overloads += event.count
        elif isinstance(event, Request):
            decided += 1
            breaches = record.decision.breaches
            overloads += bool(breaches) and breaches[0].reason is Reason.OVERLOADED
    assert decided == len(answers)
    assert overloads == sum(shed.values())
    assert replay(find_run(run)).difference is None
