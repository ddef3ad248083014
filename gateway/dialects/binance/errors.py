"""Refusals as Binance tells them: the entry of the table, filled in for one request."""

from typing import Any, Final, NamedTuple

from gateway.decision_id import DecisionIds
from gateway.dialects.binance.error_table import (
    AMEND_REJECTED,
    CANCEL_REJECTED,
    E8,
    ENTRIES,
    NOT_AUTHORIZED,
    NOTHING,
    NS,
    ORDER_REJECTED,
)
from gateway.dialects.binance.parameters import Fault
from gateway.dialects.binance.surface import UsagePipeline
from gateway.dialects.binance.windows import window_text
from gateway.dialects.disclosure import rule_told, tells_limits, tells_retry
from rules.decisions import Breach
from rules.events import Amend, Cancel, CancelAll, Event, Place, RefusedRequest, Replace
from rules.reasons import Reason
from rules.units import decimal_text
from rules.values import (
    LIMIT_MAKER,
    NS_PER_MS,
    ORDER_TYPE_NAMES,
)


class Rejection(NamedTuple):
    """A reason as told to one client."""

    status: int
    code: int
    text: str


_ORDER_TYPE_TEXTS: Final = {
    name: name.replace("_", " ").capitalize() for name in ORDER_TYPE_NAMES[1:]
}


def unsupported_order_type(order_type: int) -> Fault:
    """Return the fault of an order type the symbol does not take."""
    name = ORDER_TYPE_NAMES[order_type]
    if order_type == LIMIT_MAKER:
        return Fault(Reason.UNSUPPORTED_ORDER_TYPE, "Limit maker")
    return Fault(Reason.UNSUPPORTED_ORDER_TYPE, _ORDER_TYPE_TEXTS[name])


def rejection(
    reason: Reason, event: Event, breach: Breach | None = None, fault: Fault | None = None
) -> Rejection:
    """Return how a refusal of `event` is told.

    `fault` is what the dialect found wrong itself; it counts only if the refusal is for it.
    """
    entry = ENTRIES[reason]
    told_fault = isinstance(event, RefusedRequest) and reason == event.reason
    if told_fault and fault is not None and fault.code:
        return Rejection(entry.status, fault.code, fault.text)
    fields = {"detail": "", "expected": "", "limit": "", "limit_ms": "", "window": ""}
    fields |= {"until_ms": "", "filter": "", "pace": ""}
    if isinstance(event, RefusedRequest):
        fields |= {"detail": event.detail, "expected": event.expected}
    if breach is not None:
        fields |= _breach_fields(breach)
    code = _code_for(entry.code, event)
    return Rejection(entry.status, code, entry.text.format_map(fields))


def _breach_fields(breach: Breach) -> dict[str, str]:
    limit = int(breach.limit) if str(breach.limit).isdecimal() else 0
    return {
        "limit": str(breach.limit),
        "limit_ms": str(limit // NS_PER_MS),
        "pace": window_text(limit),
        "window": window_text(breach.window_ns),
        "until_ms": str(_up_ms(breach.retry_ns)),
        "filter": breach.rule.upper(),
    }


def _up_ms(time_ns: int) -> int:
    """Return the first millisecond at which a time has come: whoever waits for it is not early."""
    return -(-time_ns // NS_PER_MS)


def _code_for(code: int, event: Event) -> int:
    """Return the code of the same family that fits what was asked."""
    if code not in (ORDER_REJECTED, CANCEL_REJECTED):
        return code
    if isinstance(event, (Cancel, CancelAll)):
        return CANCEL_REJECTED
    if isinstance(event, Amend):
        return AMEND_REJECTED
    if isinstance(event, (Place, Replace)):
        return ORDER_REJECTED
    return code if code == CANCEL_REJECTED else NOT_AUTHORIZED


def told_value(reason: Reason, value: int | str) -> int | str:
    """Return a limit or observed value in the unit clients know."""
    unit = ENTRIES[reason].unit
    try:
        number = int(value)
    except ValueError:
        return value
    if unit == E8:
        return decimal_text(number, 8)
    if unit == NS:
        return number // NS_PER_MS
    return value


def breach_object(pipeline: UsagePipeline, ids: DecisionIds, breach: Breach) -> dict[str, Any]:
    """Return what a client is told of a breach beside code and msg.

    Limit and observed value are left out where the rule does not disclose them, where they are
    states or names, and for requests that could not be understood: those broke no limit.
    """
    found: dict[str, Any] = {"rule": rule_told(breach), "reason": breach.reason.name}
    if breach.case:
        found["caseId"] = ids.encode_case(breach.case)
    if breach.reason < Reason.ADDRESS_BANNED:
        return found
    rule = pipeline.rule(breach.rule)
    if tells_limits(rule):
        if ENTRIES[breach.reason].unit != NOTHING:
            found["limit"] = told_value(breach.reason, breach.limit)
            found["observed"] = told_value(breach.reason, breach.observed)
        if breach.window_ns:
            found["windowMs"] = breach.window_ns // NS_PER_MS
    if breach.retry_ns and tells_retry(breach, rule):
        found["retryAt"] = _up_ms(breach.retry_ns)
    return found


def table_markdown() -> str:
    """Return the error table as the page `docs/binance-errors.md`."""
    lines = [
        "# Refusals as the Binance dialect tells them",
        "",
        "Made from `gateway/dialects/binance/error_table.py`; a test keeps the two equal.",
        "-2010 becomes -2011 for cancels and -2038 for amends; the text stays the same.",
        "",
        "| reason | HTTP | code | msg | why, where Binance has no code for it |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {reason.name} | {entry.status} | {entry.code} | {entry.text} | {entry.note} |"
        for reason, entry in ENTRIES.items()
    ]
    return "\n".join(lines) + "\n"
