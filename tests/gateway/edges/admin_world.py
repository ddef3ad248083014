"""A gate small enough for the admin port alone: real book, directory, rules, keys and metrics.

In the place of pipeline and settlement stands what operators' events do to the book.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import ClientSession

from gateway.admin.administration import Administration
from gateway.admin.key_registry import KeyRegistry
from gateway.auth.keystore import KeyStore
from gateway.decision_id import DecisionIds
from gateway.directory import Directory
from gateway.edges.admin import AdminEdge
from gateway.outcome import Outcome, Reply
from gateway.telemetry import Telemetry
from gateway.turns import PATIENT, Turns
from rules.access.ban_ladder import BanLadder
from rules.access.overload import Overload
from rules.book import AccountFacts, Book, KeyFacts, OpenOrder, SymbolFacts
from rules.decisions import NOTED_DECISION, Usage
from rules.events import (
    ClearBan,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    SetState,
    SetSymbolState,
)
from rules.rule import Rule
from rules.rulebook import Rulebook, parse_rulebook
from rules.values import (
    BUY,
    DEFINE_ADDRESS,
    DEFINE_ASSET,
    DEFINE_OWNER,
    E8,
    GTC,
    LIMIT,
    NS_PER_SECOND,
    STATE_KILLED,
    SYMBOL_TRADING,
)

RULEBOOK = """
name = "test"
[rules.ban_ladder]
mode = "enforce"
"""
TOKEN = "the token of the test"
START_NS = 1_780_000_000 * NS_PER_SECOND


class AdminPipeline:
    """The rules, asked for their use of limits."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rules: tuple[Rule, ...] = (BanLadder(rulebook), Overload(rulebook))

    def rule(self, name: str) -> Rule | None:
        """Return one rule."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def usage(self, rule_name: str, scope: int, subject: int, now_ns: int) -> tuple[Usage, ...]:
        """Return one rule's use."""
        for rule in self.rules:
            if rule.name == rule_name:
                return rule.usage(scope, subject, Book(), now_ns)
        return ()


class AdminJournal:
    """A record that can be lost."""

    def __init__(self) -> None:
        self.directory = Path("record")
        self.recorded_seq = 0
        self.fault = ""


class AdminCore:
    """Decides operators' events; a KILLED account's orders are cancelled two at a time."""

    def __init__(self) -> None:
        self.rulebook = parse_rulebook("test", {"test": RULEBOOK})
        self.book = Book()
        self.pipeline = AdminPipeline(self.rulebook)
        self.directory = Directory(self.submit)
        self.journal = AdminJournal()
        self.recorded = True
        self.events: list[Event] = []
        self.time_ns = START_NS
        self.seq = 0

    def now_ns(self) -> int:
        """Return the time that was set."""
        return self.time_ns

    def submit(self, event: Event, reply: Reply | None = None) -> None:
        """Take one event."""
        self.seq += 1
        self.journal.recorded_seq = self.seq
        self.events.append(event)
        self.directory.on_event(event)
        self._settle(event)
        if reply is not None:
            reply(Outcome(self.seq, self.time_ns, event, NOTED_DECISION))

    def _settle(self, event: Event) -> None:
        book = self.book
        if isinstance(event, SetState):
            where = (event.scope, event.subject)
            book.states[where] = event.state
            book.state_notes[where] = (event.note, event.actor, self.time_ns)
            if not event.state:
                del book.states[where], book.state_notes[where]
            if event.state == STATE_KILLED:
                for order_id in list(book.orders)[:2]:
                    self.end_order(order_id)
        elif isinstance(event, SetSymbolState):
            book.symbols[event.symbol].state = event.state
        elif isinstance(event, ClearBan):
            self.pipeline.rules[0].apply(event, NOTED_DECISION, book, self.time_ns)
        elif isinstance(event, DefineSymbol):
            book.symbols[event.symbol] = SymbolFacts(
                event.symbol, event.name, 1, 2, self.rulebook.filters(event.name)
            )
        elif isinstance(event, DefineAccount):
            book.accounts[event.account] = AccountFacts(
                event.account, event.name, event.owner, event.tier, event.flags, event.enabled
            )
        elif isinstance(event, DefineKey):
            book.keys[event.key] = KeyFacts(
                event.key,
                event.name,
                event.account,
                event.permissions,
                frozenset(event.addresses),
                event.expires_ns,
                event.enabled,
            )

    def add_order(self, order_id: int, account: int, key: int = 1) -> None:
        """Put an open order into the book."""
        owner = self.book.accounts[account].owner
        order = OpenOrder(
            *(order_id, order_id, account, owner, key, 0, 1, BUY, LIMIT, GTC, E8, E8, 0, 0),
            *("", 0, 0, 0),
        )
        self.book.add_order(order)

    def end_order(self, order_id: int) -> None:
        """Take an order out of the book."""
        self.book.end_order(self.book.orders[order_id])


