"""The committed wire code is what the protos and the record's code lists say."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.wire.ordergate.v1 import (
    admin_pb2,
    decision_pb2,
    engine_pb2,
    order_entry_pb2,
    values_pb2,
)
from rules import values
from rules.reasons import Reason

ROOT = Path(__file__).resolve().parents[3]
GENERATOR = ROOT / "tools" / "generate_proto.py"


def test_committed_code_is_current() -> None:
    """Generating again would change nothing."""
    done = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_unknown_argument_is_bad_input() -> None:
    """The generator knows one option only."""
    done = subprocess.run(
        [sys.executable, str(GENERATOR), "--force"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--check" in done.stderr


@pytest.mark.parametrize(
    ("enum", "prefix", "names"),
    [
        ("Side", "SIDE", values.SIDE_NAMES),
        ("OrderType", "ORDER_TYPE", values.ORDER_TYPE_NAMES),
        ("TimeInForce", "TIME_IN_FORCE", values.TIME_IN_FORCE_NAMES),
        ("StpMode", "STP_MODE", values.STP_MODE_NAMES),
        ("OrderStatus", "ORDER_STATUS", values.ORDER_STATUS_NAMES),
        ("Channel", "CHANNEL", values.CHANNEL_NAMES),
        ("Cause", "CAUSE", values.CAUSE_NAMES),
        ("Scope", "SCOPE", values.SCOPE_NAMES),
        ("StopState", "STOP_STATE", values.STATE_NAMES),
        ("SymbolTradingState", "SYMBOL_TRADING_STATE", values.SYMBOL_STATE_NAMES),
    ],
)
def test_codes_have_the_numbers_of_the_record(
    enum: str, prefix: str, names: tuple[str, ...]
) -> None:
    """Each enum of the wire is the record's code list, number by number."""
    wire = getattr(values_pb2, enum)
    expected = {f"{prefix}_{name.upper() or 'UNSPECIFIED'}": n for n, name in enumerate(names)}
    assert dict(wire.items()) == expected


def test_reasons_have_the_numbers_of_the_record() -> None:
    """The wire's reasons are the record's reasons, all of them."""
    wire = {name: number for name, number in values_pb2.Reason.items() if number}
    assert wire == {f"REASON_{reason.name}": reason.value for reason in Reason}


def test_no_field_is_floating_point() -> None:
    """No message carries a float or a double."""
    for module in (order_entry_pb2, engine_pb2, decision_pb2, admin_pb2):
        for message in module.DESCRIPTOR.message_types_by_name.values():
            for field in message.fields:
                assert field.type not in (field.TYPE_FLOAT, field.TYPE_DOUBLE), field.full_name
