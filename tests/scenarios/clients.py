"""The same line of a table as a REST call and as a gRPC call, and what each was told."""

import hashlib
import hmac
import io
import json
from decimal import Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import aiohttp
import grpc
from google.rpc.status_pb2 import Status
from yarl import URL

from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.reasons import Reason
from rules.units import decimal_e8, decimal_text
from rules.values import (
    NS_PER_MS,
    ORDER_STATUS_NAMES,
    ORDER_TYPE_NAMES,
    SIDE_NAMES,
    STP_MODE_NAMES,
    TIME_IN_FORCE_NAMES,
)
from tests.scenarios.table import Step
from tests.scenarios.world import World, instant_ns, key_name, secret

UNNAMED: Final = "?"
"""A reason the Binance dialect does not name: the engine's, and a query that finds nothing."""
NOBODY: Final = "999999999"
"""An order number nobody has."""
_NO_KEYS: Final = {"malformed": "not a key", "unknown": key_name("nobody")}
_NS_PER_MICROSECOND: Final = 1_000
FLOOD: Final = b"x" * (1_048_576 + 1)
"""One byte more than either way in takes."""
_RAW: Final = {"garbage": b"\xff\xfe", "flood": FLOOD}
_RESTRICTIONS: Final = ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED")


class Told(NamedTuple):
    """What a client was told, in words that are the same for every way in."""

    decision_id: str
    refused: str = ""
    rule: str = ""
    limit: str = ""
    observed: str = ""
    """Limit and observed value as told: a number, or milliseconds or nanoseconds of a time."""
    unknown: bool = False
    status: str = ""
    executed: str = ""
    canceled: tuple[str, ...] = ()
    order_id: int = 0
    words: str = ""
    """The answer in the dialect's own words: HTTP status, code and text, or gRPC status."""


def _api_key(step: Step) -> str | None:
    return None if step.key == "none" else _NO_KEYS.get(step.key, key_name(step.key))


def _sign(step: Step, payload: bytes) -> str:
    used = "somebody else" if step.signature == "wrong" else step.key
    return hmac.new(secret(used).encode(), payload, hashlib.sha256).hexdigest()


def _sent_us(step: Step, world: World) -> int:
    offset_ns = instant_ns(step.sent)
    sent_ns = offset_ns if "T" in step.sent else world.clock.receive_ns() + offset_ns
    return sent_ns // _NS_PER_MICROSECOND


def _time_in_force(step: Step) -> str:
    if step.time_in_force is None:
        return "GTC" if step.type == "LIMIT" else ""
    return step.time_in_force


def _quantity(step: Step) -> str:
    """Return the quantity: a small one where the table does not say."""
    if step.quantity is None:
        return "" if step.quote else "0.001"
    return step.quantity


def _price(step: Step) -> str:
    if step.price is None:
        return "" if step.type in ("MARKET", "STOP_LOSS") else "60000"
    return step.price


