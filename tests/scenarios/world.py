"""A gate for one scenario: time that stands still, a rulebook with changes, a market."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.admin import messages
from gateway.admin.administration import Administration
from gateway.admin.case_messages import CaseActRequest
from gateway.admin.cases import CaseAdministration
from gateway.app import Gate
from gateway.clock import ManualClock
from gateway.config import (
    AccountConfig,
    Config,
    InstrumentConfig,
    KeyConfig,
    ListenConfig,
    OwnerGroupConfig,
    RecordConfig,
)
from gateway.engine.embedded import EmbeddedEngine
from rules.conduct_facts import STEP_NAMES
from rules.decisions import ACCEPTED, Decision
from rules.endpoints import Endpoint
from rules.events import CommandResult, Event, Place, RecordSpace
from rules.units import decimal_e8, duration_ns
from rules.values import (
    AUTH_OK,
    CHANNEL_INTERNAL,
    DEFINE_GROUP,
    DEFINE_OWNER,
    GTC,
    LIMIT,
    NS_PER_SECOND,
    SIDE_NAMES,
    SPACE_NAMES,
)
from tests.gateway.gate_world import NOTHING_SHED
from tests.scenarios.table import Account, Key, Scenario, Step

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
START_NS = int(START.timestamp()) * NS_PER_SECOND
"""Noon: the beginning of every fixed window a rulebook may name."""
MARKET_ACCOUNT = "market"
ACTOR = "scenario"


class StillClock(ManualClock):
    """Time that passes only when it is moved, for limits and for receipt alike."""

    def __init__(self) -> None:
        super().__init__()
        self._now_ns = START_NS

    def now_ns(self) -> int:
        """Return core time."""
        return self._now_ns

    def receive_ns(self) -> int:
        """Return the receive clock: the same."""
        return self._now_ns

    def slew(self) -> None:
        """Follow no other clock."""

    def advance(self, by_ns: int) -> None:
        """Move time forward."""
        self._now_ns += by_ns


def key_name(name: str) -> str:
    """Return the API key of a key's short name: 64 letters and digits."""
    return name.ljust(64, "0")


def secret(name: str) -> str:
    """Return the secret of a key."""
    return f"secret of {name}"


def instant_ns(text: str) -> int:
    """Return an instant or, as an offset from the start, a duration in ns since the epoch."""
    if "T" in text:
        moment = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
        return (moment.days * 86_400 + moment.seconds) * NS_PER_SECOND + moment.microseconds * 1000
    sign = -1 if text.startswith("-") else 1
    return sign * sum(map(duration_ns, text.lstrip("-").split()))


