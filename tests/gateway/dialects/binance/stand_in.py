"""A venue small enough for the dialect alone: real directory, book, rulebook, views and keys.

In the place of the pipeline stands a decision that each test sets; everything that the dialect
reads or writes is real.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from gateway.auth.authenticator import Authenticator
from gateway.auth.material import KeyMaterial
from gateway.decision_id import DecisionIds
from gateway.dialects.binance.dialect import BinanceDialect
from gateway.dialects.http import HttpRequest, HttpResponse, Parsed
from gateway.directory import Directory
from gateway.engine.port import DepthSnapshot
from gateway.outcome import Outcome
from gateway.views import Views
from rules.book import AccountFacts, Balance, Book, KeyFacts, SymbolFacts
from rules.decisions import ACCEPTED, NOTED_DECISION, REFUSED, Breach, Decision, Usage
from rules.events import (
    CommandResult,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    Event,
    RefusedRequest,
)
from rules.reasons import Reason
from rules.rule import Rule
from rules.rulebook import Rulebook, parse_rulebook
from rules.values import (
    DEFINE_ASSET,
    E8,
    NEW,
    NS_PER_DAY,
    NS_PER_MINUTE,
    NS_PER_MS,
    NS_PER_SECOND,
    PERMIT_READ,
    PERMIT_TRADE,
    SYMBOL_TRADING,
)

NOW_NS = 1_700_000_000_000 * NS_PER_MS
SECRET = b"the secret of the test key"
KEY = "K" * 64
OTHER_KEY = "O" * 64
LIMIT_ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "100.5",
}

RULEBOOK = """
name = "test"
[rules.request_weight]
mode = "enforce"
windows = [{interval = "1m", limit = 6000}]
[rules.order_count]
mode = "enforce"
windows = [{interval = "10s", limit = 100}, {interval = "1d", limit = 200000}]
[rules.raw_requests]
mode = "enforce"
windows = [{interval = "5m", limit = 300000}]
[rules.price_filter]
mode = "enforce"
[rules.lot_size]
mode = "enforce"
[rules.notional]
mode = "enforce"
[rules.max_num_orders]
mode = "enforce"
[instruments.default]
min_price = "0.01"
max_price = "1000000"
tick_size = "0.01"
min_quantity = "0.00001"
max_quantity = "9000"
step_size = "0.00001"
notional_min = "5"
notional_max = "9000000"
notional_min_applies_to_market = true
average_price_minutes = 5
max_num_orders = 200
"""
_SIGNED = (
    "order_place",
    "order_test",
    "order_cancel",
    "open_orders_cancel",
    "order_cancel_replace",
    "order_amend",
    "order_query",
    "open_orders",
    "open_orders_all",
    "all_orders",
    "account",
    "my_trades",
    "my_trades_by_order",
    "rate_limit_order",
    "account_commission",
    "gate_decision",
    "gate_limits",
)
_ENDPOINTS = "".join(f'[endpoints.{name}]\nsecurity = "signed"\n' for name in _SIGNED)


class RequestWeight(Rule):
    """A rule by its name only."""

    name = "request_weight"


class Detector(Rule):
    """A rule that does not disclose its limits."""

    name = "detector"
    discloses = False


class StandInPipeline:
    """Answers what a dialect asks of the pipeline, with fixed uses."""

    def __init__(self) -> None:
        self.rules = (RequestWeight(parse_rulebook("bare", {"bare": ""})),)

    def rule(self, name: str) -> Rule | None:
        """Return a rule that keeps its limits to itself, if it is that one that is asked for."""
        return Detector(parse_rulebook("bare", {"bare": ""})) if name == Detector.name else None

    def usage(self, name: str, scope: int, subject: int, now_ns: int) -> tuple[Usage, ...]:
        """Return fixed uses of weight and order count."""
        if name == "request_weight":
            end_ns = now_ns + NS_PER_MINUTE
            return (
                Usage(name, scope, subject, 21, 6000, NS_PER_MINUTE, end_ns, "1M"),
                Usage(name, scope, subject, 99, 100, NS_PER_MINUTE, end_ns, "GATE-1M"),
            )
        if name == "order_count":
            return (
                Usage(name, scope, subject, 3, 100, 10 * NS_PER_SECOND, now_ns, "10S"),
                Usage(name, scope, subject, 4, 200_000, NS_PER_DAY, now_ns, "1D"),
            )
        return ()

    def used(self, name: str, scope: int, subject: int, now_ns: int) -> tuple[int, ...]:
        """Return the same uses as answers tell them."""
        found: list[int] = []
        for usage in self.usage(name, scope, subject, now_ns):
            if not usage.label.startswith("GATE-"):
                found += (usage.window_ns, usage.used)
        return tuple(found)


class StandInEngine:
    """Answers depth and nothing else."""

    def depth(self, symbol: int, levels: int) -> DepthSnapshot:
        """Return two levels a side."""
        bids = ((100 * E8, E8), (99 * E8, 2 * E8))
        asks = ((101 * E8, 3 * E8), (102 * E8, 4 * E8))
        return DepthSnapshot(symbol, 7, NOW_NS, bids[:levels], asks[:levels])


@dataclass
class Recorded:
    """A decision as the record keeps it."""

    seq: int
    now_ns: int
    event: Event
    decision: Decision


@dataclass
class StandInCore:
    """The core's surface."""

    rulebook: Rulebook
    book: Book = field(default_factory=Book)
    pipeline: StandInPipeline = field(default_factory=StandInPipeline)
    time_ns: int = NOW_NS

    def __post_init__(self) -> None:
        self.directory = Directory(self.submit)

    def now_ns(self) -> int:
        """Return the set time."""
        return self.time_ns

    def submit(self, event: Event) -> None:
        """Take a definition."""
        self.directory.on_event(event)
        if isinstance(event, DefineSymbol):
            facts = SymbolFacts(
                event.symbol,
                event.name,
                event.base_asset,
                event.quote_asset,
                self.rulebook.filters(event.name),
            )
            facts.maker_commission_ppm = event.maker_commission_ppm
            facts.taker_commission_ppm = event.taker_commission_ppm
            facts.previous_close_e8 = event.previous_close_e8
            self.book.symbols[event.symbol] = facts
        elif isinstance(event, DefineAccount):
            self.book.accounts[event.account] = AccountFacts(
                event.account, event.name, event.owner, event.tier, event.flags, True
            )
        elif isinstance(event, DefineKey):
            self.book.keys[event.key] = KeyFacts(
                event.key, event.name, event.account, event.permissions, frozenset(), 0, True
            )


