"""Records are found by whom and what they concern, and shown with names instead of numbers."""

import json
from pathlib import Path

import msgspec
import pytest

from gateway.decision_id import DecisionIds
from gateway.journal import Record
from gateway.logview.lines import record_line
from gateway.logview.query import Query, search
from gateway.logview.rendering import EVENT_NAMES, Names, record_tree
from gateway.logview.sources import source_of
from gateway.logview.subjects import Subjects
from gateway.logview.times import clock_text, time_ns, time_text
from rules import values
from rules.decisions import ACCEPTED, NOTED_DECISION, REFUSED, Breach, Decision
from rules.events import (
    BalanceAdjusted,
    BulkCancel,
    Cancel,
    ClearBan,
    CommandResult,
    Deadline,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Ended,
    Event,
    Fill,
    OrderEnded,
    OrderTrade,
    Place,
    RecordRead,
    Reference,
    SessionClosed,
    SessionOpened,
    SetState,
    TradeBust,
)
from rules.reasons import Reason

from .conftest import START_NS, MakeWriter

E8 = values.E8


def place(key: int, client_order_id: str) -> Place:
    """Return a buy of 0.5 at 27123.45 by a key."""
    head = (40, 1, key, values.AUTH_OK, START_NS, START_NS, 0, 0, values.CHANNEL_REST, 0, 0)
    price_e8 = 2_712_345_000_000
    return Place(
        *head, 1, values.BUY, values.LIMIT, values.GTC, price_e8, E8 // 2, 0, client_order_id
    )


def cancel(key: int, order_id: int) -> Cancel:
    """Return a cancel by order id."""
    head = (42, 1, key, values.AUTH_OK, START_NS, START_NS, 0, 0, values.CHANNEL_REST, 0, 0)
    return Cancel(*head, 1, order_id, "")


