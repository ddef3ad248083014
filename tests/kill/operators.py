"""An operator who stops, releases and bans through the admin port."""

from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

import aiohttp

from tests.kill.processes import GateProcess
from tests.kill.venue import ETH_SYMBOL, REST_PARTIES

SCOPES: Final = (
    ("account", "ann"),
    ("account", "cat"),
    ("owner", "house"),
    ("owner", "dan"),
    ("symbol", ETH_SYMBOL),
    ("key", REST_PARTIES[2].api_key),
)
STATES: Final = ("KILLED", "KILLED", "KILLED", "CANCEL_ONLY", "REDUCE_ONLY", "SLOW")
_NOTE: Final = {"reason": "a test of ends", "actor": "operator"}


class Act(NamedTuple):
    """Something an operator did, as it was acknowledged."""

    run: str
    decision_id: str
    scope: str
    subject: str
    state: str
    """The stop state set; empty for a ban."""


class Operator:
    """Acts on one life of a gate; `tell` takes what was acknowledged."""

    def __init__(self, gate: GateProcess, tell: Callable[[Act], None]) -> None:
        self._gate = gate
        self._tell = tell
        self._stopped: list[tuple[str, str]] = []
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {gate.admin_token}"}
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def get(self, path: str, **query: str) -> Any:
        """Return what a page of the admin port says; raises aiohttp.ClientError."""
        url = f"{self._gate.ready['admin']}{path}"
        async with self._session.get(url, params=query) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def act(self, chance: Random) -> None:
        """Stop a scope, release one, or ban an address for a moment."""
        if chance.random() < 0.04:
            await self._ban(chance.choice(REST_PARTIES).address, 3)
        elif self._stopped and chance.random() < 0.6:
            await self.release(*self._stopped.pop(0))
        elif going := [scope for scope in SCOPES if scope not in self._stopped]:
            scope, subject = chance.choice(going)
            await self._set(scope, subject, chance.choice(STATES))
            self._stopped.append((scope, subject))

    async def release(self, scope: str, subject: str) -> None:
        """Set a scope back to ACTIVE."""
        answer = await self._post("release", {"scope": scope, "subject": subject, **_NOTE})
        self._told(answer, scope, subject, "ACTIVE")

    async def _set(self, scope: str, subject: str, state: str) -> None:
        asked = {"scope": scope, "subject": subject, "state": state, **_NOTE}
        self._told(await self._post("kill", asked), scope, subject, state)

    async def _ban(self, address: str, seconds: int) -> None:
        asked = {"address": address, "seconds": seconds, "actor": "operator"}
        self._told(await self._post("ban", asked), "", address, "")

    def _told(self, answer: Any, scope: str, subject: str, state: str) -> None:
        self._tell(Act(self._gate.run.name, answer["decision_id"], scope, subject, state))

    async def _post(self, name: str, message: dict[str, Any]) -> Any:
        url = f"{self._gate.ready['admin']}/admin/v1/{name}"
        async with self._session.post(url, json=message) as response:
            assert response.status == 200, await response.text()
            return await response.json()