class Venue:
    """The dialect with everything around it."""

    def __init__(self) -> None:
        self.core = StandInCore(parse_rulebook("test", {"test": RULEBOOK + _ENDPOINTS}))
        core = self.core
        base, quote = (core.directory.number(DEFINE_ASSET, name) for name in ("BTC", "USDT"))
        core.submit(DefineSymbol(1, "BTCUSDT", base, quote, SYMBOL_TRADING, 100 * E8, 1_000, 2_000))
        core.submit(DefineSymbol(2, "ETHUSDT", base, quote, SYMBOL_TRADING, 10 * E8))
        core.submit(DefineAccount(1, "alice", 1, "", 0))
        core.submit(DefineAccount(2, "bob", 2, "", 0))
        core.submit(DefineKey(1, KEY, 1, PERMIT_READ | PERMIT_TRADE, (), 0))
        core.submit(DefineKey(2, OTHER_KEY, 2, PERMIT_READ, (), 0))
        core.book.balances[1, quote] = Balance(1_000 * E8, 10 * E8)
        self.views = Views(core, StandInEngine(), seed_history=False)
        for definition in core.directory.symbols.values():
            self.views.on_record(1, NOW_NS, definition, NOTED_DECISION)
        self.ids = DecisionIds(b"stand-in decision ids")
        self.records: dict[int, Recorded] = {}
        material = KeyMaterial("hmac", SECRET)
        self.dialect = BinanceDialect(
            core,
            self.views,
            Authenticator(lambda _: material, core.directory),
            self.ids,
            self.records.get,
        )
        self.seq = 100

    def parse(
        self,
        method: str,
        path: str,
        query: str | bytes = b"",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        body_too_large: bool = False,
    ) -> Parsed:
        """Parse a request of 127.0.0.1."""
        raw = query.encode() if isinstance(query, str) else query
        request = HttpRequest(
            method, path, raw, headers or {}, body, "127.0.0.1", NOW_NS, 0, body_too_large
        )
        return self.dialect.parse(request)

    def signed(
        self,
        method: str,
        path: str,
        key: str = KEY,
        headers: dict[str, str] | None = None,
        in_body: bool = False,
        **parameters: Any,
    ) -> Parsed:
        """Parse a request signed with the test key."""
        parameters.setdefault("timestamp", NOW_NS // NS_PER_MS)
        raw = urlencode(parameters).encode()
        raw += b"&signature=" + hmac.new(SECRET, raw, hashlib.sha256).hexdigest().encode()
        sent = {"x-mbx-apikey": key, **(headers or {})}
        if in_body:
            return self.parse(method, path, b"", raw, sent)
        return self.parse(method, path, raw, b"", sent)

    def decide(
        self,
        parsed: Parsed,
        breach: Breach | None = None,
        result: Callable[[int], CommandResult] | None = None,
        order_id: int = 0,
        client_order_id: str = "",
    ) -> HttpResponse:
        """Record a decision of a parsed request, the engine's result with it, and render it."""
        self.seq += 1
        seq, event = self.seq, parsed.event
        if isinstance(event, RefusedRequest) and breach is None:
            breach = Breach("request", event.reason, 0, 0)
        if breach is not None:
            decision = Decision(REFUSED, (breach,), account=1)
        else:
            decision = Decision(
                ACCEPTED, order_id=order_id, account=1, client_order_id=client_order_id
            )
        self.records[seq] = Recorded(seq, self.core.time_ns, event, decision)
        self.views.on_record(seq, self.core.time_ns, event, decision)
        answered = result(seq) if result is not None else None
        if answered is not None:
            self.seq += 1
            self.views.on_record(self.seq, self.core.time_ns, answered, NOTED_DECISION)
        return parsed.render(Outcome(seq, self.core.time_ns, event, decision, answered))


def body(response: HttpResponse) -> Any:
    """Return the decoded body of an answer."""
    return json.loads(response.body)


def header(response: HttpResponse, name: str) -> str | None:
    """Return a header of an answer by its name in any case, None when it has none."""
    found = [value for key, value in response.headers if key.lower() == name.lower()]
    assert len(found) <= 1
    return found[0] if found else None


def refusal(reason: Reason, **fields: Any) -> Breach:
    """Return a breach as a rule would make it."""
    return Breach(**{"rule": "some_rule", "reason": reason, "limit": 0, "observed": 0, **fields})


def rested(seq: int) -> CommandResult:
    """Return the engine's answer to an order that went on the book."""
    return CommandResult(seq, 7, True, None, NEW, NOW_NS + 1_000_000)


def place(venue: Venue, order_id: int = 7, **changes: Any) -> Any:
    """Place an order that rests, and return the answer."""
    parsed = venue.signed("POST", "/api/v3/order", **{**LIMIT_ORDER, **changes})

    def result(seq: int) -> CommandResult:
        return CommandResult(seq, order_id, True, None, NEW, NOW_NS + 1_000_000)

    return body(venue.decide(parsed, result=result, order_id=order_id, client_order_id="made"))
