"""A gate that is asked to stop by SIGTERM ends its connections as each of them should end."""

import signal
import socket
from pathlib import Path

from tests.fuzz.gate_process import GateProcess, running_gate
from tests.fuzz.raw_http import Wire
from tests.gateway.http.hostile import POST

PING = b"GET /api/v3/ping HTTP/1.1\r\nHost: gate\r\n\r\n"
PIPELINED = 200


def test_a_stop_answers_what_was_sent_and_closes_the_rest(tmp_path: Path) -> None:
    """Pipelined requests and a body that is completed are answered; idle clients are let go."""
    with running_gate(tmp_path) as gate:
        idle, busy, sending = wires = [
            Wire(gate.rest_port, f"127.89.1.{number}") for number in (1, 2, 3)
        ]
        idle.send(PING)
        assert idle.answer() is not None
        sending.send(POST + b"Content-Length: 3\r\n\r\nab")
        busy.send(PING * PIPELINED)
        assert busy.answer() is not None
        gate.process.send_signal(signal.SIGTERM)
        assert idle.answer() is None
        assert _refuses(gate)
        sending.send(b"c")
        completed = sending.answer()
        assert completed is not None
        assert completed.headers["connection"] == "close"
        assert sending.answer() is None
        answers = []
        while (answer := busy.answer()) is not None:
            answers.append(answer)
        assert len(answers) == PIPELINED - 1
        assert {answer.status for answer in answers} == {200}
        for wire in wires:
            wire.close()
        assert gate.stop() == 0
        for word in ("Traceback", "did not end in time"):
            assert word not in gate.errors()
        # Each was decided and recorded once: the pings of two, and one order nobody signed.
        assert len(gate.requests_of("127.89.1.")) == PIPELINED + 2


def _refuses(gate: GateProcess) -> bool:
    """Tell whether nobody listens any more."""
    try:
        socket.create_connection(("127.0.0.1", gate.rest_port), timeout=10).close()
    except ConnectionRefusedError:
        return True
    return False
