"""A simulator that finds nothing proves nothing: one-line faults are planted, and it finds each."""

from typing import Any
from unittest import mock

import pytest

from gateway.core import Core
from gateway.journal.writer import JournalWriter
from rules.answers import WITH_ENDED
from rules.conduct.order_to_trade import OrderToTrade
from rules.conduct.resting_time import RestingTime
from rules.filters.max_num_orders import MaxNumOrders
from rules.holds import Holds
from rules.settlement import Settlement
from rules.windows import Window
from tests.sim.planting import planted
from tests.sim.run import run_seed

SEEDS = 40
"""So many seeds find each of them."""


@pytest.mark.parametrize(
    ("owner", "name", "line", "faulty", "found"),
    [
        pytest.param(
            Core,
            "_process",
            "record.append(seq, now_ns, event, decision)",
            "self._let_out(seq, now_ns, event, decision, reply, command); "
            "record.append(seq, now_ns, event, decision); return",
            "the record is safe through",
            id="core: let out before the record",
        ),
        pytest.param(
            MaxNumOrders,
            "check",
            "if len(book.open_orders(account, symbol)) < limit:",
            "if len(book.open_orders(account, symbol)) <= limit:",
            "orders are open",
            id="rule: one open order more",
        ),
        pytest.param(
            RestingTime,
            "verdict",
            "if age_ns >= terms.minimum_ns:",
            "if age_ns > terms.minimum_ns:",
            "resting age",
            id="rule: a nanosecond more to rest",
        ),
        pytest.param(
            Holds,
            "needs_e8",
            "needs_e8 = max(needs_e8, _needs_e8(order, amend.quantity_e8, amend.price_e8, 0))",
            "needs_e8 = _needs_e8(order, amend.quantity_e8, amend.price_e8, 0)",
            "reserves",
            id="book: an amend in flight holds what it needs, not the dearer of both",
        ),
        pytest.param(
            JournalWriter,
            "append",
            "self._map[begin - FRAME_HEAD_BYTES : begin] = "
            "FRAME_HEAD.pack(length, zlib.crc32(payload))",
            "self._map[begin - FRAME_HEAD_BYTES : begin] = FRAME_HEAD.pack(length, 0)",
            "the record is safe through",
            id="journal: no checksum",
        ),
        pytest.param(
            Core,
            "_process",
            "if record.waits:",
            "if not record.append:",
            "the record is safe through",
            id="core: does not wait for the disk",
        ),
        pytest.param(
            JournalWriter,
            "_sync_finished",
            "self._disk.sync_directory(self.directory)",
            "pass",
            "left, the record is",
            id="journal: the name of a segment is not on the disk",
        ),
        pytest.param(
            Core,
            "take_over",
            "self.outbox.take_over(first_seq)",
            "pass",
            "of KILLED scopes are open",
            id="recovery: kills are not taken up",
        ),
        pytest.param(
            Settlement,
            "restore",
            'self.pending = restored_pending(state["pending"])',
            "self.pending = {}",
            "should be",
            id="recovery: commands in flight are forgotten",
        ),
        pytest.param(
            Window,
            "restore",
            "self.counts = dict(counts)",
            "self.counts = {}",
            "had to refuse it",
            id="recovery: a rule's windows begin anew",
        ),
    ],
)
def test_a_planted_fault_is_found(
    owner: Any, name: str, line: str, faulty: str, found: str
) -> None:
    """The first seed that fails names what the fault breaks."""
    with planted(owner, name, line, faulty):
        failure = next(filter(None, map(run_seed, range(SEEDS))), None)
    assert failure is not None, f"{SEEDS} seeds did not find it"
    assert found in failure.message


def test_a_rule_that_is_left_out_wrongly_is_found() -> None:
    """A rule that is told of fewer results than it counts has another state when told of all."""
    with mock.patch.object(OrderToTrade, "results", WITH_ENDED):
        failure = next(filter(None, map(run_seed, range(SEEDS))), None)
    assert failure is not None, f"{SEEDS} seeds did not find it"
    assert "a rule was left out that had something to say or do" in failure.message
