"""A record as a tree of names and decimal texts, and as one line.

Numbers that stand for something become what they stand for; amounts in 1e-8 units become decimal
text under the field's name without `_e8`; times stay nanoseconds. An interned number that is 0
becomes null, one that was never defined becomes `#` and the number.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from gateway.decision_id import DecisionIds
from gateway.directory import Directory
from gateway.journal import Record
from gateway.logview.measures import measured
from gateway.logview.subjects import LostOrder, Subject
from gateway.logview.times import time_text
from rules import values
from rules.decisions import VERDICT_NAMES, Breach, Decision
from rules.endpoints import Endpoint
from rules.events import (
    AnyEvent,
    DefineSymbol,
    EngineSession,
    Event,
    RecordRead,
    Reference,
    RunBegan,
    SetState,
)
from rules.units import decimal_text

_E8_PER_PPM: Final = values.E8 // 1_000_000
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def snake_case(name: str) -> str:
    """Return `CancelAll` as `cancel_all`."""
    return _CAPITAL.sub("_", name).lower()


EVENT_NAMES: Final[dict[type[Event], str]] = {
    event_type: snake_case(event_type.__name__) for event_type in AnyEvent.__args__
}
"""What each event type is called in output and filters."""

_CODES: Final[dict[str, Sequence[str]]] = {
    "side": values.SIDE_NAMES,
    "order_type": values.ORDER_TYPE_NAMES,
    "time_in_force": values.TIME_IN_FORCE_NAMES,
    "stp_mode": values.STP_MODE_NAMES,
    "status": values.ORDER_STATUS_NAMES,
    "auth": values.AUTH_NAMES,
    "channel": values.CHANNEL_NAMES,
    "buy_channel": values.CHANNEL_NAMES,
    "sell_channel": values.CHANNEL_NAMES,
    "cause": values.CAUSE_NAMES,
    "cancel_cause": values.CAUSE_NAMES,
    "scope": values.SCOPE_NAMES,
    "verdict": VERDICT_NAMES,
    "kind": ("", "address", "owner", "asset", "agent", "algo", "group"),
    "act": values.CASE_ACT_NAMES,
    "restriction": ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"),
}
_ORDER_FLAGS: Final = {
    values.FLAG_TEST: "test",
    values.FLAG_ALGO: "algo",
    values.FLAG_MARKET_MAKING: "market_making",
}
_ACCOUNT_FLAGS: Final = {
    values.ACCOUNT_MARKET_MAKER: "market_maker",
    values.ACCOUNT_HIGH_FREQUENCY: "high_frequency",
    values.ACCOUNT_DEMO: "demo",
}
_KINDS: Final = {
    "ip": values.DEFINE_ADDRESS,
    "addresses": values.DEFINE_ADDRESS,
    "owner": values.DEFINE_OWNER,
    "buy_owner": values.DEFINE_OWNER,
    "sell_owner": values.DEFINE_OWNER,
    "asset": values.DEFINE_ASSET,
    "base_asset": values.DEFINE_ASSET,
    "quote_asset": values.DEFINE_ASSET,
    "commission_asset": values.DEFINE_ASSET,
    "reserved_asset": values.DEFINE_ASSET,
    "agent": values.DEFINE_AGENT,
    "algo": values.DEFINE_ALGO,
    "owners": values.DEFINE_OWNER,
    "group": values.DEFINE_GROUP,
}
_ENDPOINTS: Final = {int(endpoint): endpoint.name for endpoint in Endpoint}
_ACCOUNTS: Final = frozenset(("account", "buy_account", "sell_account", "counter_account"))


class Names:
    """Turns numbers into names by what the record has defined so far."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def symbol(self, number: int) -> str | None:
        """Return a symbol's name."""
        found = self.directory.symbols_by_number.get(number)
        return found.name if found is not None else _undefined(number)

    def account(self, number: int) -> str | None:
        """Return an account's name."""
        found = self.directory.accounts_by_number.get(number)
        return found.name if found is not None else _undefined(number)

    def key(self, number: int) -> str | None:
        """Return a key's public id."""
        found = self.directory.keys_by_number.get(number)
        return found.name if found is not None else _undefined(number)

    def interned(self, kind: int, number: int) -> str | None:
        """Return the name of an address, owner, asset, client program or algorithm."""
        return self.directory.name(kind, number) or _undefined(number)

    def owner(self, number: int) -> str | None:
        """Return an owner's name."""
        return self.interned(values.DEFINE_OWNER, number)

    def address(self, number: int) -> str | None:
        """Return an address as text."""
        return self.interned(values.DEFINE_ADDRESS, number)

    def subject(self, scope: int, number: int) -> str | int | None:
        """Return who or what a limit or stop is about."""
        namers: dict[int, Callable[[int], str | None]] = {
            values.SCOPE_SYMBOL: self.symbol,
            values.SCOPE_OWNER: self.owner,
            values.SCOPE_ACCOUNT: self.account,
            values.SCOPE_KEY: self.key,
            values.SCOPE_IP: self.address,
        }
        namer = namers.get(scope)
        return namer(number) if namer is not None else number or None

    def tree(self, struct: Any, fields: Sequence[str] = ()) -> dict[str, Any]:
        """Return a struct's fields as a tree of plain values with names for numbers.

        `fields` says which, for objects that are not structs of the record.
        """
        rendered = {}
        for field in fields or struct.__struct_fields__:
            name = field.removesuffix("_e8")
            rendered[name] = self._value(struct, field, getattr(struct, field))
        if isinstance(struct, Breach):
            rendered["reason_code"] = int(struct.reason)
        return rendered

    def _value(self, struct: Any, field: str, value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return self.tree(value)
        if isinstance(value, frozenset):
            value = tuple(sorted(value))
        if isinstance(value, tuple):
            return [self._value(struct, field, item) for item in value]
        if field in ("bids", "asks"):
            return decimal_text(value)
        if field.endswith("_e8"):
            return decimal_text(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return value
        if field == "symbol":
            return self.symbol(value)
        if field == "key":
            return self.key(value)
        if field in _ACCOUNTS:
            return self.account(value)
        if field in _KINDS:
            return self.interned(_KINDS[field], value)
        if field == "subject":
            return self.subject(getattr(struct, "scope", 0), value)
        return _coded(struct, field, value)


def _coded(struct: Any, field: str, value: int) -> Any:
    """Return the name of a code, the names of a bit set, or the number itself."""
    if field in ("reason", "replaced_refusal"):
        return getattr(value, "name", value)
    if field == "endpoint":
        return _ENDPOINTS.get(value, value)
    if field == "state":
        names = values.STATE_NAMES if isinstance(struct, SetState) else values.SYMBOL_STATE_NAMES
        return _code(names, value)
    if field == "permissions":
        return _bits(values.PERMISSION_NAMES, value)
    if field == "flags":
        order_like = not hasattr(struct, "tier")
        return _bits(_ORDER_FLAGS if order_like else _ACCOUNT_FLAGS, value)
    if field in _CODES:
        return _code(_CODES[field], value)
    return value


def _code(names: Sequence[str], value: int) -> str | int | None:
    return (names[value] or None) if 0 <= value < len(names) else value


def _bits(names: dict[int, str], value: int) -> list[str]:
    return [name for bit, name in names.items() if value & bit]


def _undefined(number: int) -> str | None:
    return f"#{number}" if number else None


def record_tree(
    record: Record, subject: Subject, names: Names, ids: DecisionIds | None
) -> dict[str, Any]:
    """Return a record as a tree: its place and time, whom it is about, event and decision."""
    return {
        "seq": record.seq,
        "time": time_text(record.now_ns),
        "now_ns": record.now_ns,
        "decision_id": ids.encode(record.seq) if ids is not None else None,
        "event": EVENT_NAMES[type(record.event)],
        "verdict": _code(VERDICT_NAMES, record.decision.verdict),
        "accounts": [names.account(number) for number in subject.accounts],
        "owners": [names.owner(number) for number in subject.owners],
        "symbols": [names.symbol(number) for number in subject.symbols],
        "lost": [_lost_tree(lost, names) for lost in subject.lost],
        "input": names.tree(record.event),
        "decision": names.tree(record.decision),
    }


def _lost_tree(lost: LostOrder, names: Names) -> dict[str, Any]:
    return {
        "order_id": lost.order_id,
        "client_order_id": lost.order.client_order_id,
        "account": names.account(lost.order.account),
        "owner": names.owner(lost.order.owner),
        "symbol": names.symbol(lost.order.symbol),
    }


def summary(event: Event, names: Names) -> str:
    """Return what happened as a short text: side, quantity, price and ids, as far as it has them."""
    parts = []
    if isinstance(event, DefineSymbol):
        return _instrument(event)
    if isinstance(event, RecordRead):
        return f"{event.actor}: {event.query}"
    if isinstance(event, EngineSession):
        came = "connected" if event.connected else "disconnected"
        return f"{came}, epoch {event.epoch}, report {event.engine_seq}"
    if isinstance(event, Reference):
        return (
            f"last {decimal_text(event.last_e8)}, bid {decimal_text(event.bid_e8)}, "
            f"ask {decimal_text(event.ask_e8)}"
        )
    if isinstance(event, RunBegan):
        return f"after {event.previous}" if event.previous else ""
    if side := getattr(event, "side", 0):
        parts.append(str(_code(values.SIDE_NAMES, side)))
    if order_type := getattr(event, "order_type", 0):
        parts.append(str(_code(values.ORDER_TYPE_NAMES, order_type)))
    fill = getattr(event, "fill", event)
    if quantity_e8 := getattr(fill, "quantity_e8", 0):
        parts.append(decimal_text(quantity_e8))
    if quote_e8 := getattr(event, "quote_quantity_e8", 0):
        parts.append(f"for {decimal_text(quote_e8)}")
    if price_e8 := getattr(fill, "price_e8", 0):
        parts.append(f"@ {decimal_text(price_e8)}")
    if status := getattr(event, "status", 0):
        parts.append(str(_code(values.ORDER_STATUS_NAMES, status)))
    if fills := getattr(event, "fills", ()):
        parts.append(f"{len(fills)} fill{'s' if len(fills) > 1 else ''}")
    if reason := getattr(event, "reason", None):
        parts.append(getattr(reason, "name", str(reason)))
    texts = (getattr(event, field, "") for field in ("name", "detail", "note"))
    parts += [str(text)[:40] for text in texts if text]
    if scope := getattr(event, "scope", 0):
        parts.append(f"{_code(values.SCOPE_NAMES, scope)} {names.subject(scope, event.subject)}")  # type: ignore[attr-defined]
    if state := getattr(event, "state", 0):
        parts.append(str(_coded(event, "state", state)))
    return " ".join(parts)


def _instrument(event: DefineSymbol) -> str:
    """Return an instrument's name, number and terms: shares as decimal text."""
    maker, taker = (
        decimal_text(ppm * _E8_PER_PPM)
        for ppm in (event.maker_commission_ppm, event.taker_commission_ppm)
    )
    text = f"{event.name} is number {event.symbol}, commissions {maker} maker, {taker} taker"
    if event.lot_step_e8:
        text += f", lot step {decimal_text(event.lot_step_e8)}"
    return text


def because(decision: Decision) -> str:
    """Return why: the rules that refused, with limit and observed, then those in shadow."""
    told = [
        f"{breach.rule}: {breach.reason.name} "
        f"(limit {measured(breach.limit, breach.rule, breach.reason.name)}, "
        f"observed {measured(breach.observed, breach.rule, breach.reason.name)})"
        for breach in decision.breaches
    ]
    told += [f"shadow {breach.rule}: {breach.reason.name}" for breach in decision.shadows]
    if decision.until_ns:
        told.append(f"until {time_text(decision.until_ns)}")
    return "; ".join(told)


_EVENT_WIDTH: Final = max(map(len, EVENT_NAMES.values()))
_NAMED_MAX: Final = 2
"""Accounts or symbols that a line names; of more it says how many."""
_LOST_MAX: Final = 20
"""Orders lost with an engine that a line names."""


def line_head(who_width: int) -> str:
    """Return the heads of the columns of `record_line`."""
    return (
        f"{'SEQ':>9}  {'TIME':<30}  {'EVENT':<{_EVENT_WIDTH}}  {'WHO':<{who_width}}  "
        f"{'SYMBOL':<10}  {'VERDICT':<8}  WHAT"
    )


def who(subject: Subject, names: Names) -> str:
    """Return whose a record is: its accounts, or who has none by address."""
    return _listed(
        [str(names.account(number)) for number in subject.accounts]
        or [str(names.address(number)) for number in subject.addresses]
    )


def _listed(named: Sequence[str]) -> str:
    more = len(named) - _NAMED_MAX
    return ",".join(named[:_NAMED_MAX]) + (f"+{more}" if more > 0 else "")


def _lost_text(subject: Subject, names: Names) -> str:
    """Return which orders ended as ENGINE_LOST, each with its client order id, account, symbol."""
    count = len(subject.lost)
    told = [
        f"#{order_id} {order.client_order_id} {names.account(order.account)} "
        f"{names.symbol(order.symbol)}"
        for order_id, order in subject.lost[:_LOST_MAX]
    ]
    if count > _LOST_MAX:
        told.append(f"and {count - _LOST_MAX} more, which --json lists")
    return f"; {count} order{'s' if count > 1 else ''} ENGINE_LOST: {', '.join(told)}"


def record_line(record: Record, subject: Subject, names: Names, who_width: int = 14) -> str:
    """Return a record as one line under `line_head`; control characters are made visible."""
    symbols = _listed([str(names.symbol(number)) for number in subject.symbols])
    if subject.lost:
        orders = _lost_text(subject, names)
    else:
        orders = "".join(f" #{order_id}" for order_id in subject.order_ids[:3])
    text = summary(record.event, names) + orders
    why = because(record.decision)
    line = (
        f"{record.seq:>9}  {time_text(record.now_ns):<30}  "
        f"{EVENT_NAMES[type(record.event)]:<{_EVENT_WIDTH}}  {who(subject, names):<{who_width}}  "
        f"{symbols:<10}  {_code(VERDICT_NAMES, record.decision.verdict):<8}  "
        f"{text}{' | ' if text and why else ''}{why}"
    )
    return printable(line)


def printable(text: str) -> str:
    """Return `text` with control characters made visible, so that it can't steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
