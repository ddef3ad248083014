"""A record as one line: when, what kind, who, the verdict, and in short words what happened."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from gateway.journal import Record
from gateway.logview.measures import measured
from gateway.logview.rendering import (
    ENDPOINT_NAMES,
    EVENT_NAMES,
    KIND_NAMES,
    Names,
    code_name,
    coded,
    counted,
    printable,
)
from gateway.logview.subjects import Subject
from gateway.logview.times import time_text
from rules import values
from rules.conduct_facts import STEP_NAMES
from rules.decisions import VERDICT_NAMES, Decision
from rules.events import (
    ActOnCase,
    BalanceAdjusted,
    BulkCancel,
    ClearBan,
    Deadline,
    Define,
    DefineAccount,
    DefineKey,
    DefineSymbol,
    EngineSession,
    Event,
    LinkOwners,
    OwnerClassChanged,
    PostFees,
    Query,
    RecordRead,
    RecordSpace,
    Reference,
    RefusedAggregate,
    RulebookChanged,
    RunBegan,
    SessionClosed,
    SessionOpened,
    SetState,
    SetSymbolState,
)
from rules.units import decimal_text

_E8_PER_PPM: Final = values.E8 // 1_000_000
WHO_WIDTH_LEAST: Final = 14
"""Characters of the column of who it was, where no name is longer."""
_EVENT_WIDTH: Final = max(map(len, EVENT_NAMES.values()))
_NAMED_MAX: Final = 2
"""Accounts or symbols that a line names; of more it says how many."""
_ORDERS_MAX: Final = 3
"""Orders of a decision or report that a line names; of more it says how many."""
_DETAIL_CHARACTERS_MAX: Final = 40
_LOST_MAX: Final = 20
"""Orders lost with an engine that a line names."""
_POSTED_MAX: Final = 3
"""Postings of fees that a line names."""


# --- What happened ----------------------------------------------------------------------------


def summary(event: Event, names: Names) -> str:
    """Return what happened as a short text: side, quantity, price and ids, as far as it has them."""
    told = _SUMMARIES.get(type(event))
    return told(event, names) if told is not None else _of_order(event)


def _of_order(event: Event) -> str:
    """Return what a request, result or report says of an order."""
    parts = []
    if side := getattr(event, "side", 0):
        parts.append(str(code_name(values.SIDE_NAMES, side)))
    if order_type := getattr(event, "order_type", 0):
        parts.append(str(code_name(values.ORDER_TYPE_NAMES, order_type)))
    fill = getattr(event, "fill", event)
    if quantity_e8 := getattr(fill, "quantity_e8", 0):
        parts.append(decimal_text(quantity_e8))
    if quote_e8 := getattr(event, "quote_quantity_e8", 0):
        parts.append(f"for {decimal_text(quote_e8)}")
    if price_e8 := getattr(fill, "price_e8", 0):
        parts.append(f"@ {decimal_text(price_e8)}")
    if status := getattr(event, "status", 0):
        parts.append(str(code_name(values.ORDER_STATUS_NAMES, status)))
    if fills := getattr(event, "fills", ()):
        parts.append(counted(len(fills), "fill"))
    if reason := getattr(event, "reason", None):
        parts.append(getattr(reason, "name", str(reason)))
    if detail := getattr(event, "detail", ""):
        parts.append(_shortened(str(detail)))
    return " ".join(parts)


def _shortened(text: str) -> str:
    if len(text) <= _DETAIL_CHARACTERS_MAX:
        return text
    return f"{text[: _DETAIL_CHARACTERS_MAX - 1]}…"


def _noted(text: str, event: Any) -> str:
    """Return what somebody did with the reason and, where it is known, who did it."""
    note, actor = getattr(event, "note", ""), getattr(event, "actor", "")
    return f"{text}{f': {note}' if note else ''}{f' (by {actor})' if actor else ''}".strip()


def _instrument(event: DefineSymbol, _: Names) -> str:
    """Return an instrument's name, number and terms: shares as decimal text."""
    maker, taker = (
        decimal_text(ppm * _E8_PER_PPM)
        for ppm in (event.maker_commission_ppm, event.taker_commission_ppm)
    )
    text = f"{event.name} is number {event.symbol}, commissions {maker} maker, {taker} taker"
    if event.lot_step_e8:
        text += f", lot step {decimal_text(event.lot_step_e8)}"
    return text


