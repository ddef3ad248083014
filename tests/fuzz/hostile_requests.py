"""Requests nobody should send, made from ones that are right: seeded, so that a run repeats."""

import hashlib
import hmac
import random
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

from gateway.demo_keys import DEMO_KEYS
from tests.fuzz.raw_http import message

KEY: Final = DEMO_KEYS[0].name
SECRET: Final = DEMO_KEYS[0].secret

NUMBERS: Final = (
    "9" * 20,
    "1" + "0" * 19,
    "9" * 20 + "." + "9" * 20,
    str(2**63 - 1),
    str(2**63),
    "92233720368.54775807",
    "92233720368.54775808",
)
"""Twenty digits, and both sides of what fits 63 bits, plain and in units of 1e-8."""
NOT_NUMBERS: Final = (
    *("-1", "+1", "1e5", "1E-8", "1e400", "NaN", "Infinity", "0x10", "1_000", "1,5", ".5", "5."),
    *("", " 1", "1 ", "0", "0.0", "00", "0.000000001", "٣", "½", "\x00", "1\x00", "null", "true"),
    *("%", "%%", "../..", "'", '"', "<script>", "a" * 300, "\ud7ff", "🙂", "\u202e", "\n", "\r\n"),
)

LIMIT: Final = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "20000",
}
MARKET: Final = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "10"}


class Request(NamedTuple):
    """One request to be signed and sent, and what may be wrong with it."""

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    signed: bool = True
    kind: str = "right"


def _right(method: str, path: str, signed: bool = True, **parameters: str) -> Request:
    return Request(method, path, tuple(parameters.items()), signed)


