"""A client of the REST port that keeps what it was told."""

from collections.abc import Callable
from time import time_ns
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from tests.kill.asks import (
    ACCEPTED,
    ACCOUNT,
    AMEND,
    CANCEL,
    CANCEL_ALL,
    DEPTH,
    OPEN,
    PLACE,
    REFUSED,
    REPLACE,
    STATUS,
    UNKNOWN,
    Ask,
    Seen,
)
from tests.kill.processes import GateProcess
from tests.kill.venue import Party

KINDS: Final = (PLACE, CANCEL, CANCEL_ALL, REPLACE, AMEND, STATUS, OPEN, ACCOUNT)
ANSWER_SECONDS: Final = 30.0
_ROUTES: Final = {
    PLACE: ("POST", "/api/v3/order"),
    CANCEL: ("DELETE", "/api/v3/order"),
    CANCEL_ALL: ("DELETE", "/api/v3/openOrders"),
    REPLACE: ("POST", "/api/v3/order/cancelReplace"),
    AMEND: ("PUT", "/api/v3/order/amend/keepPriority"),
    STATUS: ("GET", "/api/v3/order"),
    OPEN: ("GET", "/api/v3/openOrders"),
    ACCOUNT: ("GET", "/api/v3/account"),
    DEPTH: ("GET", "/api/v3/depth"),
}


class RestClient:
    """Asks as one party, from its address; `tell` takes each answer as it is read."""

    def __init__(self, gate: GateProcess, party: Party, tell: Callable[[Seen], None]) -> None:
        self.party = party
        self._gate = gate
        self._tell = tell
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(local_addr=(party.address, 0)),
            timeout=aiohttp.ClientTimeout(ANSWER_SECONDS),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def ask(self, ask: Ask) -> Seen:
        """Ask, and return what was answered; raises aiohttp.ClientError when nothing was."""
        method, path = _ROUTES[ask.kind]
        query = urlencode({name: value for name, value in _parameters(ask).items() if value})
        if ask.kind != DEPTH:
            query = f"{query}&timestamp={time_ns() // 1_000_000}&recvWindow=60000".lstrip("&")
            query += f"&signature={self.party.signed(query.encode())}"
        url = URL(f"{self._gate.ready['rest']}{path}?{query}", encoded=True)
        headers = {"X-MBX-APIKEY": self.party.api_key}
        async with self._session.request(method, url, headers=headers) as response:
            body = await response.json()
            told = tuple((name.lower(), value) for name, value in response.headers.items())
            seen = _seen(self._gate.run.name, self.party, ask, response.status, told, body)
        self._tell(seen)
        return seen


def _parameters(ask: Ask) -> dict[str, str]:
    symbol = {"symbol": ask.symbol}
    if ask.kind in (PLACE, REPLACE):
        order = {
            **symbol,
            "side": ask.side,
            "type": ask.order_type,
            "timeInForce": ask.time_in_force,
            "price": ask.price,
            "quantity": ask.quantity,
            "newClientOrderId": ask.client_order_id,
            "newOrderRespType": "FULL",
        }
        if ask.kind == REPLACE:
            order["cancelOrigClientOrderId"] = ask.target
            order["cancelReplaceMode"] = "ALLOW_FAILURE" if ask.allow_failure else "STOP_ON_FAILURE"
        return order
    if ask.kind == AMEND:
        return {**symbol, "origClientOrderId": ask.target, "newQty": ask.quantity}
    if ask.kind in (CANCEL, STATUS):
        return {**symbol, "origClientOrderId": ask.target}
    if ask.kind == DEPTH:
        return {**symbol, "limit": "5000"}
    return {} if ask.kind == ACCOUNT else symbol


def _seen(
    run: str,
    party: Party,
    ask: Ask,
    status: int,
    headers: tuple[tuple[str, str], ...],
    body: Any,
) -> Seen:
    data = body.get("data", {}) if isinstance(body, dict) else {}
    told = {200: ACCEPTED, 408: UNKNOWN}.get(status, REFUSED)
    if "SUCCESS" in (data.get("cancelResult"), data.get("newOrderResult")):
        # Half of a replacement was done, which is told with 409.
        told, body = ACCEPTED, data
    seen = Seen(
        run,
        party,
        "rest",
        ask,
        told,
        dict(headers)["x-ordergate-decision"],
        http=status,
        headers=headers,
        body=body,
    )
    if told != ACCEPTED:
        return seen._replace(reason=body.get("ordergate", {}).get("reason", ""))
    if ask.kind == CANCEL_ALL:
        return seen._replace(canceled=tuple(order["orderId"] for order in body))
    if ask.kind not in (PLACE, CANCEL, REPLACE, AMEND, STATUS):
        return seen
    order = body
    if ask.kind == REPLACE:
        if body["cancelResult"] == "SUCCESS":
            seen = seen._replace(canceled=(body["cancelResponse"]["orderId"],))
        if body["newOrderResult"] != "SUCCESS":
            return seen
        order = body["newOrderResponse"]
    if ask.kind == AMEND:
        order = body["amendedOrder"]
    named = "origClientOrderId" if ask.kind == CANCEL else "clientOrderId"
    return seen._replace(
        order_id=order["orderId"],
        client_order_id=order[named],
        status=order["status"],
        executed=order["executedQty"],
        trades=tuple(fill["tradeId"] for fill in order.get("fills", ())),
    )