def _account(event: DefineAccount, names: Names) -> str:
    standing = "" if event.enabled else ", disabled"
    return f"{event.name} of owner {names.owner(event.owner)}{standing}"


def _key(event: DefineKey, names: Names) -> str:
    standing = "" if event.enabled else ", disabled"
    return f"{event.name} of account {names.account(event.account)}{standing}"


def _reference(event: Reference, _: Names) -> str:
    last, bid, ask = (decimal_text(each) for each in (event.last_e8, event.bid_e8, event.ask_e8))
    return f"last {last}, bid {bid}, ask {ask}"


def _engine(event: EngineSession, _: Names) -> str:
    came = "connected" if event.connected else "disconnected"
    return f"{came}, epoch {event.epoch}, report {event.engine_seq}"


def _stop(event: SetState, names: Names) -> str:
    scope, state = code_name(values.SCOPE_NAMES, event.scope), coded(event, "state", event.state)
    subject = names.subject(event.scope, event.subject)
    return _noted(" ".join(str(part) for part in (scope, subject, state) if part), event)


def _bulk_cancel(event: BulkCancel, names: Names) -> str:
    scope = code_name(values.SCOPE_NAMES, event.scope)
    subject, cause = names.subject(event.scope, event.subject), values.CAUSE_NAMES[event.cause]
    return " ".join(str(part) for part in (scope, subject, cause) if part)


def _ban(event: ClearBan, _: Names) -> str:
    return _noted(
        f"banned until {time_text(event.until_ns)}" if event.until_ns else "lifted", event
    )


def _balance(event: BalanceAdjusted, names: Names) -> str:
    sign = "+" if event.delta_e8 > 0 else ""
    asset = names.interned(values.DEFINE_ASSET, event.asset)
    return _noted(f"{sign}{decimal_text(event.delta_e8)} {asset}", event)


def _group(event: LinkOwners, names: Names) -> str:
    group = names.interned(values.DEFINE_GROUP, event.group)
    with_whom = f"with group {group}" if event.group else "alone"
    return _noted(f"{names.owner(event.owner)} {with_whom}", event)


def _owner_class(event: OwnerClassChanged, names: Names) -> str:
    text = f"{names.owner(event.owner)} is {values.OWNER_CLASS_NAMES[event.owner_class]}"
    if event.messages:
        where = f" in {names.symbol(event.symbol)}" if event.symbol else ""
        text += f", {event.messages} messages{where}"
    return text


_SUMMARIES: Final[dict[type[Event], Callable[[Any, Names], str]]] = {
    ActOnCase: lambda event, _: _noted(
        f"{code_name(values.CASE_ACT_NAMES, event.act)} case {event.case}", event
    ),
    BalanceAdjusted: _balance,
    BulkCancel: _bulk_cancel,
    ClearBan: _ban,
    Deadline: lambda event, _: f"no answer to command {event.command_id}",
    Define: lambda event, _: f"{code_name(KIND_NAMES, event.kind)} {event.name}",
    DefineAccount: _account,
    DefineKey: _key,
    DefineSymbol: _instrument,
    EngineSession: _engine,
    LinkOwners: _group,
    OwnerClassChanged: _owner_class,
    PostFees: lambda event, _: _noted("", event),
    Query: lambda event, _: str(ENDPOINT_NAMES.get(event.endpoint, event.endpoint)).lower(),
    RecordRead: lambda event, _: f"{event.actor}: {event.query}",
    RecordSpace: lambda event, _: (
        f"{code_name(values.SPACE_NAMES, event.space)}, {event.free_bytes} bytes free"
    ),
    Reference: _reference,
    RefusedAggregate: lambda event, _: f"{event.count} refused, first for {event.reason.name}",
    RulebookChanged: lambda event, _: _noted(f"{event.name} {event.revision}", event),
    RunBegan: lambda event, _: f"after {event.previous}" if event.previous else "",
    SessionClosed: lambda event, _: f"session {event.session}{'' if event.graceful else ', lost'}",
    SessionOpened: lambda event, _: f"session {event.session}",
    SetState: _stop,
    SetSymbolState: lambda event, _: _noted(str(coded(event, "state", event.state)), event),
}


