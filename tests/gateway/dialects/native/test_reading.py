"""Messages of order entry become events; whatever is wrong becomes one refused request."""

from typing import Any

import pytest

from gateway.dialects.native.desk import Caller
from gateway.dialects.native.reading import text_time_ns, time_ns
from gateway.dialects.native.requests import (
    read_cancel,
    read_cancel_all,
    read_place,
    read_replace,
    read_status,
)
from gateway.directory import Directory
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.endpoints import Endpoint
from rules.events import Cancel, CancelAll, DefineSymbol, Place, Query, RefusedRequest, Replace
from rules.reasons import Reason
from rules.rulebook import parse_rulebook
from rules.values import (
    AUTH_BAD_SIGNATURE,
    AUTH_OK,
    BUY,
    CHANNEL_GRPC,
    DECREMENT,
    DEFINE_ALGO,
    E8,
    FLAG_ALGO,
    FLAG_MARKET_MAKING,
    FLAG_TEST,
    GTC,
    INT63_MAX,
    IOC,
    LIMIT,
    LIMIT_MAKER,
    MARKET,
    RESTRICT_ONLY_NEW,
    STOP_LOSS,
    STP_NONE,
    SYMBOL_TRADING,
)

RULEBOOK = """
name = "test"
[instruments.default]
stp_modes = ["NONE", "EXPIRE_MAKER"]
[instruments.ONLYLIMIT]
order_types = ["LIMIT"]
"""
CALLER = Caller(4, 5, AUTH_OK, 1_000, 900, 50, 6, 7)
STRANGER = Caller(4, 0, AUTH_BAD_SIGNATURE, 1_000)


class Core:
    """What reading needs of the core."""

    pipeline: Any = None

    def __init__(self) -> None:
        self.rulebook = parse_rulebook("test", {"test": RULEBOOK})
        self.directory = Directory(self._define)
        self.directory.on_event(DefineSymbol(1, "BTCUSDT", 1, 2, SYMBOL_TRADING, 0))
        self.directory.on_event(DefineSymbol(2, "ONLYLIMIT", 1, 2, SYMBOL_TRADING, 0))

    def _define(self, event: Any) -> None:
        self.directory.on_event(event)

    def now_ns(self) -> int:
        """Return no time: reading needs none."""
        return 0


def order(**fields: Any) -> wire.PlaceRequest:
    """Return a limit order with fields changed; None leaves one out."""
    values: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": BUY,
        "order_type": LIMIT,
        "time_in_force": GTC,
        "price_e8": 100 * E8,
        "quantity_e8": E8,
    }
    return wire.PlaceRequest(
        **{name: value for name, value in (values | fields).items() if value is not None}
    )


def market(**fields: Any) -> wire.PlaceRequest:
    """Return a market order with fields changed."""
    return order(order_type=MARKET, time_in_force=None, price_e8=None, **fields)


def test_every_field_of_an_order_is_taken() -> None:
    """A full message becomes a Place with every field in its place."""
    core = Core()
    message = order(
        time_in_force=IOC,
        client_order_id="a-Z_09",
        stp_mode=STP_NONE,
        algo="algo-7",
        market_making=True,
    )
    number = core.directory.number(DEFINE_ALGO, "algo-7")
    assert read_place(core, CALLER, message) == Place(
        endpoint=Endpoint.ORDER_PLACE,
        ip=4,
        key=5,
        auth=AUTH_OK,
        received_ns=1_000,
        timestamp_ns=900,
        recv_window_ns=50,
        size=0,
        channel=CHANNEL_GRPC,
        session=6,
        agent=7,
        symbol=1,
        side=BUY,
        order_type=LIMIT,
        time_in_force=IOC,
        price_e8=100 * E8,
        quantity_e8=E8,
        quote_quantity_e8=0,
        client_order_id="a-Z_09",
        stp_mode=STP_NONE,
        flags=FLAG_ALGO | FLAG_MARKET_MAKING,
        algo=number,
    )


