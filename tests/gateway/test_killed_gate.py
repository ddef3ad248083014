"""A gate that is killed under load: what it answered is recorded, and the next one goes on."""

import random
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.fuzz.gate_process import GateProcess, running_gate
from tests.fuzz.hostile_requests import RIGHT, Request, encoded, with_value
from tests.fuzz.raw_http import Answer, Wire

CONNECTIONS: Final = 8
SECONDS: Final = 0.7


def ask(gate: GateProcess, request: Request) -> Any:
    """Send one signed request on a connection of its own and return the decoded answer."""
    wire = Wire(gate.rest_port, "127.88.9.1")
    wire.send(encoded(request))
    answer = wire.answer()
    wire.close()
    assert answer is not None
    assert answer.status == 200, answer
    return answer.json()


def place_until_killed(gate: GateProcess, number: int, answers: list[Answer]) -> None:
    """Place limit and market orders, one after the other, until the gate is gone."""
    chance = random.Random(number)
    wire = Wire(gate.rest_port, f"127.88.8.{number + 1}")
    answer: Answer | None = None
    sent = 0
    while sent == 0 or answer is not None:
        order = chance.choice(RIGHT[:2])
        client_id = f"k{number}-{sent}"
        sent += 1
        if not wire.send(encoded(with_value(order, "newClientOrderId", client_id, ""))):
            break
        answer = wire.answer()
        if answer is not None:
            answers.append(answer)
    wire.close()


def killed_under_load(gate: GateProcess) -> list[Answer]:
    """Load a gate, kill it without warning, and return everything it had answered."""
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=place_until_killed, args=(gate, number, answers))
        for number in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    gate.process.kill()
    gate.process.wait()
    for thread in threads:
        thread.join()
    return answers


def test_what_was_answered_is_recorded_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """Killed in the middle, no answer is without its record; money and numbers carry over."""
    options = ("--rulebook", "bench")
    with running_gate(tmp_path, *options) as gate:
        answers = killed_under_load(gate)
        assert gate.errors() == ""
        assert len(answers) > 50
        recorded = {record.seq for record in gate.records()}
        told = [gate.sequence_number(answer.headers["x-ordergate-decision"]) for answer in answers]
        assert set(told) <= recorded
        assert len(set(told)) == len(told)
        gate.assert_record_holds()
        first_ids = {answer.json()["orderId"] for answer in answers if answer.status == 200}
        spent = sum(
            Decimal(answer.json()["cummulativeQuoteQty"])
            for answer in answers
            if answer.status == 200 and "cummulativeQuoteQty" in answer.json()
        )
    with running_gate(tmp_path, *options) as gate:
        balances = {
            entry["asset"]: entry
            for entry in ask(gate, Request("GET", "/api/v3/account", ()))["balances"]
        }
        left = Decimal(balances["USDT"]["free"]) + Decimal(balances["USDT"]["locked"])
        # At most one order a connection may have been filled without its answer getting through.
        assert 1_000_000 - spent - CONNECTIONS * 25 <= left <= 1_000_000 - spent
        placed = ask(gate, with_value(RIGHT[0], "newClientOrderId", "after", ""))
        assert placed["orderId"] > max(first_ids)
        assert gate.stop() == 0
        assert gate.errors() == ""