class World:
    """A running gate, what it decided, and what operators do to it."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.clock = gate.clock
        self.decisions: dict[int, tuple[Event, Decision]] = {}
        self.results: dict[int, CommandResult] = {}
        core = gate.core
        core.listeners.add(self._recorded)
        self._administration = Administration(core, gate.decision_ids, gate.journal)
        self._cases = CaseAdministration(core, gate.decision_ids)
        self._told: list[str] = []

    def _recorded(self, seq: int, now_ns: int, event: Event, decision: Decision) -> None:
        self.decisions[seq] = event, decision
        for alert in decision.alerts:
            kind = DEFINE_OWNER if alert.interest > 0 else DEFINE_GROUP
            who = self.gate.directory.name(kind, abs(alert.interest))
            self._told.append(f"{alert.rule} {who} {alert.severity}")
        if isinstance(event, CommandResult):
            self.results[event.command_id] = event

    def decided(self, decision_id: str) -> tuple[int, Event, Decision]:
        """Return sequence number, event and decision of what a client was told the id of."""
        seq = self.gate.decision_ids.decode(decision_id)
        assert seq is not None, f"{decision_id} is no decision id"
        return seq, *self.decisions[seq]

    def wait(self, by_ns: int) -> None:
        """Let time pass, with everything that is due."""
        clock, engine = self.clock, self.gate.engine
        assert isinstance(clock, ManualClock)
        assert isinstance(engine, EmbeddedEngine)
        clock.advance(by_ns)
        self.gate.core.tick()
        engine.poll(clock.now_ns())

    async def act(self, step: Step) -> None:
        """Do what is not a client's request."""
        operator = self._administration
        directory = self.gate.directory
        note: dict[str, Any] = {"reason": "as the scenario says", "actor": ACTOR}
        subject = key_name(step.subject) if step.scope == "key" else step.subject
        if step.do == "wait":
            self.wait(instant_ns(step.time))
        elif step.do == "stop":
            asked = {"scope": step.scope, "subject": subject, "state": step.state, **note}
            await operator.kill(msgspec.convert(asked, messages.KillRequest))
        elif step.do == "release":
            asked = {"scope": step.scope, "subject": subject, **note}
            await operator.release(msgspec.convert(asked, messages.ReleaseRequest))
        elif step.do == "symbol_state":
            asked = {"symbol": step.symbol, "state": step.state, **note}
            await operator.set_symbol_state(msgspec.convert(asked, messages.SymbolStateRequest))
        elif step.do == "ban":
            seconds = instant_ns(step.time) // NS_PER_SECOND
            ban = messages.BanRequest(address=step.subject, seconds=seconds, actor=ACTOR)
            await operator.ban(ban)
        elif step.do in ("alerts", "standing", "case"):
            await self._conduct(step)
        elif step.do == "record_space":
            self.gate.core.submit(RecordSpace(SPACE_NAMES.index(step.state), 0))
        elif step.do == "disable_key":
            known = directory.keys[key_name(step.subject)]
            self.gate.core.submit(msgspec.structs.replace(known, enabled=False))
        else:
            assert step.do == "disable_account", f"{step.do} is a client's request"
            account = directory.accounts[step.subject]
            self.gate.core.submit(msgspec.structs.replace(account, enabled=False))

    async def _conduct(self, step: Step) -> None:
        """Hold alerts and measures against what the line says, or decide the latest case."""
        cases = self._cases.cases()
        if step.do == "alerts":
            told, self._told = tuple(self._told), []
            assert told == step.expect.told, f"told: {told}"
        elif step.do == "standing":
            symbol = self.gate.directory.symbols[step.symbol].symbol
            owner = self.gate.directory.known(DEFINE_OWNER, step.subject)
            conduct = self.gate.core.book.conduct
            found = conduct.standing(conduct.interest_of(owner), symbol)
            step_found = STEP_NAMES[found.step if found is not None else 0]
            assert step_found == step.state, f"{step.subject} stands at {step_found}"
        else:
            asked = {"case": cases.cases[0].case, "act": step.state, "note": "-", "actor": ACTOR}
            await self._cases.act(msgspec.convert(asked, CaseActRequest))

    def make_market(self, scenario: Scenario) -> None:
        """Enter the market's orders through the core's door, from an address of their own."""
        core, directory = self.gate.core, self.gate.directory
        key = directory.keys[key_name(MARKET_ACCOUNT)].key
        for quote in scenario.market:
            event = Place(
                endpoint=int(Endpoint.ORDER_PLACE),
                ip=directory.address("192.0.2.1"),
                key=key,
                auth=AUTH_OK,
                received_ns=self.clock.receive_ns(),
                timestamp_ns=self.clock.receive_ns(),
                recv_window_ns=NS_PER_SECOND,
                size=0,
                channel=CHANNEL_INTERNAL,
                session=0,
                agent=0,
                symbol=directory.symbols[quote.symbol].symbol,
                side=SIDE_NAMES.index(quote.side),
                order_type=LIMIT,
                time_in_force=GTC,
                price_e8=decimal_e8(quote.price),
                quantity_e8=decimal_e8(quote.quantity),
                quote_quantity_e8=0,
            )
            core.submit(event)
            _, decision = next(
                pair for pair in reversed(self.decisions.values()) if pair[0] is event
            )
            assert decision.verdict == ACCEPTED, f"{quote} is refused: {decision.breaches}"
        if scenario.market:
            # Best prices are told at most every 100 ms.
            self.wait(instant_ns("100ms"))