class Reached(NamedTuple):
    """One answer of the admin port."""

    status: int
    body: Any
    headers: Any


class AdminWorld:
    """An admin port on a free port of the loopback interface."""

    def __init__(self, directory: Path, manual_clock: bool = True) -> None:
        self.core = AdminCore()
        self.keystore = KeyStore(directory / "keys.db", bytes(32))
        self.telemetry = Telemetry()
        self.decision_ids = DecisionIds(b"the test's decision id key")
        self.port = 0
        self.turns = Turns(PATIENT)
        administration = Administration(self.core, self.decision_ids, self.core.journal, self.turns)
        self.edge = AdminEdge(
            TOKEN,
            administration,
            KeyRegistry(self.core, self.keystore),
            self.telemetry,
            self._find_decision,
            self._advance if manual_clock else None,
            home=directory,
        )
        for event in (
            Define(DEFINE_ASSET, 1, "BTC"),
            Define(DEFINE_ASSET, 2, "USDT"),
            DefineSymbol(1, "BTCUSDT", 1, 2, SYMBOL_TRADING, 65_000 * E8),
            Define(DEFINE_OWNER, 1, "alice ltd"),
            Define(DEFINE_OWNER, 2, "bob"),
            DefineAccount(1, "alice-1", 1, "", 0),
            DefineAccount(2, "alice-2", 1, "", 0),
            DefineAccount(3, "bob", 2, "", 0),
            DefineKey(1, "A" * 64, 1, 3, (), 0),
            Define(DEFINE_ADDRESS, 1, "127.0.0.1"),
        ):
            self.core.submit(event)
        for order_id, account in ((1, 1), (2, 1), (3, 1), (4, 2), (5, 3)):
            self.core.add_order(order_id, account)

    def _find_decision(self, name: str) -> Any:
        seq = self.decision_ids.decode(name)
        return None if seq is None or seq > self.core.seq else {"seq": seq}

    def _advance(self, duration_ns: int) -> None:
        self.core.time_ns += duration_ns

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reached:
        """Send one request with the token."""
        given = {"Authorization": f"Bearer {TOKEN}"} | headers
        return await self.send(method, path, body, given)

    async def send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reached:
        """Send one request with exactly these headers."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            ClientSession() as session,
            session.request(method, url, data=data, headers=headers) as response,
        ):
            text = await response.text()
            decoded = json.loads(text) if "json" in response.content_type else text
            return Reached(response.status, decoded, response.headers)


@asynccontextmanager
async def serving(directory: Path, manual_clock: bool = True) -> AsyncIterator[AdminWorld]:
    """Run an admin port."""
    world = AdminWorld(directory, manual_clock)
    world.port = await world.edge.start("127.0.0.1", 0)
    try:
        yield world
    finally:
        await world.edge.close()
        world.telemetry.close()
        world.keystore.close()


def run(scenario: Any) -> None:
    """Run one scenario on an event loop of its own."""
    asyncio.run(scenario)