BREACH = Breach(
    "order_value", Reason.ORDER_VALUE, 10, 20, scope=values.SCOPE_ACCOUNT, subject=2, retry_ns=5
)
SHADOW = Breach("price_collar", Reason.PRICE_COLLAR, 1, 2)
FILL = Fill(1, 100 * E8, E8 // 4, 25 * E8, 0, 1, True)
COURSE: list[tuple[Event, Decision]] = [
    (Define(values.DEFINE_ADDRESS, 1, "127.0.0.9"), NOTED_DECISION),
    (Define(values.DEFINE_OWNER, 1, "house"), NOTED_DECISION),
    (Define(values.DEFINE_ASSET, 1, "BTC"), NOTED_DECISION),
    (Define(values.DEFINE_ASSET, 2, "USDT"), NOTED_DECISION),
    (DefineSymbol(1, "BTCUSDT", 1, 2, values.SYMBOL_TRADING, 0), NOTED_DECISION),
    (DefineAccount(1, "alice", 1, "regular", values.ACCOUNT_DEMO), NOTED_DECISION),
    (DefineAccount(2, "bob", 1, "regular", 0), NOTED_DECISION),
    (DefineKey(1, "key-alice", 1, 3, (1,), 0), NOTED_DECISION),
    (DefineKey(2, "key-bob", 2, 3, (), 0), NOTED_DECISION),
    (place(1, "first"), Decision(ACCEPTED, order_id=7, account=1, owner=1)),
    (CommandResult(10, 7, True, None, values.NEW, 1), NOTED_DECISION),
    (place(2, "second"), Decision(REFUSED, (BREACH,), (SHADOW,), account=2, owner=1)),
    (OrderTrade(1, 1, 7, FILL, values.PARTIALLY_FILLED), NOTED_DECISION),
    (cancel(1, 7), Decision(ACCEPTED, order_id=7, account=1, owner=1)),
    (CommandResult(14, 7, True, None, 0, 2, (), (Ended(7, 4, E8 // 4),)), NOTED_DECISION),
    (place(2, ""), Decision(ACCEPTED, order_id=8, account=2, owner=1, client_order_id="x8")),
    (Deadline(16), NOTED_DECISION),
    (CommandResult(16, 8, False, Reason.ENGINE_TIMEOUT, 0, 0, unknown=True), NOTED_DECISION),
    (OrderEnded(2, 3, 8, values.EXPIRED, values.CAUSE_ENGINE, 0), NOTED_DECISION),
    (Reference(1, 1, 1, 1, 99 * E8, E8, 101 * E8, E8, ((99 * E8, E8),)), NOTED_DECISION),
    (SetState(values.SCOPE_ACCOUNT, 2, values.STATE_KILLED, "why", "ops"), NOTED_DECISION),
    (
        BulkCancel(values.SCOPE_ACCOUNT, 2, 0, values.CAUSE_KILL, 21),
        Decision(ACCEPTED, cancels=(8, 9)),
    ),
    (SessionOpened(4, 1, 1, values.CHANNEL_GRPC), NOTED_DECISION),
    (SessionClosed(4, True), NOTED_DECISION),
    (BalanceAdjusted(3, 4, 2, 2, 5 * E8), NOTED_DECISION),
    (TradeBust(4, 5, 1, 1, 1, 1, 7, 8, 1, 2), NOTED_DECISION),
    (ClearBan(1, 0, "ops"), NOTED_DECISION),
]


@pytest.fixture
def run(make_writer: MakeWriter) -> Path:
    """Return a run that holds COURSE, one record a millisecond."""
    writer = make_writer()
    for seq, (event, decision) in enumerate(COURSE, 1):
        writer.append(seq, START_NS + seq * 1_000_000, event, decision)
    writer.close()
    return writer.directory


def seqs(run: Path, **filters: object) -> list[int]:
    """Return the numbers of the records that match."""
    query = Query(**filters)  # type: ignore[arg-type]
    assert query.problems() == []
    return [found.record.seq for found in search(source_of(run), query)]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"account": "alice"}, [6, 8, 10, 11, 13, 14, 15, 23, 24, 26]),
        ({"account": "bob"}, [7, 9, 12, 16, 17, 18, 19, 21, 22, 25, 26]),
        ({"account": "carol"}, []),
        ({"key": "key-alice"}, [8, 10, 11, 13, 14, 15, 23, 24]),
        ({"owner": "house"}, [2, *range(6, 20), *range(21, 27)]),
        ({"symbol": "BTCUSDT"}, [5, *range(10, 21), 26]),
        ({"address": "127.0.0.9"}, [1, 10, 12, 14, 16, 23, 24, 27]),
        ({"client_order_id": "first"}, [10, 11, 13, 14, 15]),
        ({"client_order_id": "x8"}, [16, 17, 18, 19]),
        ({"order_id": 7}, [10, 11, 13, 14, 15, 26]),
        ({"order_id": 8}, [16, 17, 18, 19, 22, 26]),
        ({"rule": "order_value"}, [12]),
        ({"rule": "price_collar"}, [12]),
        ({"reason": "order_value"}, [12]),
        ({"reason": "5002"}, [12]),
        ({"reason": "ENGINE_TIMEOUT"}, [18]),
        ({"verdict": "refused"}, [12]),
        ({"verdict": "ACCEPTED"}, [10, 14, 16, 22]),
        ({"event": "command_result"}, [11, 15, 18]),
        ({"seq": 12}, [12]),
        ({"seq": 99}, []),
        ({"account": "bob", "event": "place"}, [12, 16]),
        ({"from_ns": START_NS + 26_000_000}, [26, 27]),
        ({"from_ns": START_NS + 26_000_001}, [27]),
        ({"to_ns": START_NS + 2_000_001}, [1, 2]),
        ({"to_ns": START_NS + 2_000_000}, [1]),
    ],
)
def test_filters(run: Path, filters: dict[str, object], expected: list[int]) -> None:
    """Each filter finds exactly its records, those that name only an order or command too."""
    assert seqs(run, **filters) == expected


def test_filter_problems() -> None:
    """A filter that can match nothing names the value and what there is."""
    query = Query(event="plaice", verdict="maybe", reason="9", from_ns=2, to_ns=2)
    problems = query.problems()
    assert len(problems) == 4
    assert "`plaice`" in problems[0]
    assert "cancel_all" in problems[0]
    assert "REFUSED" in problems[1]


def test_ended_orders_are_forgotten() -> None:
    """What is kept follows what is open: in the end what may yet be answered."""
    subjects = Subjects()
    most = 0
    for seq, (event, decision) in enumerate(COURSE, 1):
        subjects.observe(Record(seq, START_NS, event, decision))
        most = max(most, len(subjects.orders))
    assert most == 1
    assert (subjects.orders, subjects._commands) == ({}, {16: 8})
    assert (subjects._cancels, subjects._unanswered) == ({22: (8, 9)}, {16: True})


def tree_of(run: Path, seq: int, ids: DecisionIds | None = None) -> dict[str, object]:
    """Return the tree of one record, through JSON and back."""
    (found,) = search(source_of(run), Query(seq=seq))
    return json.loads(msgspec.json.encode(record_tree(*found[:3], ids)))  # type: ignore[no-any-return]


def test_tree_of_a_refusal(run: Path) -> None:
    """A refused order shows names, decimal texts, the rule, its limit and the decision id."""
    ids = DecisionIds(bytes(16))
    tree = tree_of(run, 12, ids)
    assert tree["seq"] == 12
    assert tree["time"] == "2025-10-09T08:53:20.135456789Z"
    assert tree["now_ns"] == START_NS + 12_000_000
    assert ids.decode(str(tree["decision_id"])) == 12
    assert (tree["event"], tree["verdict"]) == ("place", "REFUSED")
    assert (tree["accounts"], tree["owners"], tree["symbols"]) == (["bob"], ["house"], ["BTCUSDT"])
    order = tree["input"]
    assert isinstance(order, dict)
    assert {
        name: order[name]
        for name in ("endpoint", "ip", "key", "auth", "channel", "agent", "symbol", "side")
    } == {
        "endpoint": "ORDER_PLACE",
        "ip": "127.0.0.9",
        "key": "key-bob",
        "auth": "OK",
        "channel": "REST",
        "agent": None,
        "symbol": "BTCUSDT",
        "side": "BUY",
    }
    assert (order["price"], order["quantity"], order["quote_quantity"]) == ("27123.45", "0.5", "0")
    assert (order["order_type"], order["flags"], order["stp_mode"]) == ("LIMIT", [], None)
    decision = tree["decision"]
    assert isinstance(decision, dict)
    (breach,) = decision["breaches"]
    assert breach == {
        "rule": "order_value",
        "reason": "ORDER_VALUE",
        "reason_code": 5002,
        "limit": 10,
        "observed": 20,
        "retry_ns": 5,
        "scope": "account",
        "subject": "bob",
        "window_ns": 0,
        "detail": "",
        "case": 0,
    }


def test_trees_of_other_events(run: Path) -> None:
    """Definitions, reports and operators' acts show names for every number they hold."""
    assert tree_of(run, 5)["input"] == {
        "symbol": "BTCUSDT",
        "name": "BTCUSDT",
        "base_asset": "BTC",
        "quote_asset": "USDT",
        "state": "TRADING",
        "previous_close": "0",
        "maker_commission_ppm": 0,
        "taker_commission_ppm": 0,
        "lot_step": "0",
    }
    account, key = tree_of(run, 6)["input"], tree_of(run, 8)["input"]
    assert isinstance(account, dict)
    assert isinstance(key, dict)
    assert (account["owner"], account["flags"]) == ("house", ["demo"])
    assert (key["permissions"], key["addresses"]) == (["read", "trade"], ["127.0.0.9"])
    fill = tree_of(run, 13)["input"]["fill"]  # type: ignore[index]
    assert (fill["price"], fill["quantity"], fill["commission_asset"]) == ("100", "0.25", "BTC")
    assert tree_of(run, 20)["input"]["bids"] == [["99", "1"]]  # type: ignore[index]
    state = tree_of(run, 21)["input"]
    assert isinstance(state, dict)
    assert (state["scope"], state["subject"], state["state"]) == ("account", "bob", "KILLED")
    assert tree_of(run, 1)["decision_id"] is None


def test_every_record_has_a_line(run: Path) -> None:
    """Each record is one printable line that names who and what."""
    records = (
        Record(seq, START_NS + seq * 1_000_000, event, decision)
        for seq, (event, decision) in enumerate(COURSE, 1)
    )
    subjects = Subjects()
    names = Names(subjects.directory)
    lines = [record_line(record, subjects.observe(record), names) for record in records]
    assert all(line.isprintable() for line in lines)
    assert "BUY LIMIT 0.5 @ 27123.45" in lines[9]
    assert "alice" in lines[10]
    assert "order_value: ORDER_VALUE (limit 0.0000001, observed 0.0000002)" in lines[11]
    assert "shadow price_collar" in lines[11]
    assert "account bob KILLED" in lines[20].replace("why ", "")


def test_control_characters_do_not_reach_the_terminal() -> None:
    """A client's text cannot move the cursor of whoever reads the log."""
    event = place(1, "x")
    hostile = Record(1, START_NS, Define(1, 1, "\x1b[2J\nroot"), NOTED_DECISION)
    names = Names(Subjects().directory)
    line = record_line(hostile, Subjects().observe(hostile), names)
    assert "\x1b" not in line
    assert "\n" not in line
    unknown = Record(1, START_NS, event, Decision(ACCEPTED, order_id=1))
    assert "#1" in record_line(unknown, Subjects().observe(unknown), names)


def test_event_names_are_stable() -> None:
    """Every event type has a name of its own."""
    assert len(set(EVENT_NAMES.values())) == len(EVENT_NAMES)
    assert EVENT_NAMES[CommandResult] == "command_result"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1760000000123456789", START_NS),
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01", 1_000_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01 00:00:00.5", 500_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:00:00-0100", 0),
        ("20251009T085320.123456789Z", START_NS),
        ("19700102", 86_400_000_000_000),
    ],
)
def test_times(text: str, expected: int) -> None:
    """Times are read to the nanosecond, UTC unless they say otherwise."""
    assert time_ns(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1970-13-01",
        "10:00",
        "²",
        "1970-01-01T25:00",
        "2026",
        "202601",
        "9" * 20,
    ],
)
def test_bad_times(text: str) -> None:
    """What is not a time is refused by name."""
    with pytest.raises(ValueError, match="is not a time"):
        time_ns(text)


