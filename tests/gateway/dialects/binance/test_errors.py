"""Refusals: a complete table, Binance's own texts, the headers clients read, the published page."""

from pathlib import Path
from string import Formatter

import pytest

from gateway.dialects.binance.error_table import ENTRIES
from gateway.dialects.binance.errors import rejection, table_markdown, told_value
from rules.decisions import Breach
from rules.events import Amend, Cancel, CancelAll, Place, Query, RefusedRequest
from rules.reasons import RATE_LIMIT_REASONS, Reason
from rules.values import E8, NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND
from tests.gateway.dialects.binance.stand_in import NOW_NS, Venue, body, header, refusal

HEAD = (0,) * 11
PLACE = Place(*HEAD, 1, 1, 1, 1, 1, 1, 0)
POLL = "Please use WebSocket Streams for live updates to avoid polling the API."
BANS = "Please use WebSocket Streams for live updates to avoid bans."
KNOWN_FIELDS = {"pace", "detail", "expected", "limit", "limit_ms", "window", "until_ms", "filter"}


def test_every_reason_is_mapped() -> None:
    """Each reason has an entry, with an error status, a negative code and known placeholders."""
    assert set(ENTRIES) == set(Reason)
    for entry in ENTRIES.values():
        assert 400 <= entry.status < 600
        assert entry.code < 0
        fields = {name for _, name, _, _ in Formatter().parse(entry.text) if name}
        assert fields <= KNOWN_FIELDS


def test_statuses_that_clients_act_on() -> None:
    """429 and 418 are for pace alone, 5xx for what the gate or the venue can't do now."""
    pace = {reason for reason, entry in ENTRIES.items() if entry.status in (418, 429)}
    assert pace == RATE_LIMIT_REASONS | {Reason.STATE_SLOW}
    failing = {reason for reason, entry in ENTRIES.items() if entry.status >= 500}
    assert failing == {
        Reason.RECORD_LOST,
        Reason.OVERLOADED,
        Reason.SHUTTING_DOWN,
        Reason.ENGINE_UNAVAILABLE,
        Reason.ENGINE_LOST,
        Reason.RULE_FAULT,
        Reason.INTERNAL_ERROR,
    }


def test_page_is_current() -> None:
    """The published table is the table."""
    page = Path(__file__).parents[4] / "docs" / "binance-errors.md"
    assert page.read_text(encoding="utf-8") == table_markdown()


