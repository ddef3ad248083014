"""Clients and operators who keep a gate busy until it is killed, or until they are asked to end."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

import aiohttp
import grpc

from tests.kill import native, rest
from tests.kill.asks import DEPTH, Ask, Seen, Trader
from tests.kill.operators import Act, Operator
from tests.kill.processes import GateProcess
from tests.kill.venue import (
    GREEDY_PARTY,
    REST_PARTIES,
    SESSION_PARTIES,
    UNARY_PARTIES,
    Party,
)

GONE: Final = (aiohttp.ClientError, grpc.aio.AioRpcError, asyncio.IncompleteReadError, OSError)
"""What a client meets when the gate was killed."""
_ENTRIES_MAX: Final = 8
_GREEDY_CONNECTIONS: Final = 3


class Load:
    """Everybody who asks something of one life of a gate; `seen` and `acts` are what they know."""

    def __init__(self, gate: GateProcess, chance: Random, life: int) -> None:
        self.seen: list[Seen] = []
        self.acts: list[Act] = []
        self._gate = gate
        self._chance = chance
        self._life = life
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Let everybody begin."""
        works: list[Callable[[Random], Awaitable[None]]] = [self._operator]
        works += [self._greedy] * _GREEDY_CONNECTIONS
        works += [self._work(self._rest, party) for party in REST_PARTIES]
        works += [self._work(self._unary, party) for party in UNARY_PARTIES]
        works += [self._work(self._session, party) for party in SESSION_PARTIES]
        for work in works:
            chance = Random(self._chance.random())
            self._tasks.append(asyncio.create_task(self._until_gone(work, chance)))

    async def end(self) -> None:
        """Return when everybody has got the present answer, or has lost the gate."""
        self._ending.set()
        await asyncio.gather(*self._tasks)

    def _work(
        self, work: Callable[[Party, Random], Awaitable[None]], party: Party
    ) -> Callable[[Random], Awaitable[None]]:
        return lambda chance: work(party, chance)

    async def _until_gone(self, work: Callable[[Random], Awaitable[None]], chance: Random) -> None:
        try:
            await work(chance)
        except GONE:
            return

    async def _rest(self, party: Party, chance: Random) -> None:
        client = rest.RestClient(self._gate, party, self.seen.append)
        await self._trade(client, rest.KINDS, Trader(party, chance, self._life))

    async def _unary(self, party: Party, chance: Random) -> None:
        client = native.UnaryClient(self._gate, party, self.seen.append)
        await self._trade(client, native.KINDS, Trader(party, chance, self._life))

    async def _trade(self, client: Any, kinds: tuple[str, ...], trader: Trader) -> None:
        try:
            while not self._ending.is_set():
                trader.learn(await client.ask(trader.next_ask(kinds)))
        finally:
            await client.close()

    async def _session(self, party: Party, chance: Random) -> None:
        client = native.SessionClient(self._gate, party, self.seen.append)
        trader = Trader(party, chance, self._life)
        try:
            await client.open()
            while not self._ending.is_set():
                asks = [
                    trader.next_ask(native.KINDS) for _ in range(chance.randint(1, _ENTRIES_MAX))
                ]
                for seen in await client.ask_all(asks):
                    trader.learn(seen)
        finally:
            await client.close()

    async def _greedy(self, chance: Random) -> None:
        """Ask for much until the address is banned, and now and then afterwards."""
        client = rest.RestClient(self._gate, GREEDY_PARTY, self.seen.append)
        try:
            while not self._ending.is_set():
                seen = await client.ask(Ask(DEPTH))
                if seen.http == 418:
                    await asyncio.sleep(0.05)
        finally:
            await client.close()

    async def _operator(self, chance: Random) -> None:
        operator = Operator(self._gate, self.acts.append)
        try:
            while not self._ending.is_set():
                await asyncio.sleep(chance.uniform(0.02, 0.2))
                await operator.act(chance)
        finally:
            await operator.close()