def rulebook_file(scenario: Scenario, folder: Path) -> str:
    """Return the rulebook of a scenario: a shipped one's name, or a file that changes one."""
    if not scenario.changes:
        return scenario.rulebook
    path = folder / "scenario.toml"
    tree = {"name": path.stem, "extends": scenario.rulebook, **scenario.changes}
    path.write_text(_toml(tree), encoding="utf-8")
    return str(path)


def _toml(tree: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """Return a tree as TOML: values first, then each table under its own heading."""
    lines = [f"[{'.'.join(path)}]"] if path else []
    tables = []
    for name, value in tree.items():
        if isinstance(value, dict):
            tables.append(_toml(value, (*path, name)))
        else:
            lines.append(f"{name} = {_value(value)}")
    return "\n".join([*lines, *tables])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return msgspec.json.encode(value).decode()


def config_of(scenario: Scenario, channel: str, folder: Path) -> Config:
    """Return the configuration of a scenario's gate, listening on one way in only."""
    accounts = {"alice": Account(), "bob": Account(), **scenario.accounts}
    keys = {"alice": Key(), "bob": Key(), **scenario.keys, MARKET_ACCOUNT: Key()}
    rich = {"USDT": "1000000000", "BTC": "1000000", "ETH": "1000000"}
    accounts[MARKET_ACCOUNT] = Account(tier="market_maker", market_maker=True, funds=rich)
    return Config(
        rulebook=rulebook_file(scenario, folder),
        listen=ListenConfig(
            rest_port=0 if channel == "rest" else -1,
            grpc_port=0 if channel == "grpc" else -1,
            admin_port=-1,
        ),
        overload=NOTHING_SHED,
        record=RecordConfig(data=folder / "data", segment_bytes=1 << 20, durability="process"),
        instruments=(
            InstrumentConfig(
                name="BTCUSDT", base="BTC", quote="USDT", previous_close=scenario.previous_close
            ),
            InstrumentConfig(name="ETHUSDT", base="ETH", quote="USDT", previous_close="3000"),
        ),
        accounts=tuple(
            AccountConfig(
                name=name,
                owner=account.owner,
                tier=account.tier,
                market_maker=account.market_maker,
                funds=account.funds,
            )
            for name, account in accounts.items()
        ),
        owner_groups=tuple(
            OwnerGroupConfig(
                name=group,
                owners=tuple(
                    dict.fromkeys(
                        account.owner or name
                        for name, account in accounts.items()
                        if account.group == group
                    )
                ),
            )
            for group in dict.fromkeys(one.group for one in accounts.values() if one.group)
        ),
        keys=tuple(
            KeyConfig(
                name=key_name(name),
                account=key.account or name,
                secret=secret(name),
                permissions=key.permissions,  # type: ignore[arg-type]
                addresses=key.addresses,
                expires=key.expires,
            )
            for name, key in keys.items()
        ),
        clock="manual",
    )


@asynccontextmanager
async def running(scenario: Scenario, channel: str, folder: Path) -> AsyncIterator[World]:
    """Run the gate of a scenario with its market made."""
    async with started(Gate(config_of(scenario, channel, folder), StillClock())) as world:
        world.make_market(scenario)
        yield world


@asynccontextmanager
async def started(gate: Gate) -> AsyncIterator[World]:
    """Start a gate, and stop it afterwards."""
    try:
        await gate.start()
        yield World(gate)
    finally:
        await gate.stop()
        # A gate that starts takes everything there is out of the collector's sight.
        gc.unfreeze()