def test_clock_text() -> None:
    """Times for people are cut, not rounded, and say that they are UTC."""
    at_ns = START_NS + 876_999_999 - 123_456_789
    assert clock_text(at_ns) == "2025-10-09 08:53:20.876Z"
    assert clock_text(at_ns, "seconds") == "2025-10-09 08:53:20Z"
    assert clock_text(at_ns, "minutes") == "2025-10-09 08:53Z"


def test_time_text() -> None:
    """A time's text is read back as the same time; one without a calendar date stays digits."""
    for at_ns in (0, 1, START_NS, 253_402_300_799_999_999_999):
        assert time_ns(time_text(at_ns)) == at_ns
    assert time_text(10**30) == str(10**30)


def test_an_order_named_by_its_id_alone(make_writer: MakeWriter) -> None:
    """A cancel that says no symbol is found by the symbol of the order it means."""
    writer = make_writer()
    events: list[tuple[Event, Decision]] = [
        (DefineSymbol(1, "BTCUSDT", 1, 2, values.SYMBOL_TRADING, 0), NOTED_DECISION),
        (DefineSymbol(2, "ETHUSDT", 3, 2, values.SYMBOL_TRADING, 0), NOTED_DECISION),
        (place(1, "first"), Decision(ACCEPTED, order_id=7, account=1, owner=1)),
        (
            msgspec.structs.replace(cancel(1, 7), symbol=0),
            Decision(ACCEPTED, order_id=7, account=1, owner=1),
        ),
    ]
    for seq, (event, decision) in enumerate(events, 1):
        writer.append(seq, START_NS + seq, event, decision)
    writer.close()
    source = source_of(writer.directory)
    found = [found.record.seq for found in search(source, Query(symbol="BTCUSDT"))]
    assert found == [1, 3, 4]
    assert [found.record.seq for found in search(source, Query(symbol="ETHUSDT"))] == [2]


def test_who_read_is_in_the_line(make_writer: MakeWriter) -> None:
    """A read of the record shows who asked and what."""
    writer = make_writer()
    writer.append(1, START_NS, RecordRead("auditor", "log query owner=x"), NOTED_DECISION)
    writer.close()
    (found,) = search(source_of(writer.directory), Query())
    line = record_line(found.record, found.subject, found.names)
    assert line.endswith("auditor: log query owner=x")
