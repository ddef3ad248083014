"""Parameters: exact numbers, legal ranges, the first fault, query before body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.binance.parameters import PARAMETERS_MAX, Parameters
from rules.reasons import Reason
from rules.values import E8, INT63_MAX

TOO_LARGE, TOO_SMALL = Reason.PRICE_MAX, Reason.PRICE_MIN


def decimal(text: str) -> int | Reason:
    """Return a decimal parameter's value, or what it is refused for."""
    parameters = Parameters(f"price={text}".encode(), b"")
    value = parameters.decimal_e8("price", TOO_LARGE, TOO_SMALL)
    return value if parameters.fault is None else parameters.fault.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", E8),
        ("0.00000001", 1),
        ("0.000000010000", 1),
        ("00000000000000000001", E8),
        ("1.50", 150_000_000),
        ("92233720368.54775807", INT63_MAX),
        ("92233720368.54775808", TOO_LARGE),
        ("9" * 20, TOO_LARGE),
        ("0", TOO_SMALL),
        ("0.000000000", TOO_SMALL),
        ("0.000000001", Reason.TOO_MUCH_PRECISION),
        ("1.123456789", Reason.TOO_MUCH_PRECISION),
        ("9" * 20 + "." + "9" * 20, Reason.TOO_MUCH_PRECISION),
        ("9" * 21, Reason.ILLEGAL_CHARACTERS),
        ("0." + "0" * 21, Reason.ILLEGAL_CHARACTERS),
        ("1e-05", Reason.ILLEGAL_CHARACTERS),
        ("-1", Reason.ILLEGAL_CHARACTERS),
        ("%2B1", Reason.ILLEGAL_CHARACTERS),
        ("+1", Reason.ILLEGAL_CHARACTERS),
        ("1.", Reason.ILLEGAL_CHARACTERS),
        (".1", Reason.ILLEGAL_CHARACTERS),
        ("1,5", Reason.ILLEGAL_CHARACTERS),
        ("NaN", Reason.ILLEGAL_CHARACTERS),
        ("1%0A", Reason.ILLEGAL_CHARACTERS),
        ("%D9%A3", Reason.ILLEGAL_CHARACTERS),
        ("", Reason.EMPTY_PARAMETER),
    ],
)
def test_decimals(text: str, expected: int | Reason) -> None:
    """Plain decimals of up to eight places that fit 63 bits are exact; all else has its reason."""
    assert decimal(text) == expected


@given(st.integers(1, INT63_MAX))
def test_every_amount_that_fits(value_e8: int) -> None:
    """Every amount in 1e-8 units that fits 63 bits can be sent and arrives exactly."""
    assert decimal(f"{value_e8 // E8}.{value_e8 % E8:08d}") == value_e8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        (str(INT63_MAX), INT63_MAX),
        (str(INT63_MAX + 1), Reason.NUMBER_TOO_LARGE),
        ("9" * 20, Reason.NUMBER_TOO_LARGE),
        ("9" * 21, Reason.ILLEGAL_CHARACTERS),
        ("1.0", Reason.ILLEGAL_CHARACTERS),
        ("-1", Reason.ILLEGAL_CHARACTERS),
        ("", Reason.EMPTY_PARAMETER),
    ],
)
def test_integers(text: str, expected: int | Reason) -> None:
    """Whole numbers that fit 63 bits; all else has its reason."""
    parameters = Parameters(f"orderId={text}".encode(), b"")
    value = parameters.integer("orderId")
    assert (value if parameters.fault is None else parameters.fault.reason) == expected


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("1499827319559", 1_499_827_319_559_000_000),
        ("1499827319559123", 1_499_827_319_559_123_000),
        ("999999999999999", INT63_MAX),
        ("1000000000000000", 1_000_000_000_000_000_000),
        ("0001499827319559", 1_499_827_319_559_000_000),
        ("9" * 20, INT63_MAX),
        ("0", 0),
        ("-1", -1),
        ("1.5", -1),
        ("now", -1),
    ],
)
def test_times(text: str, expected_ns: int) -> None:
    """Times are milliseconds, from sixteen digits on microseconds; -1 when malformed."""
    assert Parameters(f"timestamp={text}".encode(), b"").time_ns("timestamp") == expected_ns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5000", 5_000_000_000),
        ("6000.346", 6_000_346_000),
        ("0", 1),
        ("0.001", 1_000),
        ("9" * 20, INT63_MAX),
        ("1.0001", Reason.ILLEGAL_CHARACTERS),
        ("-5", Reason.ILLEGAL_CHARACTERS),
        ("1e3", Reason.ILLEGAL_CHARACTERS),
        ("", Reason.EMPTY_PARAMETER),
    ],
)
def test_recv_window(text: str, expected: int | Reason) -> None:
    """Milliseconds with up to three places; a window of nothing is not the default."""
    parameters = Parameters(f"recvWindow={text}".encode(), b"")
    value = parameters.recv_window_ns()
    assert (value if parameters.fault is None else parameters.fault.reason) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("BTCUSDT", None),
        ("A", None),
        ("A-B_C.1", None),
        ("%E5%B8%81", None),
        ("%EF%BC%91%EF%BC%92", None),
        ("A" * 50, None),
        ("A" * 51, Reason.ILLEGAL_CHARACTERS),
        ("btcusdt", Reason.ILLEGAL_CHARACTERS),
        ("BTC USDT", Reason.ILLEGAL_CHARACTERS),
        ("BTC/USDT", Reason.ILLEGAL_CHARACTERS),
        ("BTC%00", Reason.ILLEGAL_CHARACTERS),
        ("", Reason.EMPTY_PARAMETER),
    ],
)
def test_symbol_names(text: str, reason: Reason | None) -> None:
    """A symbol is word characters without lower-case letters, `-` and `.`, up to fifty."""
    parameters = Parameters(f"symbol={text}".encode(), b"")
    parameters.symbol_name()
    assert (parameters.fault and parameters.fault.reason) == reason


