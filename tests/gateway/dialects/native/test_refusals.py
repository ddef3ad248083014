"""Every reason has a status and a text; refusals disclose what their rule discloses."""

from typing import Any

import grpc
import pytest

from gateway.decision_id import DecisionIds
from gateway.dialects.native.desk import Desk
from gateway.dialects.native.refusal_table import COUNT, E8, ENTRIES, NS, Code
from gateway.dialects.native.refusals import refusal, status_code
from gateway.outcome import Outcome
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.decisions import ACCEPTED, REFUSED, Breach, Decision
from rules.endpoints import Endpoint
from rules.events import CommandResult, Ended, RefusedRequest, Replace
from rules.reasons import Reason
from rules.rule import Rule
from rules.values import AUTH_OK, CANCELED, CHANNEL_GRPC, SCOPE_ACCOUNT

HEAD = (Endpoint.ORDER_PLACE, 1, 1, AUTH_OK, 0, 0, 0, 0, CHANNEL_GRPC, 0, 0)


class Secretive:
    """A rule that keeps limit and observed value to itself."""

    discloses = False


class Core:
    """A pipeline with one secretive rule."""

    rulebook: Any = None
    directory: Any = None

    @property
    def pipeline(self) -> "Core":
        """Return itself: it has the one method that is asked for."""
        return self

    def rule(self, name: str) -> Rule | None:
        """Return the secretive rule by its name."""
        found: Any = Secretive() if name == "secretive" else None
        return found

    def now_ns(self) -> int:
        """Return no time."""
        return 0


IDS = DecisionIds(b"ids of the refusal tests")
DESK = Desk(Core(), None, IDS)  # type: ignore[arg-type]


def told(decision: Decision, event: Any = None, result: CommandResult | None = None) -> Any:
    """Return the refusal of an outcome."""
    return refusal(DESK, Outcome(77, 0, event, decision, result))


def test_table_is_complete() -> None:
    """Every reason has its entry, with a text and the unit its values count."""
    assert set(ENTRIES) == set(Reason)
    assert all(entry.text and entry.unit in (COUNT, E8, NS) for entry in ENTRIES.values())


def test_units_are_those_of_the_wire() -> None:
    """Units have the numbers of the proto's LimitUnit."""
    assert dict(wire.LimitUnit.items()) == {
        "LIMIT_UNIT_COUNT": COUNT,
        "LIMIT_UNIT_E8": E8,
        "LIMIT_UNIT_NANOSECOND": NS,
    }


def test_codes_are_those_of_grpc() -> None:
    """Status codes have gRPC's names and numbers."""
    codes = {code.name: code.value[0] for code in grpc.StatusCode}
    assert all(codes[code.name] == code.value for code in Code)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_can_be_told(reason: Reason) -> None:
    """A breach for any reason, with numbers or long texts, becomes a refusal."""
    for limit, observed in ((5, 7), ("9" * 40, "-" + "9" * 40), ("one", "other")):
        breach = Breach("a_rule", reason, limit, observed, retry_ns=9, scope=SCOPE_ACCOUNT)
        found = told(Decision(REFUSED, (breach,), order_id=3))
        assert (found.reason, found.rule, found.order_id) == (reason, "a_rule", 3)
        assert (found.limit, found.observed) == (str(limit), str(observed))
        assert (found.retry_at_ns, found.retryable, found.scope) == (9, True, SCOPE_ACCOUNT)
        assert "{" not in found.text
        assert status_code(found) == ENTRIES[reason].code
        assert IDS.decode(found.decision_id) == 77


def test_values_are_told_in_their_unit() -> None:
    """Amounts are told as decimals and durations with their unit; the fields stay integers."""
    price = told(Decision(REFUSED, (Breach("r", Reason.PRICE_MIN, 10**8, 5 * 10**7),)))
    assert price.text == "price 0.5 is below 1"
    assert (price.limit, price.observed, price.unit) == ("100000000", "50000000", E8)
    resting = told(Decision(REFUSED, (Breach("r", Reason.MINIMUM_RESTING_TIME, 500_000_000, 1),)))
    assert resting.text == "order has not rested for 500ms yet"
    assert resting.unit == NS


def test_secretive_rules_keep_their_numbers() -> None:
    """A rule that does not disclose gives no limit, observed value or detail."""
    breach = Breach("secretive", Reason.ORDER_TO_TRADE_RATIO, 41, 43, detail="47")
    found = told(Decision(REFUSED, (breach,)))
    assert (found.limit, found.observed, found.detail) == ("", "", "")
    assert not set("413") & set(found.text)


def test_all_breaches_are_told() -> None:
    """The first breach is the refusal, the others are listed in it."""
    breaches = tuple(
        Breach("r", reason, 1, 2) for reason in (Reason.PRICE_TICK, Reason.QUANTITY_MAX)
    )
    found = told(Decision(REFUSED, breaches))
    assert found.reason == Reason.PRICE_TICK
    assert [other.reason for other in found.others] == [Reason.QUANTITY_MAX]


def test_malformed_requests_are_told_what_is_wrong() -> None:
    """A request that was not understood is told the field and what was expected, no limit."""
    event = RefusedRequest(*HEAD, Reason.ILLEGAL_CHARACTERS, "client_order_id", 0, "", "[a-z]")
    for breaches in ((), (Breach("request", Reason.ILLEGAL_CHARACTERS, 0, 0),)):
        found = told(Decision(REFUSED, breaches), event)
        assert found.text == "client_order_id is not of the form [a-z]"
        assert (found.detail, found.expected) == ("client_order_id", "[a-z]")
        assert (found.limit, found.observed) == ("", "")
    event = RefusedRequest(*HEAD, Reason.PRICE_MIN, "price_e8", 0, "", "above 0")
    assert told(Decision(REFUSED), event).text == "price_e8 is not above 0"
    # A banned address is told of the ban, not of the fault.
    banned = told(Decision(REFUSED, (Breach("ban", Reason.ADDRESS_BANNED, 0, 9),)), event)
    assert (banned.reason, banned.detail) == (Reason.ADDRESS_BANNED, "")


def test_engine_answers() -> None:
    """Accepted is no refusal, refused is one, unknown is one that says so."""
    accepted = Decision(ACCEPTED, order_id=3)
    assert told(accepted) is None
    assert told(accepted, None, CommandResult(1, 3, True, None, 1, 0)) is None
    no = told(accepted, None, CommandResult(1, 3, False, Reason.ENGINE_WOULD_TAKE, 0, 0))
    assert (no.reason, no.order_id, no.unknown) == (Reason.ENGINE_WOULD_TAKE, 3, False)
    lost = told(accepted, None, CommandResult(1, 3, False, None, 0, 0, unknown=True))
    assert (lost.reason, lost.unknown, lost.retryable) == (Reason.ENGINE_TIMEOUT, True, False)
    assert status_code(lost) == Code.DEADLINE_EXCEEDED


def test_replace_done_in_part_is_no_refusal() -> None:
    """A replace that cancelled the old order has an answer, even if the new one was refused."""
    event = Replace(*HEAD, 1, 7, "", 1, 1, 1, 1, 1, 0)
    reason = Reason.ENGINE_WOULD_TAKE
    ended = (Ended(7, CANCELED, 0),)
    part = CommandResult(1, 3, False, reason, 0, 0, (), ended, replaced_refusal=reason)
    assert told(Decision(ACCEPTED), event, part) is None
    nothing = CommandResult(1, 3, False, Reason.ENGINE_UNKNOWN_ORDER, 0, 0)
    assert told(Decision(ACCEPTED), event, nothing).reason == Reason.ENGINE_UNKNOWN_ORDER
