"""A running gate under attack over gRPC: every message gets one decision and an answer."""

import os
import random
from collections import Counter
from pathlib import Path
from typing import Final

import grpc
from google.rpc.status_pb2 import Status

from gateway.dialects.native.signing import DECISION_HEADER, SESSION_PATH
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.reasons import Reason
from tests.fuzz.accounting import Accounting
from tests.fuzz.gate_process import GateProcess, running_gate
from tests.fuzz.hostile_calls import Call, call, extremes, session_messages, spoiled

SOAK: Final = bool(os.environ.get("ORDERGATE_SOAK"))
SPOILED: Final = 20_000 if SOAK else 600
SESSIONS: Final = 50 if SOAK else 3
ENTRIES: Final = 200
ANSWER_SECONDS: Final = 20.0
ADDRESS: Final = "127.0.0.1"
FAULTS: Final = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


class CallAttack:
    """Makes calls and keeps the decisions they got."""

    def __init__(self, gate: GateProcess) -> None:
        self.gate = gate
        self.channel = grpc.insecure_channel(gate.ready["grpc"])
        self.decisions: list[str] = []
        self.codes: Counter[str] = Counter()

    def unary(self, sent: Call) -> None:
        """Make one call and check its answer."""
        shown = (sent.path, sent.raw[:100], [(name, value[:80]) for name, value in sent.metadata])
        method = self.channel.unary_unary(sent.path)
        made = method.future(sent.raw, metadata=sent.metadata, timeout=ANSWER_SECONDS)
        made.exception()  # waits for the end, whatever it is
        trailing = dict(made.trailing_metadata())
        assert made.code() not in FAULTS, (shown, made.details())
        self.codes[made.code().name] += 1
        self.decisions.append(str(trailing[DECISION_HEADER]))
        if made.code() is not grpc.StatusCode.OK:
            refusal = wire.Refusal()
            details = Status.FromString(trailing["grpc-status-details-bin"]).details
            assert details[0].Unpack(refusal), shown
            self._refused(refusal)
            assert refusal.decision_id == self.decisions[-1], shown

    def session(self, messages: list[bytes]) -> None:
        """Send the messages of one session and check that each has its answer."""
        answers = []
        session = self.channel.stream_stream(SESSION_PATH)(iter(messages), timeout=60.0)
        for raw in session:
            response = wire.SessionResponse.FromString(raw)
            if response.HasField("logon"):
                self.decisions.append(response.logon.decision_id)
            answers.extend(response.answers)
        assert session.code() is grpc.StatusCode.OK
        assert len(answers) == len(messages) - 1
        for answer in answers:
            told = getattr(answer, answer.WhichOneof("answer"))
            self.decisions.append(told.decision_id)
            if isinstance(told, wire.Refusal):
                self._refused(told)

    def _refused(self, refusal: wire.Refusal) -> None:
        for one in (refusal, *refusal.others):
            assert one.text, refusal
            assert one.reason in set(Reason) - {Reason.RULE_FAULT, Reason.INTERNAL_ERROR}, refusal


def test_hostile_calls_each_get_a_decision_and_an_answer(tmp_path: Path) -> None:
    """Extreme values in every field, broken messages, wrong metadata and sessions do no harm."""
    with running_gate(tmp_path, *(("--rulebook", "bench") if SOAK else ())) as gate:
        attack = CallAttack(gate)
        for method, message in extremes():
            attack.unary(call(method, message.SerializeToString()))
        chance = random.Random(20_260_102)
        for _ in range(SPOILED):
            attack.unary(spoiled(chance))
        for _ in range(SESSIONS):
            attack.session(session_messages(chance, ENTRIES))
        print(attack.codes, len(attack.decisions))
        assert attack.codes["OK"] > 10
        assert len(attack.codes) >= 5
        attack.channel.close()
        gate.assert_unharmed()
        told = [(ADDRESS, gate.sequence_number(decision)) for decision in attack.decisions]
        accounting = Accounting(gate)
        accounting.assert_accounts_for(ADDRESS, told)
        accounting.assert_no_fault(ADDRESS)
