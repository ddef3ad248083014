"""Refusals as messages: what a client needs to know why, by how much, and when to try again."""

from typing import Final

from gateway.dialects.disclosure import rule_told, tells_limits, tells_retry
from gateway.dialects.native.desk import Desk
from gateway.dialects.native.refusal_table import E8, ENTRIES, NS, Code
from gateway.outcome import Outcome
from gateway.wire.ordergate.v1 import order_entry_pb2 as wire
from rules.decisions import REFUSED, Breach
from rules.events import RefusedRequest, Replace
from rules.reasons import Reason
from rules.units import decimal_text, duration_text

_NO_BREACH: Final = Breach("", Reason.INTERNAL_ERROR, 0, 0)


def refusal(desk: Desk, outcome: Outcome) -> wire.Refusal | None:
    """Return why a request was not done, None when it was.

    A replace that cancelled the old order was done in part and has an answer of its own.
    """
    decision, result = outcome.decision, outcome.result
    if decision.verdict == REFUSED:
        breaches = decision.breaches or (_refused_itself(outcome),)
        told = _message(desk, outcome, breaches[0])
        told.others.extend(_message(desk, outcome, breach) for breach in breaches[1:])
        return told
    if result is None:
        return None
    if result.unknown:
        told = refusal_for(desk, outcome, Reason.ENGINE_TIMEOUT)
        told.unknown = True
        return told
    if not result.accepted and not (isinstance(outcome.event, Replace) and result.ended):
        return refusal_for(desk, outcome, result.reason or Reason.INTERNAL_ERROR)
    return None


def refusal_for(desk: Desk, outcome: Outcome, reason: Reason) -> wire.Refusal:
    """Return a refusal that no rule but the engine or a look-up made."""
    entry = ENTRIES[reason]
    return wire.Refusal(
        decision_id=desk.ids.encode(outcome.seq),
        reason=int(reason),  # type: ignore[arg-type]
        retryable=entry.retryable,
        text=entry.text,
        order_id=outcome.decision.order_id,
    )


def not_found(desk: Desk, outcome: Outcome) -> wire.Refusal:
    """Return the refusal of a query for an order that is not there."""
    return refusal_for(desk, outcome, Reason.UNKNOWN_ORDER)


def status_code(refused: wire.Refusal) -> Code:
    """Return the gRPC status code of a refusal."""
    return ENTRIES[Reason(refused.reason)].code


def _refused_itself(outcome: Outcome) -> Breach:
    """Return the breach of a request that was refused for what it is."""
    event = outcome.event
    return Breach("", event.reason, 0, 0) if isinstance(event, RefusedRequest) else _NO_BREACH


def _message(desk: Desk, outcome: Outcome, breach: Breach) -> wire.Refusal:
    entry = ENTRIES[breach.reason]
    event = outcome.event
    waited = breach.reason is Reason.OVERLOADED
    if isinstance(event, RefusedRequest) and event.reason == breach.reason and not waited:
        return _malformed(desk, outcome, event)
    rule = desk.core.pipeline.rule(breach.rule)
    disclosed = tells_limits(rule)
    retry_ns = breach.retry_ns if tells_retry(breach, rule) else 0
    limit = str(breach.limit) if disclosed else ""
    observed = str(breach.observed) if disclosed else ""
    detail = breach.detail if disclosed else ""
    if breach.case:
        detail = f"case {desk.ids.encode_case(breach.case)}"
    text = entry.text.format(
        limit=_told(limit, entry.unit),
        observed=_told(observed, entry.unit),
        detail=detail,
        expected="",
    )
    return wire.Refusal(
        decision_id=desk.ids.encode(outcome.seq),
        reason=int(breach.reason),  # type: ignore[arg-type]
        rule=rule_told(breach),
        scope=breach.scope,  # type: ignore[arg-type]
        limit=limit,
        observed=observed,
        retry_at_ns=retry_ns,
        retryable=bool(breach.retry_ns) or entry.retryable,
        text=text,
        window_ns=breach.window_ns,
        detail=detail,
        order_id=outcome.decision.order_id,
        unit=entry.unit,  # type: ignore[arg-type]
    )


def _malformed(desk: Desk, outcome: Outcome, event: RefusedRequest) -> wire.Refusal:
    """Return the refusal of a request that could not be understood: no rule, no limit."""
    entry = ENTRIES[event.reason]
    # A filter's reason for a value that no filter has seen, such as a price of 0.
    template = "{detail} is not {expected}" if "{limit}" in entry.text else entry.text
    return wire.Refusal(
        decision_id=desk.ids.encode(outcome.seq),
        reason=int(event.reason),  # type: ignore[arg-type]
        text=template.format(detail=event.detail, expected=event.expected),
        detail=event.detail,
        expected=event.expected,
    )


def _told(value: str, unit: int) -> str:
    """Return a limit or observed value as a reader wants it: decimal text, a duration, a number."""
    if not value.lstrip("-").isdecimal():
        return value
    if unit == E8:
        return decimal_text(int(value))
    if unit == NS:
        return duration_text(int(value))
    return value
