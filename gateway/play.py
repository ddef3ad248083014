"""A recorded flow as live, signed orders against a Binance-style REST API.

Open loop: every request is sent at its recorded time divided by the speed, whether or not earlier
ones were answered; only requests about one order wait for each other, so that a cancel never
overtakes its order. At speed `max` a fixed number of requests is kept in flight instead.
"""

import asyncio
import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from yarl import URL

from gateway.flows.course import Course
from gateway.flows.plan import KINDS, ORDER_PATH, Message, Plan
from gateway.flows.reader import Flow
from gateway.flows.rescale import Scale, TargetFilters, median_notionals_e8, target_filters
from gateway.flows.venue import Listing, listings
from rules.units import decimal_e8
from rules.values import NS_PER_MS, NS_PER_SECOND

IN_FLIGHT_MAX: Final = 64
"""Requests kept in flight at speed `max`, and connections used at any speed."""

ANSWER_TIMEOUT_S: Final = 10
_SAID_MAX: Final = 300
"""Bytes shown of an answer that is not the expected one."""

RULE_HEADER: Final = "X-OrderGate-Rule"

Progress = Callable[[int], None]
"""Called with the number of requests answered."""


class PlayError(ValueError):
    """A target or mapping that can't be used; the message names the value."""


class Credentials(msgspec.Struct, frozen=True):
    """An API key of the target and its HMAC secret."""

    key: str
    secret: str

    def signed(self, parameters: Mapping[str, str]) -> str:
        """Return the query string with its signature."""
        query = urlencode(parameters)
        digest = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return f"{query}&signature={digest}"


def is_loopback(target: str) -> bool:
    """Return whether a URL names this machine; raises PlayError when it is not an HTTP URL."""
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PlayError(f"target `{target}` is not a URL such as http://127.0.0.1:8080")
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


class Answers:
    """What came back, counted by kind of request."""

    def __init__(self) -> None:
        self.sent = 0
        self.accepted = dict.fromkeys(KINDS, 0)
        self.refused: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        self.failed: dict[str, int] = {}
        """Requests without an answer, by what went wrong."""
        self.latest_ns = 0
        """The longest a request was sent after its time."""

    def figures(self) -> dict[str, Any]:
        """Return the counts under their `--json` names."""
        return {
            "sent": self.sent,
            "accepted": self.accepted,
            "refused": {kind: dict(sorted(codes.items())) for kind, codes in self.refused.items()},
            "failed": dict(sorted(self.failed.items())),
            "lateness_ms_max": round(self.latest_ns / NS_PER_MS, 3),
        }