def test_other_kinds_of_orders() -> None:
    """Market orders by either amount, post-only orders and test orders are read."""
    core = Core()
    assert read_place(core, CALLER, market()).quantity_e8 == E8
    by_amount = read_place(core, CALLER, market(quantity_e8=None, quote_quantity_e8=7))
    assert (by_amount.quantity_e8, by_amount.quote_quantity_e8) == (0, 7)
    maker = read_place(core, CALLER, order(order_type=LIMIT_MAKER, time_in_force=None))
    assert (maker.order_type, maker.time_in_force) == (LIMIT_MAKER, 0)
    tested = read_place(core, CALLER, order(test=True))
    assert (tested.flags, tested.endpoint) == (FLAG_TEST, Endpoint.ORDER_TEST)
    most = read_place(core, CALLER, order(price_e8=INT63_MAX, quantity_e8=INT63_MAX))
    assert (most.price_e8, most.quantity_e8) == (INT63_MAX, INT63_MAX)


@pytest.mark.parametrize(
    ("message", "reason", "detail"),
    [
        (order(symbol=None), Reason.MISSING_PARAMETER, "symbol"),
        (order(symbol="NOSUCH"), Reason.UNKNOWN_SYMBOL, "NOSUCH"),
        (order(symbol="x" * 999), Reason.UNKNOWN_SYMBOL, "x" * 256),
        (order(side=None), Reason.MISSING_PARAMETER, "side"),
        (order(side=3), Reason.INVALID_SIDE, "3"),
        (order(side=-1), Reason.INVALID_SIDE, "-1"),
        (order(order_type=None), Reason.MISSING_PARAMETER, "order_type"),
        (order(order_type=99), Reason.INVALID_ORDER_TYPE, "99"),
        (order(order_type=-1), Reason.INVALID_ORDER_TYPE, "-1"),
        (order(order_type=STOP_LOSS), Reason.UNSUPPORTED_ORDER_TYPE, "STOP_LOSS"),
        (order(time_in_force=None), Reason.MISSING_PARAMETER, "time_in_force"),
        (order(time_in_force=4), Reason.INVALID_TIME_IN_FORCE, "4"),
        (order(time_in_force=-1), Reason.INVALID_TIME_IN_FORCE, "-1"),
        (order(price_e8=None), Reason.MISSING_PARAMETER, "price_e8"),
        (order(price_e8=0), Reason.PRICE_MIN, "price_e8"),
        (order(price_e8=-1), Reason.PARAMETER_OUT_OF_RANGE, "price_e8"),
        (order(price_e8=-(2**63)), Reason.PARAMETER_OUT_OF_RANGE, "price_e8"),
        (order(quantity_e8=None), Reason.MISSING_PARAMETER, "quantity_e8"),
        (order(quantity_e8=0), Reason.QUANTITY_MIN, "quantity_e8"),
        (order(quantity_e8=-1), Reason.PARAMETER_OUT_OF_RANGE, "quantity_e8"),
        (order(quote_quantity_e8=1), Reason.UNEXPECTED_PARAMETER, "quote_quantity_e8"),
        (
            order(order_type=MARKET, price_e8=None),
            Reason.UNEXPECTED_PARAMETER,
            "time_in_force",
        ),
        (order(order_type=MARKET, time_in_force=None), Reason.UNEXPECTED_PARAMETER, "price_e8"),
        (
            market(quote_quantity_e8=1),
            Reason.INVALID_ORDER_COMBINATION,
            "quantity_e8, quote_quantity_e8",
        ),
        (
            market(quantity_e8=None),
            Reason.MISSING_PARAMETER,
            "quantity_e8, quote_quantity_e8",
        ),
        (
            market(quantity_e8=None, quote_quantity_e8=0),
            Reason.NOTIONAL_MIN,
            "quote_quantity_e8",
        ),
        (
            order(order_type=LIMIT_MAKER),
            Reason.UNEXPECTED_PARAMETER,
            "time_in_force",
        ),
        (
            order(symbol="ONLYLIMIT", order_type=LIMIT_MAKER, time_in_force=None),
            Reason.UNSUPPORTED_ORDER_TYPE,
            "LIMIT_MAKER",
        ),
        (order(stp_mode=DECREMENT), Reason.INVALID_STP_MODE, "DECREMENT"),
        (order(stp_mode=77), Reason.INVALID_PARAMETER, "stp_mode"),
        (order(stp_mode=-1), Reason.INVALID_PARAMETER, "stp_mode"),
        (order(client_order_id="a b"), Reason.ILLEGAL_CHARACTERS, "client_order_id"),
        (order(client_order_id="a" * 37), Reason.ILLEGAL_CHARACTERS, "client_order_id"),
        (order(client_order_id="a\n"), Reason.ILLEGAL_CHARACTERS, "client_order_id"),
        (order(algo="a" * 65), Reason.PARAMETER_OUT_OF_RANGE, "algo"),
    ],
)
def test_faults_of_an_order(message: wire.PlaceRequest, reason: Reason, detail: str) -> None:
    """The first fault refuses the order and is named."""
    event = read_place(Core(), CALLER, message)
    assert isinstance(event, RefusedRequest)
    assert (event.reason, event.detail, event.endpoint) == (reason, detail, Endpoint.ORDER_PLACE)
    assert (event.key, event.session, event.channel) == (5, 6, CHANNEL_GRPC)