class RestClient:
    """Speaks the Binance dialect; `answers` keeps status and body of everything it was told."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self.answers: list[tuple[int, Any]] = []
        self._world = world
        self._session = session
        self._url = f"http://127.0.0.1:{world.gate.ports['rest']}"
        self._orders: dict[str, int] = {}

    async def ask(self, step: Step) -> Told:
        """Send one line and return what came back."""
        method, path = _REST_ROUTES[step.do]
        query = "symbol=%FF%FE" if step.do == "garbage" else urlencode(self._parameters(step))
        body = FLOOD if step.do == "flood" else None
        if step.sent != "missing":
            query += f"&timestamp={_sent_us(step, self._world)}"
        if step.recv_window:
            window_us = instant_ns(step.recv_window) // _NS_PER_MICROSECOND
            query += f"&recvWindow={window_us // 1_000}.{window_us % 1_000:03d}"
        if step.signature != "missing":
            query += f"&signature={_sign(step, query.encode() + (body or b''))}"
        api_key = _api_key(step)
        headers = {} if api_key is None else {"X-MBX-APIKEY": api_key}
        url = URL(f"{self._url}{path}?{query}", encoded=True)
        data = io.BytesIO(body) if body else None
        async with self._session.request(method, url, headers=headers, data=data) as response:
            answer = json.loads(await response.read())
            self.answers.append((response.status, answer))
            told = _rest_told(response.status, response.headers, answer)
        if step.id and told.order_id:
            self._orders[step.id] = told.order_id
        return told

    def _parameters(self, step: Step) -> dict[str, str]:
        if step.do in ("place", "test"):
            return self._order(step)
        meant = {
            "origClientOrderId": step.of,
            "orderId": _number(step, self._orders),
            "cancelRestrictions": step.restriction,
        }
        if step.do == "replace":
            mode = "ALLOW_FAILURE" if step.allow_failure else "STOP_ON_FAILURE"
            named = {
                "cancelOrigClientOrderId": meant["origClientOrderId"],
                "cancelOrderId": meant["orderId"],
                "cancelRestrictions": step.restriction,
                "cancelReplaceMode": mode,
            }
            return self._order(step) | _given(named)
        if step.do == "amend":
            return _given(
                {
                    "symbol": step.symbol,
                    "origClientOrderId": step.of,
                    "newQty": step.quantity or "",
                }
            )
        return _given({"symbol": step.symbol, **meant})

    def _order(self, step: Step) -> dict[str, str]:
        return _given(
            {
                "symbol": step.symbol,
                "side": step.side,
                "type": step.type,
                "timeInForce": _time_in_force(step),
                "price": _price(step),
                "quantity": _quantity(step),
                "quoteOrderQty": step.quote or "",
                "stopPrice": "60000" if step.type == "STOP_LOSS" else "",
                "newClientOrderId": step.id,
                "selfTradePreventionMode": step.stp,
                "newOrderRespType": "RESULT" if step.do == "place" else "",
            }
        )


_REST_ROUTES: Final = {
    "place": ("POST", "/api/v3/order"),
    "test": ("POST", "/api/v3/order/test"),
    "cancel": ("DELETE", "/api/v3/order"),
    "cancel_all": ("DELETE", "/api/v3/openOrders"),
    "replace": ("POST", "/api/v3/order/cancelReplace"),
    "amend": ("PUT", "/api/v3/order/amend/keepPriority"),
    "status": ("GET", "/api/v3/order"),
    "nowhere": ("GET", "/api/v3/nowhere"),
    "garbage": ("POST", "/api/v3/order"),
    "flood": ("POST", "/api/v3/order"),
}


def _rest_told(status: int, headers: Any, body: Any) -> Told:
    decision_id = headers["X-OrderGate-Decision"]
    if status != 200:
        breach = body.get("ordergate", {})
        rule = headers.get("X-OrderGate-Rule", "")
        assert rule == breach.get("rule", rule and "engine")
        return Told(
            decision_id,
            refused=breach.get("reason", UNNAMED),
            rule=rule,
            limit=_rest_value(breach.get("limit", "")),
            observed=_rest_value(breach.get("observed", "")),
            unknown=status == 408,
            words=f"{status} {body['code']} {body['msg']}",
        )
    if isinstance(body, list):
        ended = tuple(sorted(one["origClientOrderId"] for one in body))
        return Told(decision_id, canceled=ended)
    order = body.get("newOrderResponse", body.get("amendedOrder", body))
    return Told(
        decision_id,
        status=order.get("status", ""),
        executed=_plain(order.get("executedQty", "0")),
        order_id=order.get("orderId", 0),
    )


def _rest_value(value: Any) -> str:
    text = str(value)
    return _plain(text) if "." in text else text


class GrpcClient:
    """Speaks the native dialect, one signed unary call for each line."""

    def __init__(self, world: World, channel: grpc.aio.Channel) -> None:
        self._world = world
        self._channel = channel
        self._orders: dict[str, int] = {}

    async def ask(self, step: Step) -> Told:
        """Send one line and return what came back."""
        name, answer_type = _GRPC_METHODS[step.do]
        path = f"/ordergate.v1.OrderEntry/{name}"
        raw = _RAW.get(step.do) or self._message(step).SerializeToString()
        call = self._channel.unary_unary(path)
        try:
            answer = answer_type.FromString(
                await call(raw, metadata=self._metadata(step, path, raw))
            )
        except grpc.aio.AioRpcError as error:
            return _grpc_refused(error)
        told = _grpc_told(answer)
        if step.id and told.order_id:
            self._orders[step.id] = told.order_id
        return told

    def _metadata(self, step: Step, path: str, raw: bytes) -> list[tuple[str, str]]:
        found = []
        api_key = _api_key(step)
        if api_key is not None:
            found.append(("x-ordergate-key", api_key))
        sent = "" if step.sent == "missing" else str(_sent_us(step, self._world))
        if sent:
            found.append(("x-ordergate-timestamp", sent))
        window = ""
        if step.recv_window:
            window = str(instant_ns(step.recv_window) // _NS_PER_MICROSECOND)
            found.append(("x-ordergate-recv-window", window))
        if step.signature != "missing":
            payload = f"{path}\n{sent}\n{window}\n".encode() + raw
            found.append(("x-ordergate-signature", _sign(step, payload)))
        return found

    def _message(self, step: Step) -> Any:
        if step.do in ("place", "test"):
            return self._order(step)
        order_id = int(_number(step, self._orders) or "0")
        restriction = _RESTRICTIONS.index(step.restriction)
        if step.do == "cancel":
            return wire.CancelRequest(
                symbol=step.symbol,
                order_id=order_id,
                orig_client_order_id=step.of,
                restriction=restriction,  # type: ignore[arg-type]
            )
        if step.do == "replace":
            return wire.ReplaceRequest(
                order_id=order_id,
                orig_client_order_id=step.of,
                order=self._order(step),
                allow_failure=step.allow_failure,
                restriction=restriction,  # type: ignore[arg-type]
            )
        if step.do == "status":
            return wire.StatusRequest(
                symbol=step.symbol, order_id=order_id, client_order_id=step.of
            )
        return wire.CancelAllRequest(symbol=step.symbol)

    def _order(self, step: Step) -> wire.PlaceRequest:
        message = wire.PlaceRequest(
            symbol=step.symbol, client_order_id=step.id, test=step.do == "test"
        )
        for field, names, name in (
            ("side", SIDE_NAMES, step.side),
            ("order_type", ORDER_TYPE_NAMES, step.type),
            ("time_in_force", TIME_IN_FORCE_NAMES, _time_in_force(step)),
            ("stp_mode", STP_MODE_NAMES, step.stp),
        ):
            # A name that does not exist becomes a number that does not.
            setattr(message, field, names.index(name) if name in names else 77)
        for field, text in (
            ("price_e8", _price(step)),
            ("quantity_e8", _quantity(step)),
            ("quote_quantity_e8", step.quote or ""),
        ):
            if text:
                setattr(message, field, decimal_e8(text))
        return message


_GRPC_METHODS: Final[dict[str, tuple[str, Any]]] = {
    "place": ("Place", wire.PlaceResponse),
    "test": ("Place", wire.PlaceResponse),
    "cancel": ("Cancel", wire.CancelResponse),
    "cancel_all": ("CancelAll", wire.CancelAllResponse),
    "replace": ("Replace", wire.ReplaceResponse),
    "status": ("Status", wire.StatusResponse),
    "nowhere": ("Nowhere", wire.StatusResponse),
    "garbage": ("Place", wire.PlaceResponse),
    "flood": ("Place", wire.PlaceResponse),
}


def _grpc_refused(error: grpc.aio.AioRpcError) -> Told:
    metadata: dict[str, Any] = dict(error.trailing_metadata() or ())
    status = Status.FromString(metadata["grpc-status-details-bin"])
    refusal = wire.Refusal()
    assert status.details[0].Unpack(refusal)
    assert metadata.get("x-ordergate-rule", "") == refusal.rule
    name = Reason(refusal.reason).name
    nobody = "request" if refusal.detail or refusal.expected else ""
    return Told(
        refusal.decision_id,
        refused=name,
        rule=refusal.rule or ("engine" if name.startswith("ENGINE_") else nobody),
        limit=_grpc_value(refusal.limit, refusal.unit),
        observed=_grpc_value(refusal.observed, refusal.unit),
        unknown=refusal.unknown,
        words=error.code().name,
    )


def _grpc_value(text: str, unit: int) -> str:
    if unit == wire.LIMIT_UNIT_E8 and text.lstrip("-").isdecimal():
        return _plain(str(Decimal(text).scaleb(-8)))
    return text


def _grpc_told(answer: Any) -> Told:
    if isinstance(answer, wire.CancelAllResponse):
        ended = tuple(sorted(one.client_order_id for one in answer.orders))
        return Told(answer.decision_id, canceled=ended)
    order = answer
    if isinstance(answer, wire.ReplaceResponse):
        order = answer.placed
    elif isinstance(answer, wire.CancelResponse | wire.StatusResponse):
        order = answer.order
    return Told(
        answer.decision_id,
        status=ORDER_STATUS_NAMES[order.status],
        executed=decimal_text(order.executed_e8),
        order_id=order.order_id,
    )


def _given(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _number(step: Step, orders: dict[str, int]) -> str:
    """Return the order number a line sends, empty for none."""
    if step.order == "unknown":
        return NOBODY
    return str(orders[step.order]) if step.order else ""


def _plain(text: str) -> str:
    """Return a decimal number without needless zeros."""
    return format(Decimal(text).normalize(), "f")


def told_ns(text: str, channel: str) -> tuple[int, int]:
    """Return a told time in ns, and how exact it is: REST tells whole milliseconds."""
    return (int(text) * NS_PER_MS, NS_PER_MS) if channel == "rest" else (int(text), 1)
