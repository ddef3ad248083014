"""Bans of a running gate, with its clock moved by hand."""

from pathlib import Path
from typing import Final

from rules.values import NS_PER_SECOND
from tests.fuzz.gate_process import GateProcess, running_gate
from tests.fuzz.hostile_requests import RIGHT, Request, encoded
from tests.fuzz.raw_http import Answer, Wire, message

HEAVY: Final = message("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", {})
"""Weighs 250 of the 6,000 that an address has a minute."""
LIGHT: Final = message("GET", "/api/v3/ping", {})
LIMITS: Final = Request("GET", "/ordergate/v1/limits", ())


def ask(wire: Wire, sent: bytes) -> Answer:
    """Send one request and return its answer."""
    assert wire.send(sent)
    answer = wire.answer()
    assert answer is not None
    return answer


def advance(gate: GateProcess, seconds: int) -> int:
    """Move the gate's clock; return what it shows then, in nanoseconds."""
    return int(gate.admin("/admin/v1/clock/advance", {"seconds": seconds})["now_ns"])


def to_next_minute(gate: GateProcess) -> None:
    """Move the clock to the beginning of a minute, so that weight is counted anew."""
    now_ns = advance(gate, 1)
    advance(gate, 60 - now_ns // NS_PER_SECOND % 60)


def run_into_ban(wire: Wire) -> int:
    """Use up an address's weight and go on until it is banned; return for how many seconds."""
    statuses = [ask(wire, HEAVY).status for _ in range(24)]
    assert statuses == [200] * 24
    for _ in range(10):
        answer = ask(wire, LIGHT)
        assert answer.status == 429
        assert answer.headers["x-ordergate-rule"] == "request_weight"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    banned = ask(wire, LIGHT)
    assert banned.status == 418
    assert banned.headers["x-ordergate-rule"] == "ban_ladder"
    assert banned.json()["code"] == -1003
    return int(banned.headers["retry-after"])


def test_bans_grow_and_end(tmp_path: Path) -> None:
    """429, then 418 for two minutes, four, eight; each ends when Retry-After says, for that one."""
    with running_gate(tmp_path, "--manual-clock") as gate:
        wire, other = Wire(gate.rest_port, "127.88.1.1"), Wire(gate.rest_port, "127.88.1.2")
        for seconds in (120, 240, 480):
            to_next_minute(gate)
            assert run_into_ban(wire) == seconds
            # Whatever a banned address sends, right or not, is refused for the ban.
            for sent in (encoded(RIGHT[0]), message("POST", "/nothing", {}), HEAVY):
                assert ask(wire, sent).status == 418
            assert ask(wire, encoded(LIMITS)).status == 200
            assert ask(other, LIGHT).status == 200
            advance(gate, seconds - 1)
            assert ask(wire, LIGHT).headers["retry-after"] == "1"
            advance(gate, 1)
            assert ask(wire, LIGHT).status == 200
        wire.send(b"nonsense\r\n\r\n")
        broken = wire.answer()
        assert broken is not None
        assert broken.status == 400
        wire.close()
        other.close()
        gate.assert_unharmed()