class Player:
    """One connection pool to one target."""

    def __init__(self, target: str, credentials: Credentials, recv_window_ms: int = 5_000) -> None:
        self._target = target.rstrip("/")
        self._credentials = credentials
        self._recv_window = str(recv_window_ms)
        self._session: aiohttp.ClientSession | None = None
        self._server_minus_loop_ns = 0
        self.answers = Answers()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=IN_FLIGHT_MAX),
            timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
            headers={"X-MBX-APIKEY": self._credentials.key},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def scales(
        self, flow: Flow, course: Course, symbol_map: Mapping[str, str], notional_e8: int
    ) -> dict[str, Scale]:
        """Return how each recorded symbol is rescaled to the target's; raises PlayError.

        Symbols without an entry in `symbol_map` go to the target's symbol of the same letters,
        or else to the target's symbols in turn.
        """
        server = await self._get("/api/v3/time")
        loop_ns = int(asyncio.get_running_loop().time() * NS_PER_SECOND)
        self._server_minus_loop_ns = int(server["serverTime"]) * NS_PER_MS - loop_ns
        info = await self._get("/api/v3/exchangeInfo")
        prices = {
            entry["symbol"]: entry["price"] for entry in await self._get("/api/v3/ticker/price")
        }
        try:
            offered = {entry["symbol"]: target_filters(entry) for entry in info["symbols"]}
        except (KeyError, TypeError, ValueError) as error:
            raise PlayError(f"exchangeInfo of {self._target} can't be read: {error}") from None
        found = listings(flow, course)
        medians = median_notionals_e8(flow, course)
        scales = {}
        for name, filters in _targets(found, offered, symbol_map).items():
            level_e8 = decimal_e8(prices.get(filters.symbol, "0"))
            if not level_e8 or not found[name].opening_price_e8:
                raise PlayError(f"symbol `{filters.symbol}` has no price at {self._target} yet")
            scales[name] = Scale(filters, level_e8, found[name], medians.get(name, 0), notional_e8)
        return scales

    def tag(self) -> str:
        """Return a beginning for client order ids that another run does not have."""
        return f"p{self._timestamp_ms():x}"

    async def play(self, planned: Plan, speed: float, progress: Progress | None = None) -> None:
        """Send every request of `planned`; `speed` 0 means as fast as the target answers."""
        loop = asyncio.get_running_loop()
        room = asyncio.Semaphore(IN_FLIGHT_MAX)
        started = loop.time()
        first_ns = planned.messages[0].ts_ns if planned.messages else 0
        last_of_order: dict[tuple[str, str], asyncio.Task[None]] = {}
        running: set[asyncio.Task[None]] = set()

        def done(order: tuple[str, str], task: asyncio.Task[None]) -> None:
            running.discard(task)
            if not speed:
                room.release()
            if last_of_order.get(order) is task:
                del last_of_order[order]
            if progress is not None:
                progress(self.answers.sent)

        for message in planned.messages:
            if speed:
                due = started + (message.ts_ns - first_ns) / NS_PER_SECOND / speed
                wait = due - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                else:
                    self.answers.latest_ns = max(self.answers.latest_ns, int(-wait * NS_PER_SECOND))
            else:
                await room.acquire()
            order = message.order
            task = loop.create_task(self._send(message, last_of_order.get(order)))
            last_of_order[order] = task
            running.add(task)
            task.add_done_callback(partial(done, order))
        await asyncio.gather(*running)

    async def _send(self, message: Message, before: asyncio.Task[None] | None) -> None:
        """Send one request once the one before it about the same order is answered."""
        if before is not None:
            await asyncio.wait((before,))
        assert self._session is not None
        parameters = {
            **message.parameters,
            "timestamp": str(self._timestamp_ms()),
            "recvWindow": self._recv_window,
        }
        url = f"{self._target}{ORDER_PATH}?{self._credentials.signed(parameters)}"
        answers = self.answers
        try:
            # A redirect may lead to a host that was not named.
            async with self._session.request(
                message.method, URL(url, encoded=True), allow_redirects=False
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            name = type(error).__name__
            answers.failed[name] = answers.failed.get(name, 0) + 1
        else:
            if response.status == 200:
                answers.accepted[message.kind] += 1
            else:
                code = _code(response.status, body, response.headers.get(RULE_HEADER, ""))
                refused = answers.refused[message.kind]
                refused[code] = refused.get(code, 0) + 1
        answers.sent += 1

    def _timestamp_ms(self) -> int:
        """Return the target's clock, carried on by the loop's from when it was asked."""
        loop_ns = int(asyncio.get_running_loop().time() * NS_PER_SECOND)
        return (self._server_minus_loop_ns + loop_ns) // NS_PER_MS

    async def _get(self, path: str) -> Any:
        assert self._session is not None
        try:
            async with self._session.get(self._target + path, allow_redirects=False) as response:
                body = await response.read()
                if response.status != 200:
                    said = body[:_SAID_MAX].decode("utf-8", "replace")
                    raise PlayError(f"{self._target}{path} answers {response.status}: {said}")
                return msgspec.json.decode(body)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            raise PlayError(f"{self._target}{path} can't be read: {error}") from None


def parse_symbol_map(text: str) -> dict[str, str]:
    """Return the pairs of `GOOG=BTCUSDT,MSFT=ETHUSDT`; raises PlayError."""
    pairs = {}
    for part in filter(None, text.split(",")):
        recorded, found, target = part.partition("=")
        if not found or not recorded or not target:
            raise PlayError(f"symbol map `{part}` is not a pair such as GOOG=BTCUSDT")
        pairs[recorded] = target
    return pairs


def _targets(
    found: Mapping[str, Listing],
    offered: Mapping[str, TargetFilters],
    symbol_map: Mapping[str, str],
) -> dict[str, TargetFilters]:
    """Return the target's symbol of each recorded one."""
    if not offered:
        raise PlayError("the target offers no symbols")
    for recorded in symbol_map:
        if recorded not in found:
            raise PlayError(f"symbol map: `{recorded}` is not in the flow; {', '.join(found)} are")
    in_turn = list(offered)
    targets = {}
    for index, name in enumerate(found):
        letters = "".join(filter(str.isalnum, name)).upper()
        wanted = symbol_map.get(name) or (letters if letters in offered else "")
        wanted = wanted or in_turn[index % len(in_turn)]
        if wanted not in offered:
            raise PlayError(
                f"symbol map: the target has no `{wanted}`; it has {', '.join(offered)}"
            )
        targets[name] = offered[wanted]
    return targets


def _code(status: int, body: bytes, rule: str) -> str:
    """Return a short name for a refusal: the dialect's code, else the status, and the reason."""
    try:
        decoded = msgspec.json.decode(body)
        code = str(decoded["code"])
    except (msgspec.DecodeError, KeyError, TypeError):
        code = f"HTTP {status}"
    return f"{code} {rule}".rstrip()
