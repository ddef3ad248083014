"""Answer of `GET /ordergate/v1/conduct`: how the key's owner stands in measures, ratios and fees."""

from collections.abc import Iterator
from typing import Any

from gateway.dialects.binance.reading import Desk
from gateway.fees.meter import SymbolStanding, conduct_of, headroom_e8
from gateway.outcome import Outcome
from rules.conduct_facts import STEP_NAMES
from rules.fees.ledger import MeterLine
from rules.ratio_levels import LEVEL_NAMES
from rules.units import decimal_text
from rules.values import DEFINE_OWNER, E8, OWNER_CLASS_NAMES


def conduct(desk: Desk, outcome: Outcome) -> Any:
    """Answer with measures, ratios and fees of the owner of the key that asks."""
    core = desk.core
    account = core.book.accounts[desk.account(outcome)]
    now_ns = core.now_ns()
    rules = core.pipeline.rules
    found = conduct_of(rules, core.rulebook, core.book, account.owner, account, now_ns)
    amounts, projected = found.amounts_e8(), found.amounts_e8(projected=True)
    return {
        "time": desk.time(now_ns),
        "owner": core.directory.name(DEFINE_OWNER, account.owner),
        "account": account.name,
        "ownerClass": OWNER_CLASS_NAMES[core.book.owner_class(account.account)],
        "level": LEVEL_NAMES[found.level],
        "measures": list(_measures(desk, account.owner)),
        "ratios": [_ratio(desk, one) for one in found.ratios],
        "fees": [_fee(desk, line, found.charges) for line in found.fees],
        "totals": [
            {
                "currency": currency,
                "amount": decimal_text(amount_e8),
                "projected": decimal_text(projected[currency]),
            }
            for currency, amount_e8 in sorted(amounts.items())
        ],
    }


def _measures(desk: Desk, owner: int) -> Iterator[dict[str, Any]]:
    """Yield the measures in force against an owner, or against those he is judged with.

    Each names the case that led to it and when it goes down, and nothing of what was found.
    """
    facts = desk.core.book.conduct
    for symbol, standing in facts.in_force(facts.interest_of(owner)).items():
        yield {
            "symbol": desk.symbol_name(symbol) if symbol else None,
            "step": STEP_NAMES[standing.step],
            "caseId": desk.ids.encode_case(standing.case),
            "since": desk.time(standing.since_ns),
            "recoversAt": desk.until(standing.until_ns) if standing.until_ns else None,
        }


def _ratio(desk: Desk, one: SymbolStanding) -> dict[str, Any]:
    standing = one.standing
    return {
        "rule": standing.rule,
        "symbol": desk.symbol_name(one.symbol),
        "label": standing.label,
        "ratio": None if standing.ratio_e8 is None else decimal_text(standing.ratio_e8),
        "maximum": decimal_text(standing.maximum_e8) if standing.maximum_e8 >= 0 else None,
        "counted": standing.counted,
        "judgedFrom": standing.minimum,
        "level": LEVEL_NAMES[standing.level],
        "recoversAt": desk.until(standing.until_ns) if standing.until_ns else None,
        "enforced": one.enforced,
    }


def _fee(desk: Desk, line: MeterLine, enforced: bool) -> dict[str, Any]:
    charge = line.charge
    found = charge.assessment
    left_e8 = headroom_e8(line)
    return {
        "tariff": line.tariff.name,
        "symbol": charge.symbol or None,
        "period": charge.period,
        "currency": line.tariff.file.currency,
        "measured": decimal_text(found.measured_e8),
        "base": decimal_text(found.base_e8) if found.base_e8 else None,
        "ratio": decimal_text(found.measured_e8 * E8 // found.base_e8) if found.base_e8 else None,
        "amount": decimal_text(charge.amount_e8),
        "waived": decimal_text(charge.waived_e8),
        "projected": decimal_text(line.projected.amount_e8),
        "headroom": None if left_e8 is None else decimal_text(left_e8),
        "next": line.headroom.next if line.headroom is not None else None,
        "endsAt": desk.time(line.ends_ns),
        "enforced": enforced,
    }
