"""Requests, decisions and answers of the engine for tests of access, rate and halt rules."""

from typing import Any

import msgspec

from rules.book import AccountFacts, Book, KeyFacts, OpenOrder, SymbolFacts
from rules.decisions import ACCEPTED, REFUSED, Breach, Decision
from rules.endpoints import Endpoint
from rules.events import CommandResult, Fill, Query, RefusedRequest, Request
from rules.reasons import Reason
from rules.rule import Rule
from rules.rulebook import Rulebook, convert
from rules.values import (
    AUTH_OK,
    BUY,
    CHANNEL_REST,
    E8,
    GTC,
    LIMIT,
    NEW,
    NS_PER_MINUTE,
    NS_PER_SECOND,
)
from tests.rules.order_world import ACCOUNT, KEY, NOW_NS, OWNER, SYMBOL

IP, OTHER_IP = 1, 2
MINUTE_NS = NOW_NS - NOW_NS % NS_PER_MINUTE
"""The beginning of a minute (and of each shorter window that divides it)."""

ENDPOINTS: dict[str, Any] = {
    "ping": {"weight": 1},
    "depth": {"steps": [[100, 5], [500, 25], [5000, 250]]},
    "historical_trades": {"weight": 25, "security": "key"},
    "account": {"weight": 20, "security": "signed", "permission": "read"},
    "order_query": {"weight": 4, "security": "signed", "permission": "read"},
    "order_place": {
        "weight": 1,
        "weight_success": 0,
        "security": "signed",
        "permission": "trade",
        "orders": 1,
    },
    "order_test": {"weight": 1, "security": "signed", "permission": "trade"},
    "order_cancel": {
        "weight": 1,
        "weight_success": 0,
        "security": "signed",
        "permission": "trade",
    },
    "order_cancel_replace": {
        "weight": 3,
        "weight_success": 1,
        "security": "signed",
        "permission": "trade",
        "orders": 1,
    },
    "order_amend": {"weight": 4, "security": "signed", "permission": "trade"},
    "gate_limits": {"weight": 2, "gate": True},
}


def make_rulebook(name: str, **clause: Any) -> Rulebook:
    """Return a rulebook that enforces the rule `name` with these parameters."""
    rules = {name: {"mode": "enforce", **clause}}
    return Rulebook(convert({"name": "test", "rules": rules, "endpoints": ENDPOINTS}))


def make_book(permissions: int = 3) -> Book:
    """Return a book with one owner, account, key and symbol."""
    book = Book()
    filters = Rulebook(convert({"name": "test"})).filters("BTCUSDT")
    book.symbols[SYMBOL] = SymbolFacts(SYMBOL, "BTCUSDT", 1, 2, filters)
    book.accounts[ACCOUNT] = AccountFacts(ACCOUNT, "account", OWNER, "", 0, True)
    book.keys[KEY] = KeyFacts(KEY, "key", ACCOUNT, permissions, frozenset(), 0, True)
    return book


def add_order(
    book: Book, order_id: int = 11, side: int = BUY, order_type: int = LIMIT
) -> OpenOrder:
    """Put a live order of 10 at 100 into the book."""
    order = OpenOrder(
        order_id=order_id,
        command_id=order_id,
        account=ACCOUNT,
        owner=OWNER,
        key=KEY,
        session=0,
        symbol=SYMBOL,
        side=side,
        order_type=order_type,
        time_in_force=GTC,
        price_e8=100 * E8,
        quantity_e8=10 * E8,
        quote_quantity_e8=0,
        price_limit_e8=0,
        client_order_id=f"c{order_id}",
        flags=0,
        algo=0,
        accepted_ns=NOW_NS,
    )
    order.status = NEW
    book.orders[order_id] = order
    return order


def _common(endpoint: Endpoint, changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "ip": IP,
        "key": KEY,
        "auth": AUTH_OK,
        "received_ns": NOW_NS,
        "timestamp_ns": NOW_NS,
        "recv_window_ns": 5 * NS_PER_SECOND,
        "size": 0,
        "channel": CHANNEL_REST,
        "session": 0,
        "agent": 0,
        **changes,
    }


def query(endpoint: Endpoint = Endpoint.ACCOUNT, **changes: Any) -> Query:
    """Return a query of `endpoint`, signed and sent just now unless changed."""
    return Query(**_common(endpoint, changes))


def malformed(endpoint: Endpoint = Endpoint.ORDER_PLACE, **changes: Any) -> RefusedRequest:
    """Return a request whose parameters could not be understood."""
    fields = {"reason": Reason.MISSING_PARAMETER, "detail": "side", **changes}
    return RefusedRequest(**_common(endpoint, fields))


def accepted(order_id: int = 0) -> Decision:
    """Return the decision that accepts a request."""
    return Decision(ACCEPTED, order_id=order_id)


def refused(reason: Reason) -> Decision:
    """Return the decision that refuses a request for `reason`."""
    return Decision(REFUSED, (Breach("some_rule", reason, 0, 1),))


def result(command_id: int, order_id: int = 0, **changes: Any) -> CommandResult:
    """Return the engine's acceptance of a command, with changes."""
    fields: dict[str, Any] = {
        "command_id": command_id,
        "order_id": order_id,
        "accepted": True,
        "reason": None,
        "status": NEW,
        "engine_ns": NOW_NS,
    }
    return CommandResult(**{**fields, **changes})


def no(command_id: int, order_id: int = 0, **changes: Any) -> CommandResult:
    """Return the engine's refusal of a command, with changes."""
    reason = Reason.ENGINE_WOULD_TAKE
    fields: dict[str, Any] = {"accepted": False, "reason": reason, "status": 0}
    return result(command_id, order_id, **{**fields, **changes})


def fill(quantity_e8: int = E8) -> Fill:
    """Return an execution at 100."""
    return Fill(1, 100 * E8, quantity_e8, 100 * quantity_e8, 0, 2, maker=False)


def breach(rule: Rule, event: Request, book: Book, now_ns: int) -> Breach | None:
    """Return the rule's breach, None when it passes; its explanations must say the same."""
    verdict = rule.check(event, book, now_ns)
    explanations = rule.explain(event, book, now_ns)
    failing = [explanation for explanation in explanations if not explanation.passed]
    for explanation in explanations:
        assert explanation.rule == rule.name
        assert explanation.passed == (explanation.reason is None)
    if verdict is None:
        assert not failing
        return None
    assert isinstance(verdict, Breach)
    assert verdict.rule == rule.name
    assert verdict.reason in rule.reasons
    assert failing, "refused, but every explanation has passed"
    named = (failing[0].reason, failing[0].limit, failing[0].observed)
    assert named == (verdict.reason, verdict.limit, verdict.observed)
    return verdict


def reason_of(rule: Rule, event: Request, book: Book, now_ns: int) -> Reason | None:
    """Return why the rule refuses, None when it passes; its explanations must say the same."""
    found = breach(rule, event, book, now_ns)
    return found.reason if found is not None else None


def stored_and_restored(rule: Rule) -> Any:
    """Return the rule's state as it comes out of the record's encoding."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(rule.state()))