def test_client_order_id_of_36_characters_is_taken() -> None:
    """The longest client order id has 36 characters."""
    assert read_place(Core(), CALLER, order(client_order_id="a" * 36)).client_order_id == "a" * 36


def test_strangers_define_no_algorithms() -> None:
    """Only a proved key gets a new algorithm numbered: others could fill the record with names."""
    core = Core()
    assert read_place(core, STRANGER, order(algo="new")).algo == 0
    assert core.directory.known(DEFINE_ALGO, "new") == 0
    assert read_place(core, CALLER, order(algo="new", price_e8=0)).reason == Reason.PRICE_MIN
    assert core.directory.known(DEFINE_ALGO, "new") == 0
    assert read_place(core, CALLER, order(algo="new")).algo > 0


def test_cancel_and_status_name_an_order() -> None:
    """Either id names an order, or both; a message without one is refused."""
    core = Core()
    message = wire.CancelRequest(
        symbol="BTCUSDT",
        order_id=7,
        orig_client_order_id="one",
        client_order_id="mine",
        restriction=RESTRICT_ONLY_NEW,
    )
    head = CALLER.head(Endpoint.ORDER_CANCEL)
    assert read_cancel(core, CALLER, message) == Cancel(*head, 1, 7, "one", "mine", 1)
    query = read_status(core, CALLER, wire.StatusRequest(symbol="BTCUSDT", client_order_id="one"))
    assert query == Query(*CALLER.head(Endpoint.ORDER_QUERY), 1, 0, "one")


@pytest.mark.parametrize(
    ("fields", "reason", "detail"),
    [
        ({"symbol": "", "order_id": 7}, Reason.MISSING_PARAMETER, "symbol"),
        ({"symbol": "NOSUCH", "order_id": 7}, Reason.UNKNOWN_SYMBOL, "NOSUCH"),
        ({}, Reason.MISSING_PARAMETER, "order_id, orig_client_order_id"),
        ({"order_id": -1}, Reason.PARAMETER_OUT_OF_RANGE, "order_id"),
        (
            {"orig_client_order_id": "a b"},
            Reason.ILLEGAL_CHARACTERS,
            "orig_client_order_id",
        ),
        (
            {"order_id": 7, "client_order_id": "a b"},
            Reason.ILLEGAL_CHARACTERS,
            "client_order_id",
        ),
        ({"order_id": 7, "restriction": 3}, Reason.INVALID_PARAMETER, "restriction"),
        ({"order_id": 7, "restriction": -1}, Reason.INVALID_PARAMETER, "restriction"),
    ],
)
def test_faults_of_a_cancel(fields: dict[str, Any], reason: Reason, detail: str) -> None:
    """The first fault of a cancel refuses it and is named."""
    message = wire.CancelRequest(**({"symbol": "BTCUSDT"} | fields))
    event = read_cancel(Core(), CALLER, message)
    assert isinstance(event, RefusedRequest)
    assert (event.reason, event.detail) == (reason, detail)
    assert event.endpoint == Endpoint.ORDER_CANCEL