@pytest.mark.parametrize(
    ("text", "names", "code"),
    [
        ('["BTCUSDT","ETHUSDT"]', ["BTCUSDT", "ETHUSDT"], None),
        ("%5B%22BTCUSDT%22%5D", ["BTCUSDT"], None),
        ("[]", [], None),
        ("BTCUSDT", [], Reason.ILLEGAL_CHARACTERS),
        ("[1]", [], Reason.ILLEGAL_CHARACTERS),
        ('["btcusdt"]', [], Reason.ILLEGAL_CHARACTERS),
        ('["A","A"]', [], Reason.DUPLICATE_PARAMETER),
        ("[" + ",".join(f'"A{n}"' for n in range(101)) + "]", [], Reason.TOO_MANY_PARAMETERS),
    ],
)
def test_lists_of_symbols(text: str, names: list[str], code: Reason | None) -> None:
    """`symbols` is a JSON array of up to a hundred different names, encoded or not."""
    parameters = Parameters(f"symbols={text}".encode(), b"")
    assert parameters.symbol_names() == names
    assert (parameters.fault and parameters.fault.reason) == code


@pytest.mark.parametrize(
    ("text", "good"),
    [("a-B_9", True), ("x" * 36, True), ("x" * 37, False), ("a b", False), ("a.b", False)],
)
def test_client_order_ids(text: str, good: bool) -> None:
    """Client order ids have up to 36 letters, digits, `-` and `_`."""
    parameters = Parameters(f"newClientOrderId={text}".encode(), b"")
    assert parameters.client_id("newClientOrderId") == (text if good else "")
    assert (parameters.fault is None) == good


def test_query_before_body() -> None:
    """Both places count, the query wins, and the same name in both is no duplicate."""
    parameters = Parameters(b"a=1&b=2", b"b=3&c=4")
    assert parameters.values == {"a": "1", "b": "2", "c": "4"}
    assert parameters.fault is None


@pytest.mark.parametrize(("query", "body"), [(b"a=1&a=1", b""), (b"", b"a=1&a=2")])
def test_duplicates_within_one_place(query: bytes, body: bytes) -> None:
    """A name twice in one place is a fault, whether the values differ or not."""
    fault = Parameters(query, body).fault
    assert fault is not None
    assert fault.reason == Reason.DUPLICATE_PARAMETER


def test_form_encoding() -> None:
    """Plus signs are spaces, percent-encoding is undone once, empty segments are nothing."""
    parameters = Parameters(b"&a=1+2%2B3&&b=%2541&c&", b"")
    assert parameters.values == {"a": "1 2+3", "b": "%41", "c": ""}
    assert Parameters(b"a=%FF", b"").fault is not None
    assert Parameters(b"%ff=1", b"").fault is not None


def test_number_of_parameters() -> None:
    """A hundred parameters are read, one more is a fault."""
    hundred = b"&".join(b"p%d=1" % number for number in range(PARAMETERS_MAX))
    assert Parameters(hundred, b"").fault is None
    fault = Parameters(hundred + b"&last=1", b"").fault
    assert fault is not None
    assert fault.reason == Reason.TOO_MANY_PARAMETERS


def test_first_fault_wins() -> None:
    """Reading goes on after a fault, and the first one is told."""
    parameters = Parameters(b"price=x&quantity=y", b"")
    assert parameters.decimal_e8("price", TOO_LARGE, TOO_SMALL) == 0
    assert parameters.decimal_e8("quantity", TOO_LARGE, TOO_SMALL) == 0
    assert parameters.integer("orderId", mandatory=True) == 0
    assert parameters.fault is not None
    assert parameters.fault.detail == "price"


@pytest.mark.parametrize(
    ("sent", "clamp", "expected"),
    [
        (b"", False, 500),
        (b"limit=1", False, 1),
        (b"limit=1000", False, 1000),
        (b"limit=1001", False, None),
        (b"limit=1001", True, 1000),
        (b"limit=0", True, None),
        (b"limit=-1", True, None),
        (b"limit=", True, None),
    ],
)
def test_limits(sent: bytes, clamp: bool, expected: int | None) -> None:
    """`limit` has a default, a largest value that may be cut to, and is never 0."""
    parameters = Parameters(sent, b"")
    value = parameters.limit(500, 1000, clamp)
    assert (value if parameters.fault is None else None) == expected