# --- What was decided -------------------------------------------------------------------------


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


def followed(decision: Decision, names: Names) -> str:
    """Return what else came of it: charges, what conduct rules told, measures, posted fees."""
    return "; ".join(_followed(decision, names))


def _followed(decision: Decision, names: Names) -> Iterator[str]:
    for charge in decision.charges:
        yield f"charged {decimal_text(charge.amount_e8)} by {charge.tariff}"
    for alert in decision.alerts:
        told = "shadow told" if alert.shadow else "told"
        yield (
            f"{told} {alert.rule}: {names.interest(alert.interest)}, severity {alert.severity}, "
            f"case {alert.case}"
        )
    for step in decision.steps:
        where = f" in {names.symbol(step.symbol)}" if step.symbol else ""
        yield (
            f"measure {STEP_NAMES[step.before]} to {STEP_NAMES[step.step]}: "
            f"{names.interest(step.interest)}{where}, {step.cause}, case {step.case}"
        )
    for posting in decision.postings[:_POSTED_MAX]:
        yield (
            f"posted {decimal_text(int(posting.amount_e8))} {posting.currency}: {posting.tariff} "
            f"{posting.period} {names.owner(posting.owner)}"
        )
    if (more := len(decision.postings) - _POSTED_MAX) > 0:
        yield f"and {more} more, which --json lists"


# --- The line ---------------------------------------------------------------------------------


def line_head(who_width: int) -> str:
    """Return the heads of the columns of `record_line`."""
    return (
        f"{'SEQ':>9}  {'TIME':<30}  {'EVENT':<{_EVENT_WIDTH}}  {'WHO':<{who_width}}  "
        f"{'SYMBOL':<10}  {'VERDICT':<8}  WHAT"
    )


def who(subject: Subject, names: Names) -> str:
    """Return whose a record is: its accounts; else by address, or the owners it is about."""
    return _listed(
        [str(names.account(number)) for number in subject.accounts]
        or [str(names.address(number)) for number in subject.addresses]
        or [str(names.owner(number)) for number in subject.owners]
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
    return f"; {counted(count, 'order')} ENGINE_LOST: {', '.join(told)}"


def _orders_text(order_ids: tuple[int, ...]) -> str:
    """Return which orders a record is about."""
    told = "".join(f" #{order_id}" for order_id in order_ids[:_ORDERS_MAX])
    more = len(order_ids) - _ORDERS_MAX
    return f"{told} and {more} more" if more > 0 else told


def record_line(
    record: Record, subject: Subject, names: Names, who_width: int = WHO_WIDTH_LEAST
) -> str:
    """Return a record as one line under `line_head`; control characters are made visible."""
    symbols = _listed([str(names.symbol(number)) for number in subject.symbols])
    orders = _lost_text(subject, names) if subject.lost else _orders_text(subject.order_ids)
    text = (summary(record.event, names) + orders).strip()
    parts = (text, because(record.decision), followed(record.decision, names))
    line = (
        f"{record.seq:>9}  {time_text(record.now_ns):<30}  "
        f"{EVENT_NAMES[type(record.event)]:<{_EVENT_WIDTH}}  {who(subject, names):<{who_width}}  "
        f"{symbols:<10}  {code_name(VERDICT_NAMES, record.decision.verdict):<8}  "
        f"{' | '.join(part for part in parts if part)}"
    )
    return printable(line.rstrip())
