"""Answers of the gate's own routes: a decision of the key, and the use of every limit it has."""

from typing import Any, Final

from gateway.dialects.binance.errors import breach_object
from gateway.dialects.binance.order_answers import amount
from gateway.dialects.binance.reading import Desk, Failure
from gateway.dialects.disclosure import tells_limits
from gateway.outcome import Outcome
from gateway.usages import account_subjects, shown
from rules.decisions import VERDICT_NAMES, Usage
from rules.endpoints import Endpoint
from rules.events import Query, Request
from rules.values import (
    NS_PER_MS,
    SCOPE_ACCOUNT_SYMBOL,
    SCOPE_IP,
    SCOPE_KEY,
    SCOPE_NAMES,
    SCOPE_OWNER_SYMBOL,
    split_pair,
)

UNKNOWN_DECISION: Final = "This decision does not exist."


def decision(desk: Desk, outcome: Outcome, *, decision_id: str) -> Any:
    """Answer with one decision, if it was made on a request of the same key.

    Another key's decision, one that is no longer kept and an id that was never given out are
    answered alike.
    """
    asked = outcome.event
    assert isinstance(asked, Query)
    seq = desk.ids.decode(decision_id)
    record = desk.find_record(seq) if seq is not None else None
    if record is None or not isinstance(record.event, Request) or record.event.key != asked.key:
        return Failure(404, -2013, UNKNOWN_DECISION)
    found = record.decision
    answer: dict[str, Any] = {
        "decisionId": decision_id,
        "time": desk.time(record.now_ns),
        "endpoint": Endpoint(record.event.endpoint).name.lower(),
        "verdict": VERDICT_NAMES[found.verdict],
        "breaches": [
            breach_object(desk.core.pipeline, desk.ids, breach) for breach in found.breaches
        ],
    }
    symbol = getattr(record.event, "symbol", 0)
    if symbol:
        answer["symbol"] = desk.symbol_name(symbol)
    if found.order_id:
        answer["orderId"] = found.order_id
    client_order_id = found.client_order_id or getattr(record.event, "client_order_id", "")
    if client_order_id:
        answer["clientOrderId"] = client_order_id
    if found.bid_e8 or found.ask_e8:
        answer["bestBid"] = amount(found.bid_e8)
        answer["bestAsk"] = amount(found.ask_e8)
    if found.until_ns:
        answer["heldUntil"] = desk.until(found.until_ns)
    if found.charges:
        tariffs = desk.core.rulebook.tariffs
        answer["charges"] = [
            {
                "tariff": charge.tariff,
                "orderId": charge.order_id,
                "amount": amount(charge.amount_e8),
                "currency": tariffs[charge.tariff].file.currency,
            }
            for charge in found.charges
        ]
    return answer


def limits(desk: Desk, outcome: Outcome) -> Any:
    """Answer with used, limit and end of window of every limit that applies to the key.

    Rules that keep their limits to themselves are left out.
    """
    asked = outcome.event
    assert isinstance(asked, Query)
    account = desk.account(outcome)
    subjects = (
        (SCOPE_IP, asked.ip),
        (SCOPE_KEY, asked.key),
        *account_subjects(desk.core.book, account),
    )
    now_ns = desk.core.now_ns()
    pipeline = desk.core.pipeline
    return {
        "time": desk.time(now_ns),
        "limits": [
            _limit(desk, usage)
            for rule in pipeline.rules
            if tells_limits(rule)
            for scope, subject in subjects
            if subject
            for usage in pipeline.usage(rule.name, scope, subject, now_ns)
        ],
    }


def _limit(desk: Desk, usage: Usage) -> dict[str, Any]:
    limit: dict[str, Any] = {
        "rule": usage.rule,
        "scope": SCOPE_NAMES[usage.scope],
        "label": usage.label,
        "used": shown(usage, usage.used),
        "limit": shown(usage, usage.limit) if usage.limit else None,
        "windowMs": usage.window_ns // NS_PER_MS or None,
        "resetsAt": desk.time(usage.resets_ns) if usage.resets_ns else None,
    }
    if usage.scope in (SCOPE_ACCOUNT_SYMBOL, SCOPE_OWNER_SYMBOL):
        limit["symbol"] = desk.symbol_name(split_pair(usage.subject)[1])
    return limit