@pytest.mark.parametrize(
    ("breach", "status", "code", "text"),
    [
        (
            refusal(Reason.REQUEST_WEIGHT_LIMIT, limit=6000, window_ns=NS_PER_MINUTE),
            429,
            -1003,
            f"Too much request weight used; current limit is 6000 request weight per 1 MINUTE. {POLL}",
        ),
        (
            refusal(Reason.ADDRESS_BANNED, retry_ns=1_659_146_400_000 * NS_PER_MS),
            418,
            -1003,
            f"Way too much request weight used; IP banned until 1659146400000. {BANS}",
        ),
        (
            refusal(Reason.ORDER_COUNT_LIMIT, limit=50, window_ns=10 * NS_PER_SECOND),
            429,
            -1015,
            "Too many new orders; current limit is 50 orders per 10 SECOND.",
        ),
        (
            refusal(Reason.ORDER_COUNT_LIMIT, limit=200_000, window_ns=NS_PER_DAY),
            429,
            -1015,
            "Too many new orders; current limit is 200000 orders per 1 DAY.",
        ),
        (
            refusal(Reason.RAW_REQUEST_LIMIT, limit=9, window_ns=2 * NS_PER_HOUR),
            429,
            -1003,
            f"Too many requests; current limit is 9 requests per 2 HOUR. {POLL}",
        ),
        (
            refusal(Reason.RECV_WINDOW_TOO_LARGE, limit=60 * NS_PER_SECOND),
            400,
            -1102,
            "'recvWindow' contains unexpected value. Cannot be greater than 60000.",
        ),
        (
            refusal(Reason.REFERENCE_PRICE_MISSING, rule="percent_price_by_side"),
            400,
            -1013,
            "Filter failure: PERCENT_PRICE_BY_SIDE",
        ),
        (
            refusal(Reason.STATE_SLOW, limit=NS_PER_SECOND // 2),
            429,
            -1015,
            "Too many new orders; current limit is 1 orders per 500 MILLISECOND.",
        ),
        (refusal(Reason.KEY_MALFORMED), 401, -2014, "API-key format invalid."),
        (
            refusal(Reason.STATE_KILLED),
            400,
            -2010,
            "This account may not place or cancel orders.",
        ),
    ],
)
def test_texts(breach: Breach, status: int, code: int, text: str) -> None:
    """The texts are Binance's, filled in from the breach."""
    assert rejection(breach.reason, PLACE, breach) == (status, code, text)


def test_code_fits_what_was_asked() -> None:
    """The same reason has the code of a new order, a cancel, an amend or a query."""
    killed = Reason.STATE_KILLED
    assert rejection(killed, PLACE).code == -2010
    assert rejection(killed, Cancel(*HEAD, 1, 1, "")).code == -2011
    assert rejection(killed, CancelAll(*HEAD, 1)).code == -2011
    assert rejection(killed, Amend(*HEAD, 1, 1, "", 1)).code == -2038
    assert rejection(Reason.ACCOUNT_DISABLED, Query(*HEAD)).code == -1002


def test_fault_counts_only_for_its_own_reason() -> None:
    """A malformed request refused for something else is told about that, not about its form."""
    event = RefusedRequest(*HEAD, reason=Reason.MISSING_PARAMETER, detail="price")
    assert rejection(Reason.MISSING_PARAMETER, event).text.startswith("Mandatory parameter 'price'")
    assert rejection(Reason.KEY_DISABLED, event).code == -2015


@pytest.mark.parametrize(
    ("wait_ns", "seconds"),
    [
        (0, "1"),
        (1, "1"),
        (NS_PER_SECOND, "1"),
        (NS_PER_SECOND + 1, "2"),
        (120 * NS_PER_SECOND, "120"),
        (-NS_PER_SECOND, "1"),
    ],
)
def test_retry_after(venue: Venue, wait_ns: int, seconds: str) -> None:
    """Whole seconds, rounded up, at least one."""
    parsed = venue.parse("GET", "/api/v3/ping")
    breach = refusal(Reason.REQUEST_WEIGHT_LIMIT, retry_ns=NOW_NS + wait_ns)
    answer = venue.decide(parsed, breach)
    assert answer.status == 429
    assert header(answer, "Retry-After") == seconds


def test_no_retry_after_otherwise(venue: Venue) -> None:
    """Other refusals have no Retry-After, whatever they know of when to retry."""
    breach = refusal(Reason.MINIMUM_RESTING_TIME, retry_ns=NOW_NS + 1)
    answer = venue.decide(venue.parse("GET", "/api/v3/ping"), breach)
    assert header(answer, "Retry-After") is None
    # The first millisecond at which it has come: nobody who waits for it is early.
    assert body(answer)["ordergate"]["retryAt"] == NOW_NS // NS_PER_MS + 1


def test_headers_of_every_answer(venue: Venue) -> None:
    """Errors and successes carry type, decision, request id and the weight used."""
    for parsed in (
        venue.parse("GET", "/api/v3/time"),
        venue.parse("GET", "/api/v3/depth"),
        venue.parse("GET", "/api/v3/nope"),
    ):
        answer = venue.decide(parsed)
        assert header(answer, "Content-Type") == "application/json;charset=UTF-8"
        assert header(answer, "X-MBX-USED-WEIGHT-1M") == "21"
        assert header(answer, "X-MBX-USED-WEIGHT") == "21"
        assert venue.ids.decode(header(answer, "X-OrderGate-Decision") or "") == venue.seq
        assert len(header(answer, "x-mbx-uuid") or "") == 36
        assert "x-mbx-order-count-10s" not in {name.lower() for name, _ in answer.headers}
    stub = venue.decide(venue.parse("GET", "/sapi/v1/margin/allPairs"))
    assert header(stub, "X-MBX-USED-WEIGHT") is None


def test_breach_beside_code_and_msg(venue: Venue) -> None:
    """A refusal tells rule, reason, limit and observed value in units clients know."""
    breach = refusal(Reason.PRICE_MAX, rule="price_filter", limit=E8, observed=str(10**20))
    answer = venue.decide(venue.parse("GET", "/api/v3/ping"), breach)
    assert body(answer) == {
        "code": -1013,
        "msg": "Filter failure: PRICE_FILTER",
        "ordergate": {
            "rule": "price_filter",
            "reason": "PRICE_MAX",
            "limit": "1.00000000",
            "observed": "1000000000000.00000000",
        },
    }
    assert header(answer, "X-OrderGate-Rule") == "price_filter"


def test_undisclosed_limits(venue: Venue) -> None:
    """A rule that keeps its limits to itself is named, and nothing more is told."""
    breach = refusal(Reason.ORDER_TO_TRADE_RATIO, rule="detector", limit=1, observed=2)
    content = body(venue.decide(venue.parse("GET", "/api/v3/ping"), breach))
    assert content["ordergate"] == {"rule": "detector", "reason": "ORDER_TO_TRADE_RATIO"}


@pytest.mark.parametrize(
    "reason", [Reason.SIGNATURE_INVALID, Reason.UNKNOWN_ORDER, Reason.STATE_KILLED]
)
def test_states_and_names_are_not_told_as_limits(venue: Venue, reason: Reason) -> None:
    """The number of a state or an order is no limit: the reason alone says it."""
    breach = refusal(reason, limit=2, observed=6)
    content = body(venue.decide(venue.parse("GET", "/api/v3/ping"), breach))
    assert content["ordergate"] == {"rule": "some_rule", "reason": reason.name}


def test_a_ban_tells_its_end(venue: Venue) -> None:
    """What helps a banned client is when it ends, not a limit."""
    breach = refusal(Reason.ADDRESS_BANNED, observed=NOW_NS, retry_ns=NOW_NS)
    content = body(venue.decide(venue.parse("GET", "/api/v3/ping"), breach))
    assert content["ordergate"] == {
        "rule": "some_rule",
        "reason": "ADDRESS_BANNED",
        "retryAt": NOW_NS // NS_PER_MS,
    }


def test_malformed_requests_break_no_limit(venue: Venue) -> None:
    """A request that could not be understood is told its reason, not limits it never met."""
    content = body(venue.decide(venue.parse("GET", "/api/v3/depth")))
    assert content["ordergate"] == {"rule": "request", "reason": "MISSING_PARAMETER"}


def test_units() -> None:
    """Amounts are decimals, times milliseconds, counts as they are; other text stays."""
    assert told_value(Reason.PRICE_TICK, 1) == "0.00000001"
    assert told_value(Reason.TIMESTAMP_EXPIRED, 5 * NS_PER_SECOND) == 5_000
    assert told_value(Reason.ORDER_COUNT_LIMIT, 50) == 50
    assert told_value(Reason.PRICE_TICK, "none") == "none"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v3/nope", 404),
        ("GET", "/api/v3/order/", 404),
        ("PUT", "/api/v3/order", 405),
        ("POST", "/api/v3/ping", 405),
        ("get", "/api/v3/ping", 405),
        ("DELETE", "/ordergate/v1/decisions/abc", 405),
        ("GET", "/ordergate/v1/decisions/", 404),
        ("GET", "/ordergate/v1/decisions/a/b", 404),
        ("GET", "/sapi/v1/account", 404),
    ],
)
def test_unknown_paths_and_methods(venue: Venue, method: str, path: str, status: int) -> None:
    """A path or method that is not served is answered in JSON with code and msg."""
    assert venue.dialect.serves(path)
    answer = venue.decide(venue.parse(method, path))
    assert answer.status == status
    assert body(answer)["code"] == -1020
    assert body(answer)["msg"]


def test_body_too_large(venue: Venue) -> None:
    """A body the edge cut off is refused whatever its beginning says."""
    answer = venue.decide(venue.parse("POST", "/api/v3/order", body=b"a=1", body_too_large=True))
    assert (answer.status, body(answer)["code"]) == (413, -1101)
