"""Holds the answers of a gate against its record: each is accounted for, one by one or in a count.

Refusals beyond the first ten a second of an address are counted in `RefusedAggregate` records, and
such an answer carries the decision id of the address's last refusal that was recorded alone, or of
record 0 when nothing of it was within the second.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.journal import Record
from rules.events import Define, RefusedAggregate, Request
from rules.reasons import Reason
from rules.values import DEFINE_ADDRESS
from tests.fuzz.gate_process import GateProcess

TOGETHER: Final = 0
"""The number of addresses that have none of their own."""
FAULTS: Final = frozenset((Reason.RULE_FAULT, Reason.INTERNAL_ERROR))


class Accounting:
    """The record of a stopped gate, by what each answer may name."""

    def __init__(self, gate: GateProcess) -> None:
        records = gate.records()
        self.numbers: dict[str, int] = {
            record.event.name: record.event.number
            for record in records
            if isinstance(record.event, Define) and record.event.kind == DEFINE_ADDRESS
        }
        self.requests: dict[int, Record] = {
            record.seq: record for record in records if isinstance(record.event, Request)
        }
        self.counted: Counter[tuple[int, int]] = Counter()
        """Refusals by address and the record their answers name."""
        for record in records:
            if isinstance(record.event, RefusedAggregate):
                self._count(record.event)

    def _count(self, event: RefusedAggregate) -> None:
        counts = [sum(count for _, count in share.reasons) for share in event.shares]
        assert event.count == sum(counts), event
        for share, count in zip(event.shares, counts, strict=True):
            if share.last_seq:
                assert self.requests[share.last_seq].event.ip == share.ip  # type: ignore[attr-defined]
            self.counted[share.ip, share.last_seq] += count

    def of(self, prefix: str) -> frozenset[int]:
        """Return the numbers of the addresses that begin so."""
        return frozenset(number for name, number in self.numbers.items() if name.startswith(prefix))

    def assert_accounts_for(self, prefix: str, answers: Iterable[tuple[str, int]]) -> None:
        """Hold all answers to the addresses that begin with `prefix` against the record.

        `answers` are pairs of address and sequence number. Each names a record of its address, and
        each record and each count has its answers.
        """
        numbers = self.of(prefix)
        told: Counter[tuple[int, int]] = Counter()
        for address, seq in answers:
            assert address.startswith(prefix)
            told[self._named(address, seq), seq] += 1
        expected: Counter[tuple[int, int]] = Counter()
        for seq, record in self.requests.items():
            if record.event.ip in numbers or record.event.ip == TOGETHER:  # type: ignore[attr-defined]
                expected[record.event.ip, seq] += 1  # type: ignore[attr-defined]
        for (ip, seq), count in self.counted.items():
            if ip in numbers or ip == TOGETHER:
                expected[ip if seq else TOGETHER, seq] += count
        assert not told - expected, "answers that are in no record"
        assert not expected - told, "records that nobody was answered with"

    def _named(self, address: str, seq: int) -> int:
        """Return the number of the address a record is of, which must be the one that was told."""
        if not seq:
            return TOGETHER
        found = int(self.requests[seq].event.ip)  # type: ignore[attr-defined]
        assert found in (TOGETHER, self.numbers.get(address)), (address, seq)
        return found

    def assert_no_fault(self, prefix: str) -> None:
        """Hold every recorded decision on a request to being no fault of the gate."""
        for record in self.of_requests(prefix):
            for breach in record.decision.breaches + record.decision.shadows:
                assert breach.reason not in FAULTS, record

    def of_requests(self, prefix: str) -> Iterator[Record]:
        """Yield the requests of the addresses that begin so, in order."""
        numbers = self.of(prefix)
        for record in self.requests.values():
            if record.event.ip in numbers:  # type: ignore[attr-defined]
                yield record
