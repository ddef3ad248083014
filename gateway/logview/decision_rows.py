"""Rows of the table `decisions`: one for each record, whatever its type of event."""

from collections.abc import Callable
from typing import Any, Final

from gateway.decision_id import DecisionIds
from gateway.journal import Record
from gateway.logview.masking import MaskedNames
from gateway.logview.rendering import (
    ENDPOINT_NAMES,
    EVENT_NAMES,
    ORDER_FLAGS,
    bit_names,
    code_name,
)
from gateway.logview.subjects import NOBODY, Subject
from gateway.logview.tables import DECISIONS, Row
from rules import values
from rules.decisions import VERDICT_NAMES
from rules.events import AnyEvent, CommandResult, Event, OrderTrade


def order_flags(flags: int) -> str | None:
    """Return the names of an order's flags, by commas."""
    return ",".join(bit_names(ORDER_FLAGS, flags)) or None


def _given(value: Any) -> Any:
    return value or None


def _time(value: int) -> int | None:
    return value if value > 0 else None


def _code(names: tuple[str, ...]) -> Callable[[int], str | None]:
    def convert(value: int) -> str | None:
        name = code_name(names, value)
        return None if name is None else str(name)

    return convert


_PLAIN: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "channel": ("channel", _code(values.CHANNEL_NAMES)),
    "session": ("session", _given),
    "endpoint": ("endpoint", lambda value: ENDPOINT_NAMES.get(value, str(value))),
    "authentication": ("auth", _code(values.AUTH_NAMES)),
    "received": ("received_ns", _time),
    "sent": ("timestamp_ns", _time),
    "recv_window_ns": ("recv_window_ns", _given),
    "side": ("side", _code(values.SIDE_NAMES)),
    "order_type": ("order_type", _code(values.ORDER_TYPE_NAMES)),
    "time_in_force": ("time_in_force", _code(values.TIME_IN_FORCE_NAMES)),
    "price": ("price_e8", _given),
    "quantity": ("quantity_e8", _given),
    "quote_quantity": ("quote_quantity_e8", _given),
    "stop_price": ("stop_price_e8", _given),
    "command_id": ("command_id", _given),
    "engine_seq": ("engine_seq", _given),
    "engine_time": ("engine_ns", _time),
    "status": ("status", _code(values.ORDER_STATUS_NAMES)),
    "cause": ("cause", _code(values.CAUSE_NAMES)),
    "filled": ("filled_e8", int),
    "fills": ("fills", len),
    "amount": ("delta_e8", int),
    "scope": ("scope", _code(values.SCOPE_NAMES)),
    "count": ("count", _given),
}
"""Columns that are a field of the event: which field, and what becomes of its value."""
_NAMED: Final = {
    "key": ("key",),
    "address": ("ip",),
    "agent": ("agent",),
    "algo": ("algo",),
    "client_order_id": ("client_order_id",),
    "orig_client_order_id": ("orig_client_order_id",),
    "asset": ("asset",),
    "subject": ("subject",),
    "state": ("state",),
    "actor": ("actor",),
    "detail": ("detail", "note", "name", "query"),
}
"""Columns that show a field of the event, the first it has, with names for numbers."""
_AT: Final = {column.name: at for at, column in enumerate(DECISIONS.columns)}


class _Plan:
    """Which columns a type of event fills, and from which of its fields."""

    def __init__(self, event_type: type[Event]) -> None:
        fields = event_type.__struct_fields__
        self.plain = [
            (_AT[column], field, convert)
            for column, (field, convert) in _PLAIN.items()
            if field in fields
        ]
        if "flags" in fields and "side" in fields:
            self.plain.append((_AT["flags"], "flags", order_flags))
        self.named = [
            (_AT[column], found)
            for column, choices in _NAMED.items()
            if (found := next((field for field in choices if field in fields), ""))
        ]


_PLANS: Final = {event_type: _Plan(event_type) for event_type in AnyEvent.__args__}


def decision_row(
    run: str, record: Record, subject: Subject, names: MaskedNames, ids: DecisionIds | None
) -> Row:
    """Return the row of a record."""
    event, decision = record.event, record.decision
    row: list[Any] = [None] * len(DECISIONS.columns)
    plan = _PLANS[type(event)]
    for at, field, convert in plan.plain:
        row[at] = convert(getattr(event, field))
    for at, field in plan.named:
        shown = names.field(event, field)
        row[at] = str(shown) if shown else None
    row[_AT["run"]], row[_AT["seq"]], row[_AT["time"]] = run, record.seq, record.now_ns
    row[_AT["decision_id"]] = ids.encode(record.seq) if ids is not None else None
    row[_AT["event"]] = EVENT_NAMES[type(event)]
    row[_AT["verdict"]] = VERDICT_NAMES[decision.verdict] or None
    if len(subject.lost) > 1:
        # Of no one order: the table of orders has the end of each.
        subject = NOBODY
    if subject.accounts:
        row[_AT["account"]] = names.account(subject.accounts[0])
    if subject.owners:
        row[_AT["owner"]] = names.owner(subject.owners[0])
    if subject.symbols:
        row[_AT["symbol"]] = names.symbol(subject.symbols[0])
    if subject.order_ids:
        row[_AT["order_id"]] = subject.order_ids[0]
    if not row[_AT["client_order_id"]] and subject.client_order_ids:
        row[_AT["client_order_id"]] = names.client_order_id(subject.client_order_ids[0])
    _outcome(record, row, names)
    return tuple(row)


def _outcome(record: Record, row: list[Any], names: MaskedNames) -> None:
    """Fill in what was decided, or what the engine said."""
    event, decision = record.event, record.decision
    row[_AT["breaches"]] = len(decision.breaches)
    row[_AT["shadows"]] = len(decision.shadows)
    if decision.breaches:
        breach = decision.breaches[0]
        row[_AT["rule"]] = breach.rule
        row[_AT["reason"]] = breach.reason.name
        row[_AT["limit"]] = names.measure(breach.limit)
        row[_AT["observed"]] = names.measure(breach.observed)
        row[_AT["retry"]] = breach.retry_ns or None
    else:
        reason = getattr(event, "reason", None) or getattr(event, "replaced_refusal", None)
        row[_AT["reason"]] = reason.name if reason is not None else None
    row[_AT["bid"]] = decision.bid_e8 or None
    row[_AT["ask"]] = decision.ask_e8 or None
    row[_AT["price_limit"]] = decision.price_limit_e8 or None
    row[_AT["deferred_until"]] = decision.until_ns or None
    if decision.cancels:
        row[_AT["cancels"]] = len(decision.cancels)
    if decision.charges:
        row[_AT["charged"]] = sum(charge.amount_e8 for charge in decision.charges)
    if isinstance(event, OrderTrade):
        row[_AT["price"]] = event.fill.price_e8
        row[_AT["quantity"]] = event.fill.quantity_e8
        row[_AT["fills"]] = 1
    elif isinstance(event, CommandResult):
        row[_AT["filled"]] = sum(fill.quantity_e8 for fill in event.fills)