def test_replace_is_read_with_its_order() -> None:
    """A replace names the old order and carries the new one."""
    message = wire.ReplaceRequest(
        order_id=7,
        order=order(client_order_id="two"),
        cancel_client_order_id="mine",
        allow_failure=True,
        restriction=RESTRICT_ONLY_NEW,
    )
    event = read_replace(Core(), CALLER, message)
    assert isinstance(event, Replace)
    assert (event.order_id, event.symbol, event.price_e8) == (7, 1, 100 * E8)
    assert (event.client_order_id, event.cancel_client_order_id) == ("two", "mine")
    assert (event.allow_failure, event.restriction) == (True, RESTRICT_ONLY_NEW)


@pytest.mark.parametrize(
    ("message", "reason", "detail"),
    [
        (wire.ReplaceRequest(order_id=7), Reason.MISSING_PARAMETER, "order"),
        (
            wire.ReplaceRequest(order_id=7, order=order(test=True)),
            Reason.UNEXPECTED_PARAMETER,
            "order.test",
        ),
        (
            wire.ReplaceRequest(order=order()),
            Reason.MISSING_PARAMETER,
            "order_id, orig_client_order_id",
        ),
        (
            wire.ReplaceRequest(order_id=7, order=order(side=9)),
            Reason.INVALID_SIDE,
            "9",
        ),
    ],
)
def test_faults_of_a_replace(message: wire.ReplaceRequest, reason: Reason, detail: str) -> None:
    """The first fault of a replace refuses it and is named."""
    event = read_replace(Core(), CALLER, message)
    assert isinstance(event, RefusedRequest)
    assert (event.reason, event.detail) == (reason, detail)


def test_cancel_all_takes_one_symbol_or_all() -> None:
    """No symbol means every symbol; an unknown one is refused."""
    core, head = Core(), CALLER.head(Endpoint.OPEN_ORDERS_CANCEL)
    assert read_cancel_all(core, CALLER, wire.CancelAllRequest()) == CancelAll(*head, 0)
    named = wire.CancelAllRequest(symbol="BTCUSDT")
    assert read_cancel_all(core, CALLER, named) == CancelAll(*head, 1)
    unknown = read_cancel_all(core, CALLER, wire.CancelAllRequest(symbol="NOSUCH"))
    assert unknown.reason == Reason.UNKNOWN_SYMBOL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("0", 0),
        ("1", 1_000),
        ("1700000000000000", 1_700_000_000_000_000_000),
        ("9223372036854775", 9_223_372_036_854_775_000),
        ("9223372036854776", INT63_MAX),
        ("9" * 20, INT63_MAX),
        ("9" * 21, -1),
        ("-1", -1),
        ("1.5", -1),
        ("1e3", -1),
        ("\u0661", -1),
        (" 1", -1),
    ],
)
def test_times_in_metadata(text: str, expected: int) -> None:
    """Times are whole microseconds; too large ones are cut so that the rule answers."""
    assert text_time_ns(text) == expected


def test_times_in_messages() -> None:
    """A time below 0 is none, a too large one is the largest there is."""
    assert [time_ns(value) for value in (-1, 0, 1, 2**62)] == [-1, 0, 1_000, INT63_MAX]
