"""A running gate under attack: every request gets one decision and an answer, and it stays up."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

from tests.fuzz.accounting import Accounting
from tests.fuzz.gate_process import GateProcess, running_gate
from tests.fuzz.hostile_requests import (
    CHANGES,
    NOT_HTTP,
    RIGHT,
    encoded,
    numbers_in_every_field,
)
from tests.fuzz.raw_http import Answer, Wire, message

SOAK: Final = bool(os.environ.get("ORDERGATE_SOAK"))
SPOILED: Final = 100_000 if SOAK else 3_500
PER_ADDRESS: Final = 40
"""Requests from one address before the next one is used, so that limits end no test early."""
STATUSES: Final = frozenset((200, 400, 401, 404, 405, 409, 413, 414, 418, 429, 431, 501, 505))
"""What a client may be told; 500 would be a fault of the gate."""
ADDRESSES: Final = "127.88."
REFUSED_A_SECOND: Final = 400
"""Beyond 1,000 refusals in a second strangers are told apart no more, and get 503."""


class Attack:
    """Sends requests from many addresses and keeps what came back."""

    def __init__(self, gate: GateProcess) -> None:
        self.gate = gate
        self.decisions: list[tuple[str, str]] = []
        """Address and decision id of each answer."""
        self.statuses: Counter[int] = Counter()
        self._numbers = count(1)
        self._refused = 0
        """Refusals since `_paused`."""
        self._paused = time.monotonic()

    def wire(self) -> Wire:
        """Connect from an address that has not been used."""
        number = next(self._numbers)
        return Wire(self.gate.rest_port, f"{ADDRESSES}{number // 250}.{number % 250 + 1}")

    def send_all(self, requests: Iterable[tuple[str, bytes]]) -> None:
        """Send requests one after the other over connections that are kept open."""
        wire, left = self.wire(), PER_ADDRESS
        try:
            for kind, sent in requests:
                if not left:
                    wire.close()
                    wire, left = self.wire(), PER_ADDRESS
                left -= 1
                assert wire.send(sent), kind
                answer = wire.answer()
                assert answer is not None, (kind, sent[:300])
                self.take(wire.local, kind, sent, answer)
                if answer.headers.get("connection", "").lower() == "close":
                    left = 0
        finally:
            wire.close()

    def exchange(self, kind: str, *pieces: bytes, end: bool = True) -> int:
        """Send pieces on a connection of their own; return how many answers came.

        With `end` this side is closed after the last piece, and answers are read until the gate
        closes too; else one answer is read.
        """
        wire = self.wire()
        answers = 0
        if all(wire.send(piece) for piece in pieces) and end:
            wire.end_sending()
        while (answer := wire.answer()) is not None:
            answers += 1
            self.take(wire.local, kind, b"".join(pieces), answer)
            if not end:
                break
        wire.close()
        return answers

    def take(self, address: str, kind: str, sent: bytes, answer: Answer) -> None:
        """Check one answer and keep its decision."""
        shown = (kind, sent[:300], answer)
        assert answer.status in STATUSES, shown
        told = answer.json()
        if answer.status >= 400:
            assert type(told["code"]) is int, shown
            assert told["code"] < 0, shown
            assert type(told["msg"]) is str, shown
            assert told["msg"], shown
            self._count_refusal()
        if answer.status in (418, 429):
            assert int(answer.headers["retry-after"]) >= 0, shown
        self.statuses[answer.status] += 1
        self.decisions.append((address, answer.headers["x-ordergate-decision"]))

    def _count_refusal(self) -> None:
        """Wait when there have been as many refusals within a second as the gate bears."""
        self._refused += 1
        if self._refused == REFUSED_A_SECOND:
            time.sleep(max(0.0, self._paused + 1 - time.monotonic()))
            self._refused, self._paused = 0, time.monotonic()

    def assert_each_is_accounted_for(self) -> None:
        """Hold the answers against the record of the stopped gate."""
        accounting = Accounting(self.gate)
        told = [(address, self.gate.sequence_number(one)) for address, one in self.decisions]
        accounting.assert_accounts_for(ADDRESSES, told)
        accounting.assert_no_fault(ADDRESSES)


def spoiled(chance: random.Random, number: int) -> Iterator[tuple[str, bytes]]:
    """Yield right requests, each spoiled in one of the ways there are."""
    kinds = list(CHANGES)
    for _ in range(number):
        kind = chance.choice(kinds)
        yield kind, CHANGES[kind](chance, chance.choice(RIGHT))


def strange_habits(attack: Attack) -> None:
    """Send right requests in ways in which clients do not send them."""
    order, ping = encoded(RIGHT[0]), message("GET", "/api/v3/ping", {})
    begun = message("POST", "/api/v3/order", {"Content-Length": "10"}) + b"abc"
    chunked = message("POST", "/api/v3/order", {"Transfer-Encoding": "chunked"})
    assert attack.exchange("one", order) == 1
    assert attack.exchange("many at once", ping * 500) == 500
    assert attack.exchange("byte by byte", *(bytes([byte]) for byte in order)) == 1
    assert attack.exchange("cut in its head", ping[:-2]) == 0
    assert attack.exchange("cut in its body", begun) == 1
    assert attack.exchange("chunks", chunked + b"3\r\na=1\r\n0\r\n\r\n" + ping) == 2
    assert attack.exchange("a bad chunk", chunked + b"3\r\na=1\r\nzz\r\n") == 1
    # What is right in front of nonsense is answered, the nonsense is refused, the rest is not read.
    assert attack.exchange("nonsense behind it", ping * 3 + b"nonsense\r\n\r\n" + ping) == 4
    for size in (1_048_576, 1_048_577, 5_000_000):
        body = message("POST", "/api/v3/order", {}, b"x" * size)
        assert attack.exchange(f"a body of {size}", body, end=False) == 1


def impatience(attack: Attack, number: int) -> None:
    """Send orders and leave without waiting for the answers."""
    for turn in range(number):
        wire = Wire(attack.gate.rest_port, f"127.99.0.{turn % 50 + 1}")
        wire.send(encoded(RIGHT[0]))
        wire.close()


def test_hostile_requests_each_get_a_decision_and_an_answer(tmp_path: Path) -> None:
    """Large numbers in every field and thousands of malformed and unsigned requests do no harm."""
    with running_gate(tmp_path) as gate:
        attack = Attack(gate)
        strange_habits(attack)
        for sent in NOT_HTTP:
            assert attack.exchange("not HTTP", sent) <= 1
        impatience(attack, 50)
        attack.send_all((one.kind, encoded(one)) for one in numbers_in_every_field())
        memory_kib = gate.memory_kib()
        attack.send_all(spoiled(random.Random(20_260_101), SPOILED))
        grown_kib = gate.memory_kib() - memory_kib
        assert grown_kib < 100_000 + SPOILED * 2, "memory grows with every request"
        assert attack.statuses[200] > 100
        assert attack.statuses[418] + attack.statuses[429] < len(attack.decisions) / 10
        gate.assert_unharmed()
        attack.assert_each_is_accounted_for()
        assert len(gate.requests_of("127.99.")) <= 50
