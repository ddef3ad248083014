"""How an owner stands: every ratio that is judged and every fee of the running period."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, runtime_checkable

from rules.book import AccountFacts, Book
from rules.conduct.cancel_fees import CancelFees
from rules.fees.counts import WHOLE_COLUMNS
from rules.fees.ledger import MeterLine
from rules.fees.tariff import Tariff
from rules.ratio_levels import LEVEL_NONE, RatioStanding
from rules.registry import mode_of
from rules.rule import Rule
from rules.rulebook import Rulebook
from rules.values import ACCOUNT_MARKET_MAKER, E8


@runtime_checkable
class RatioRule(Protocol):
    """A rule that judges owners by a ratio in a symbol."""

    name: str

    def standings(
        self, owner: int, symbol: int, account: AccountFacts | None, now_ns: int
    ) -> tuple[RatioStanding, ...]:
        """Return how an owner stands in a symbol."""

    def pairs(self) -> list[tuple[int, int]]:
        """Return owner and symbol of everybody who is counted."""


class SymbolStanding(NamedTuple):
    """One ratio of an owner in one symbol."""

    symbol: int
    standing: RatioStanding
    enforced: bool
    """Whether anything follows from it; in shadow it is only counted."""


class OwnerConduct(NamedTuple):
    """Everything about one owner."""

    owner: int
    ratios: tuple[SymbolStanding, ...]
    fees: tuple[MeterLine, ...]
    charges: bool
    """Whether the fees are posted; in shadow they are only shown."""

    @property
    def level(self) -> int:
        """The strictest level of all ratios from which something follows."""
        return max((one.standing.level for one in self.ratios if one.enforced), default=LEVEL_NONE)

    @property
    def highest_ratio_e8(self) -> int:
        """The highest of all ratios by number of orders, 0 without any."""
        return max((one.standing.ratio_e8 or 0 for one in self.ratios), default=0)

    @property
    def messages(self) -> int:
        """What was counted in the symbol with the most."""
        return max((one.standing.counted for one in self.ratios), default=0)

    def amounts_e8(self, projected: bool = False) -> dict[str, int]:
        """Return the fees so far, or as projected, by currency."""
        found: dict[str, int] = {}
        for line in self.fees:
            charge = line.projected if projected else line.charge
            currency = line.tariff.file.currency
            found[currency] = found.get(currency, 0) + charge.amount_e8
        return found


def ratio_rules(rules: Iterable[Rule]) -> tuple[RatioRule, ...]:
    """Return the rules in force that judge by a ratio."""
    return tuple(rule for rule in rules if isinstance(rule, RatioRule))


def fee_rule(rules: Iterable[Rule]) -> CancelFees | None:
    """Return the rule that charges fees, None when it is off."""
    return next((rule for rule in rules if isinstance(rule, CancelFees)), None)


def conduct_of(
    rules: Iterable[Rule],
    rulebook: Rulebook,
    book: Book,
    owner: int,
    account: AccountFacts | None,
    now_ns: int,
) -> OwnerConduct:
    """Return how an owner stands, judged by the maximums of one of his accounts."""
    rules = tuple(rules)
    ratios = tuple(
        SymbolStanding(symbol, standing, mode_of(rulebook, rule.name) == "enforce")
        for rule in ratio_rules(rules)
        for symbol in book.symbols
        for standing in rule.standings(owner, symbol, account, now_ns)
        if standing.counted or standing.level
    )
    fees = fee_rule(rules)
    lines = tuple(fees.meter(owner, book, now_ns)) if fees is not None else ()
    return OwnerConduct(owner, ratios, lines, mode_of(rulebook, CancelFees.name) == "enforce")


def judged_accounts(book: Book) -> dict[int, AccountFacts]:
    """Return an account of each owner: a market maker's, which has the most room, if he has one."""
    found: dict[int, AccountFacts] = {}
    for account in book.accounts.values():
        if account.owner not in found or account.flags & ACCOUNT_MARKET_MAKER:
            found[account.owner] = account
    return found


def known_owners(rules: Iterable[Rule]) -> list[int]:
    """Return everybody who is counted by any rule, in the order in which they came."""
    rules = tuple(rules)
    found: dict[int, None] = {}
    for rule in ratio_rules(rules):
        found.update(dict.fromkeys(owner for owner, _ in rule.pairs()))
    fees = fee_rule(rules)
    if fees is not None:
        for ledger in fees.ledgers:
            found.update(dict.fromkeys(ledger.owners()))
    return list(found)


def headroom_e8(line: MeterLine) -> int | None:
    """Return how much more is free, in whole messages where those are counted; None for no end."""
    if line.headroom is None:
        return None
    left_e8 = line.headroom.left_e8
    return left_e8 // E8 * E8 if _counts_messages(line.tariff) else left_e8


def _counts_messages(tariff: Tariff) -> bool:
    weights = getattr(tariff.clause, "count", {})
    return bool(weights) and all(column in WHOLE_COLUMNS for column in weights)