RIGHT: Final = (
    _right("POST", "/api/v3/order", **LIMIT, newClientOrderId="fuzz", strategyId="1"),
    _right("POST", "/api/v3/order", **MARKET, strategyType="1000000"),
    _right(
        "POST",
        "/api/v3/order",
        **{**LIMIT, "type": "STOP_LOSS_LIMIT", "stopPrice": "1", "icebergQty": "0.1"},
        trailingDelta="5",
    ),
    _right("POST", "/api/v3/order/test", **LIMIT, computeCommissionRates="true"),
    _right("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId="12"),
    _right("DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="fuzz"),
    _right(
        "POST",
        "/api/v3/order/cancelReplace",
        **LIMIT,
        cancelReplaceMode="ALLOW_FAILURE",
        cancelOrderId="12",
        cancelRestrictions="ONLY_NEW",
    ),
    _right(
        "PUT", "/api/v3/order/amend/keepPriority", symbol="BTCUSDT", orderId="12", newQty="0.0005"
    ),
    _right("DELETE", "/api/v3/openOrders", symbol="ETHUSDT"),
    _right("GET", "/api/v3/order", symbol="BTCUSDT", orderId="12"),
    _right("GET", "/api/v3/openOrders", symbol="BTCUSDT"),
    _right(
        "GET",
        "/api/v3/allOrders",
        symbol="BTCUSDT",
        orderId="1",
        limit="10",
        startTime="1500000000000",
        endTime="1500000000001",
    ),
    _right("GET", "/api/v3/account", omitZeroBalances="true"),
    _right(
        "GET",
        "/api/v3/myTrades",
        symbol="BTCUSDT",
        fromId="1",
        limit="10",
        orderId="3",
        endTime="9",
    ),
    _right("GET", "/api/v3/rateLimit/order"),
    _right("GET", "/api/v3/account/commission", symbol="BTCUSDT"),
    _right("GET", "/ordergate/v1/limits"),
    _right("GET", "/ordergate/v1/decisions/aaaaaaaaaaaaaaaaaaaaaaaaaa"),
    _right("GET", "/api/v3/ping", signed=False),
    _right("GET", "/api/v3/exchangeInfo", signed=False, symbol="BTCUSDT"),
    _right("GET", "/api/v3/depth", signed=False, symbol="BTCUSDT", limit="10"),
    _right("GET", "/api/v3/trades", signed=False, symbol="BTCUSDT", limit="10"),
    _right("GET", "/api/v3/historicalTrades", signed=False, symbol="BTCUSDT", fromId="1"),
    _right(
        "GET",
        "/api/v3/aggTrades",
        signed=False,
        symbol="BTCUSDT",
        startTime="1",
        endTime="2",
        limit="3",
    ),
    _right("GET", "/api/v3/aggTrades", signed=False, symbol="BTCUSDT", fromId="1"),
    _right(
        "GET",
        "/api/v3/klines",
        signed=False,
        symbol="BTCUSDT",
        interval="1M",
        limit="5",
        startTime="1500000000000",
        endTime="1900000000000",
    ),
    _right("GET", "/api/v3/avgPrice", signed=False, symbol="BTCUSDT"),
    _right("GET", "/api/v3/ticker/24hr", signed=False, symbols='["BTCUSDT","ETHUSDT"]'),
    _right("GET", "/api/v3/ticker/price", signed=False, symbol="BTCUSDT"),
)
"""One right request of each thing that can be asked, with every parameter it knows."""


def signature(payload: str) -> str:
    """Return the signature of a query."""
    return hmac.new(
        SECRET.encode(), payload.encode("utf-8", "surrogateescape"), hashlib.sha256
    ).hexdigest()


def query_of(pairs: tuple[tuple[str, str], ...]) -> str:
    """Return pairs as a query, percent-encoded."""
    return "&".join(
        f"{quote(name, safe='')}={quote(value, safe='', errors='surrogatepass')}"
        for name, value in pairs
    )


def encoded(request: Request, timestamp_ms: int = 0) -> bytes:
    """Return a request's bytes, signed where it is to be."""
    pairs = request.parameters
    headers: dict[str, str] = {}
    if request.signed:
        names = {name for name, _ in pairs}
        if "timestamp" not in names:
            pairs = (*pairs, ("timestamp", str(timestamp_ms or time.time_ns() // 1_000_000)))
        headers["X-MBX-APIKEY"] = KEY
    query = query_of(pairs)
    if request.signed:
        query += f"&signature={signature(query)}"
    target = f"{request.path}?{query}" if query else request.path
    return message(request.method, target, headers)


def with_value(request: Request, name: str, value: str, kind: str) -> Request:
    """Return a request with one parameter set."""
    pairs = tuple((key, value if key == name else old) for key, old in request.parameters)
    if all(key != name for key, _ in pairs):
        pairs = (*pairs, (name, value))
    return request._replace(parameters=pairs, kind=kind)


def numbers_in_every_field() -> Iterator[Request]:
    """Yield each right request with each large number in each of its fields in turn."""
    for request in RIGHT:
        names = [name for name, _ in request.parameters]
        if request.signed:
            names += ["timestamp", "recvWindow"]
        for name in names:
            for number in NUMBERS:
                yield with_value(request, name, number, f"{name}={number}")


Change = Callable[[random.Random, Request], bytes]


def _not_a_number(chance: random.Random, request: Request) -> bytes:
    names = [name for name, _ in request.parameters] or ["limit"]
    changed = with_value(request, chance.choice(names), chance.choice(NOT_NUMBERS), "")
    return encoded(changed)


def _missing(chance: random.Random, request: Request) -> bytes:
    pairs = list(request.parameters)
    if pairs:
        pairs.pop(chance.randrange(len(pairs)))
    return encoded(request._replace(parameters=tuple(pairs)))


def _twice(chance: random.Random, request: Request) -> bytes:
    pairs = list(request.parameters) or [("symbol", "BTCUSDT")]
    pairs.insert(chance.randrange(len(pairs) + 1), chance.choice(pairs))
    return encoded(request._replace(parameters=tuple(pairs)))


def _many(chance: random.Random, request: Request) -> bytes:
    extra = tuple((f"x{number}", "1") for number in range(chance.choice((50, 99, 100, 101, 300))))
    return encoded(request._replace(parameters=request.parameters + extra))


def _unsigned(chance: random.Random, request: Request) -> bytes:
    pairs = request.parameters
    headers = chance.choice(({}, {"X-MBX-APIKEY": KEY}, {"X-MBX-APIKEY": ""}))
    return message(request.method, f"{request.path}?{query_of(pairs)}", headers)


def _wrongly_signed(chance: random.Random, request: Request) -> bytes:
    query = query_of((*request.parameters, ("timestamp", str(time.time_ns() // 1_000_000))))
    wrong = ("0" * 64, "", "zz", "%00", "=" * 88, "A" * 5_000, "%F0%9F%99%82", "+/==", "%")
    good = signature(query)
    told = chance.choice((*wrong, good[:-1], good + "0", good.upper()[::-1]))
    target = f"{request.path}?{query}&signature={told}"
    return message(request.method, target, {"X-MBX-APIKEY": KEY})


def _unknown_key(chance: random.Random, request: Request) -> bytes:
    wrong = ("nobody", "x" * 64, "x" * 4_000, KEY + " ", KEY.lower(), "é" * 64, "\x01", "a,b")
    right = encoded(request._replace(signed=True))
    return right.replace(KEY.encode(), chance.choice(wrong).encode(), 1)


def _wrong_time(chance: random.Random, request: Request) -> bytes:
    now_ms = time.time_ns() // 1_000_000
    wrong = (
        now_ms - 5_001,
        now_ms - 10**9,
        now_ms + 1_500,
        now_ms + 11_000,
        1,
        0,
        -1,
        now_ms * 10**3,
    )
    times = (("timestamp", str(chance.choice(wrong))),)
    if chance.random() < 0.5:
        windows = ("0", "60000", "60001", "60000.001", "0.0001", "-1", "9" * 20, "x")
        times += (("recvWindow", chance.choice(windows)),)
    return encoded(request._replace(signed=True, parameters=request.parameters + times))


def _wrong_method(chance: random.Random, request: Request) -> bytes:
    methods = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")
    return encoded(request._replace(method=chance.choice(methods)))


def _in_the_body(chance: random.Random, request: Request) -> bytes:
    pairs = (*request.parameters, ("timestamp", str(time.time_ns() // 1_000_000)))
    payload = query_of(pairs)
    body = f"{payload}&signature={signature(payload)}".encode()
    kinds = ("application/x-www-form-urlencoded", "application/json", "text/plain", "", "é/x", "*")
    headers = {"X-MBX-APIKEY": KEY, "Content-Type": chance.choice(kinds)}
    method = chance.choice(("POST", request.method))
    return message(method, request.path, headers, body)


def _strange_body(chance: random.Random, request: Request) -> bytes:
    bodies = (b'{"symbol":"BTCUSDT"}', b"\x00" * 100, b"\xff\xfe", b"&" * 400, b"=" * 50, b"a=%zz")
    size = chance.choice((1, 10, 1_000, 70_000))
    body = chance.choice((*bodies, chance.randbytes(size)))
    headers = {"X-MBX-APIKEY": KEY}
    if chance.random() < 0.3:
        headers["Content-Encoding"] = chance.choice(("gzip", "deflate", "br", "nonsense"))
    return message("POST", request.path, headers, body)


def _strange_path(chance: random.Random, request: Request) -> bytes:
    paths = (
        *(
            "/",
            "//",
            "/api",
            "/api/",
            "/api/v3",
            "/api/v3/order/",
            "/api/v3//order",
            "/API/v3/order",
        ),
        *("/api/v3/order/../ping", "/api/v3/%6frder", "/api/v3/order%00", "/api/v3/order%2e"),
        *(
            "/nothing",
            "/v1/orders",
            "/sapi/v1/nothing",
            "/ordergate/v1/",
            "/ordergate/v1/decisions/",
        ),
        *("/ordergate/v1/decisions/a/b", "/ordergate/v1/decisions/%00", "/" + "a" * 4_000, "/*"),
        *("/api/v3/order;x=1", "/api/v3/order#f", "http://elsewhere/api/v3/ping", "/metrics"),
    )
    return encoded(request._replace(path=chance.choice(paths)))


def _raw_query(chance: random.Random, request: Request) -> bytes:
    alphabet = "&=%+?;[]{}\"'0123456789abcdefBTCUSDT\\|~^`<>"
    query = "".join(chance.choices(alphabet, k=chance.randrange(1, 120)))
    signed = f"{query}&timestamp={time.time_ns() // 1_000_000}"
    target = f"{request.path}?{signed}&signature={signature(signed)}"
    return message(request.method, target, {"X-MBX-APIKEY": KEY})


def _strange_headers(chance: random.Random, request: Request) -> bytes:
    names = (
        *("X-MBX-TIME-UNIT", "Accept-Encoding", "Cookie", "User-Agent", "X-Forwarded-For", "Range"),
        *("If-None-Match", "Accept", "Authorization", "Origin", "Date", "X-OrderGate-Decision"),
    )
    values = ("", "MICROSECOND", "x" * 3_000, "é", "\t", "9" * 20, "a\x0bb", ",,,", "127.0.0.1")
    raw = encoded(request)
    head, _, body = raw.partition(b"\r\n\r\n")
    for _ in range(chance.choice((1, 5, 60))):
        head += f"\r\n{chance.choice(names)}: {chance.choice(values)}".encode()
    return head + b"\r\n\r\n" + body


def _untouched(chance: random.Random, request: Request) -> bytes:
    return encoded(request)


CHANGES: Final[dict[str, Change]] = {
    "untouched": _untouched,
    "not a number": _not_a_number,
    "missing": _missing,
    "twice": _twice,
    "many": _many,
    "unsigned": _unsigned,
    "wrongly signed": _wrongly_signed,
    "unknown key": _unknown_key,
    "wrong time": _wrong_time,
    "wrong method": _wrong_method,
    "in the body": _in_the_body,
    "strange body": _strange_body,
    "strange path": _strange_path,
    "raw query": _raw_query,
    "strange headers": _strange_headers,
}
"""Ways to spoil a request that leave it HTTP."""

NOT_HTTP: Final = (
    b"\r\n\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /api/v3/ping\r\n\r\n",
    b"GET /api/v3/ping HTTP/9.9\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.1\r\nNo colon\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.1\r\n: empty\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.1\r\nA b: c\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.1\r\n" + b"X: y\r\n" * 2_000 + b"\r\n",
    b"GET /api/v3/ping?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/v3/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/v3/ping?\x00\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 20 + b"\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: nonsense\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 200 + b"\r\n\r\n",
    b"\x00" * 64 + b"\r\n\r\n",
    b"CONNECT gate:443 HTTP/1.1\r\nHost: gate\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: gate\r\n\r\n",
    b"get /api/v3/ping HTTP/1.1\r\nHost: gate\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.0\r\n\r\n",
    b"GET /api/v3/ping HTTP/1.1\n\n",
    b"GET /api/v3/ping HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na=1",
    b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nExpect: nonsense\r\nContent-Length: 3\r\n\r\na=1",
)
"""Bytes that are no HTTP, or are it in a way a client library would not write."""
