"""What the rules that look for patterns of conduct have in common."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from rules.book import Book, OpenOrder, SymbolFacts
from rules.conduct_clauses import PatternClause
from rules.decisions import Alert, stored
from rules.units import decimal_e8
from rules.values import (
    ACCOUNT_MARKET_MAKER,
    BUY,
    E8,
    INT63_MAX,
    LIMIT,
    MARKET,
    NS_PER_HOUR,
    NS_PER_MINUTE,
    notional_e8,
)

_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
EVIDENCE_MAX: Final = 64
"""Records one alert names."""


def at_least(part: int, share_e8: int, whole: int) -> bool:
    """Return whether `part` is the share of `whole` or more."""
    return part * E8 >= share_e8 * whole


def at_most(part: int, share_e8: int, whole: int) -> bool:
    """Return whether `part` is the share of `whole` or less."""
    return part * E8 <= share_e8 * whole


def share_of(part: int, whole: int) -> int:
    """Return part over whole in 1e-8, 0 of nothing."""
    return part * E8 // whole if whole else 0


def whose(key: int, book: Book) -> int:
    """Return the interest a key acts for, 0 when it is unknown."""
    account = book.holder_of(key)
    return book.conduct.interest_of(account.owner) if account is not None else 0


def barred(
    find: Callable[[Any], list[int] | None],
    subject: tuple[int, ...],
    rule: str,
    book: Book,
    now_ns: int,
) -> tuple[list[int], int] | None:
    """Return the bar in force against a subject (interest, symbol, …) and its case, else None.

    `find` returns a subject's bar, which begins with its end. It holds unless its
    case is dismissed.
    """
    interest, symbol, *rest = subject
    for one in book.conduct.judged_with(interest):
        bar = find((one, symbol, *rest))
        case = book.conduct.case_of(one, symbol, rule)
        if bar is not None and now_ns < bar[0] and case:
            return bar, case
    return None


def raised(count: int, clause: PatternClause, account: int, book: Book) -> int:
    """Return a count as it is for an account: higher for a market maker."""
    facts = book.accounts.get(account)
    if facts is not None and facts.flags & ACCOUNT_MARKET_MAKER:
        return count * clause.market_maker_factor
    return count


def small_notional_e8(factor: int, least_e8: int, facts: SymbolFacts) -> int:
    """Return up to which notional an order of the symbol is small."""
    filters = facts.filters
    return max(factor * max(filters.min_notional_e8, filters.notional_min_e8), least_e8)


def takes_now(terms: Any, facts: SymbolFacts) -> bool:
    """Return whether an order would take liquidity at the best prices last reported."""
    if terms.order_type == MARKET:
        return True
    if terms.order_type != LIMIT:
        return False
    if terms.side == BUY:
        return bool(facts.ask_e8) and terms.price_e8 >= facts.ask_e8
    return bool(facts.bid_e8) and terms.price_e8 <= facts.bid_e8


def worth_e8(terms: Any, facts: SymbolFacts) -> int:
    """Return the notional of an order, at the last price where it names none."""
    if terms.quote_quantity_e8:
        return int(terms.quote_quantity_e8)
    price_e8 = terms.price_e8 or facts.last_e8 or facts.previous_close_e8
    return notional_e8(price_e8, terms.quantity_e8)


def rests(order: OpenOrder) -> bool:
    """Return whether an order is of a kind that stands in the book."""
    return order.rests


def last_price_e8(facts: SymbolFacts) -> int:
    """Return the last price, the previous close before the first trade."""
    return facts.last_e8 or facts.previous_close_e8


def behind_e8(facts: SymbolFacts, side: int, price_e8: int) -> int:
    """Return how far behind the last price an order stands, as a share of it; below 0 beyond it.

    What is further away than 63 bits can say is so far.
    """
    last_e8 = last_price_e8(facts)
    if not last_e8:
        return -1
    away_e8 = last_e8 - price_e8 if side == BUY else price_e8 - last_e8
    return min(share_of(away_e8, last_e8), INT63_MAX)


def share_e8(text: str) -> int:
    """Return a share of a clause in 1e-8; raises ValueError when it is none."""
    return decimal_e8(text)


def time_of_day_ns(text: str) -> int:
    """Return a time of day such as `15:00` since midnight; raises ValueError when it is none."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is not a time of day such as 00:00 or 15:00 (UTC)")
    return int(match[1]) * NS_PER_HOUR + int(match[2]) * NS_PER_MINUTE


def evidence(seqs: Iterable[int]) -> tuple[int, ...]:
    """Return records as evidence: each once, the first half and the latest when there are many."""
    found = tuple(dict.fromkeys(seqs))
    if len(found) <= EVIDENCE_MAX:
        return found
    half = EVIDENCE_MAX // 2
    return found[:half] + found[-half:]


def tell(book: Book, alert: Alert) -> None:
    """Put what was found where the pipeline files it; sums over a day may pass 63 bits."""
    figures = tuple((name, stored(int(value))) for name, value in alert.figures)
    book.conduct.alerts.append(msgspec.structs.replace(alert, figures=figures))


def indicate(
    book: Book,
    rule: str,
    clause: PatternClause,
    whose_and_where: tuple[int, int],
    since_ns: int,
    seqs: Iterable[int],
    figures: tuple[tuple[str, int], ...],
    owners: tuple[int, ...],
    severity: int = 1,
) -> None:
    """Tell of an interest in a symbol (0: in several) what a rule that refuses nothing found."""
    interest, symbol = whose_and_where
    tell(
        book,
        Alert(
            rule=rule,
            interest=interest,
            symbol=symbol,
            severity=severity,
            since_ns=since_ns,
            evidence=evidence(seqs),
            figures=figures,
            owners=owners,
            shadow=clause.mode == "shadow",
        ),
    )
