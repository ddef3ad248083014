"""Market and clock of a target that speaks the WebSocket API, over a connection of its own."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final, Self

import aiohttp
import msgspec

from loadtest.control import RECV_WINDOW_MS, Control
from loadtest.market import Market, read_markets, read_time_ms
from loadtest.signing import Key
from loadtest.unanswered import reason
from loadtest.units import NS_PER_MS, LoadTestError

_SECONDS: Final = 10.0


class _Answer(msgspec.Struct):
    id: Any = None
    status: int = 0
    result: Any = None


def signed_parameters(key: Key, parameters: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return parameters with key and signature.

    Signed are all of them, sorted by name, as they stand and not percent-encoded.
    """
    named = dict(sorted({**parameters, "apiKey": key.name}.items()))
    payload = "&".join(f"{name}={value}" for name, value in named.items())
    return named | {"signature": key.signature(payload.encode())}


async def _refuse_redirect(_session: object, _context: object, _request: object) -> None:
    """A redirect may lead to a host that nobody has stated to be his own."""
    raise aiohttp.ClientError("the target redirects to another place")


class WebSocketControl(Control):
    """Asks over the WebSocket API."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: aiohttp.ClientSession | None = None
        self._ids = count(1)

    async def __aenter__(self) -> Self:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(_refuse_redirect)
        self._http = aiohttp.ClientSession(trace_configs=[tracing])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def markets(self, wanted: Sequence[str]) -> list[Market]:
        """Return the wanted symbols with their prices, or the first one that trades."""
        info, _ = await self._result("exchangeInfo")
        tickers, _ = await self._result("ticker.book")
        return read_markets(info, tickers, wanted)

    async def server_time_ms(self) -> int:
        """Return the target's clock."""
        return (await self._time())[0]

    async def server_minus_stopwatch_ns(self) -> int:
        """Return what to add to `time.perf_counter_ns` to get the target's clock."""
        server_ms, at_ns = await self._time()
        return server_ms * NS_PER_MS - at_ns

    async def _time(self) -> tuple[int, int]:
        """Return the target's clock in ms, and the stopwatch in the middle of the question."""
        result, at_ns = await self._result("time")
        try:
            return read_time_ms(result), at_ns
        except (KeyError, TypeError, ValueError):
            raise LoadTestError(f"{self._url}: `time` tells no time") from None

    async def cancel_all(self, keys: Sequence[Key], symbols: Sequence[str]) -> None:
        """Cancel what the runs have left open; a venue without open orders may refuse that."""
        offset_ns = await self.server_minus_stopwatch_ns()
        asked: list[tuple[str, dict[str, str | int]]] = []
        for key in keys:
            for symbol in symbols:
                now_ms = (time.perf_counter_ns() + offset_ns) // NS_PER_MS
                parameters: dict[str, str | int] = {
                    "symbol": symbol,
                    "recvWindow": RECV_WINDOW_MS,
                    "timestamp": now_ms,
                }
                asked.append(("openOrders.cancelAll", signed_parameters(key, parameters)))
        await self._ask(asked)

    async def _result(self, method: str) -> tuple[Any, int]:
        ((answer, at_ns),) = await self._ask([(method, {})])
        if answer.status != 200:
            raise LoadTestError(f"{self._url}: `{method}` answers {answer.status}")
        return answer.result, at_ns

    async def _ask(
        self, asked: Sequence[tuple[str, dict[str, str | int]]]
    ) -> list[tuple[_Answer, int]]:
        """Ask one after the other on one connection.

        Returns answers, each with the stopwatch in the middle between question and answer.
        """
        assert self._http is not None
        answers = []
        timeout = aiohttp.ClientWSTimeout(ws_receive=_SECONDS, ws_close=_SECONDS)
        try:
            async with self._http.ws_connect(self._url, timeout=timeout) as socket:
                for method, parameters in asked:
                    number = next(self._ids)
                    request = {"id": number, "method": method, "params": parameters}
                    answer, before_ns = _Answer(), time.perf_counter_ns()
                    await socket.send_str(msgspec.json.encode(request).decode())
                    async with asyncio.timeout(_SECONDS):
                        while answer.id != number:
                            text = await socket.receive_str()
                            answer = msgspec.json.decode(text, type=_Answer)
                    answers.append((answer, (before_ns + time.perf_counter_ns()) // 2))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LoadTestError(f"{self._url}: {reason(error)}") from None
        except TypeError:
            raise LoadTestError(f"{self._url}: the WebSocket ended before an answer") from None
        except msgspec.DecodeError as error:
            raise LoadTestError(f"{self._url}: its answer can't be read: {error}") from None
        return answers
