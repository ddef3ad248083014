"""How all owners stand in ratios and fees, for operators."""

import asyncio
from collections.abc import Iterable
from typing import Final

from gateway.admin import messages
from gateway.admin.surface import AdministeredCore, OperatorError, UnknownSubjectError
from gateway.fees.meter import (
    OwnerConduct,
    SymbolStanding,
    conduct_of,
    headroom_e8,
    judged_accounts,
    known_owners,
)
from rules.ratio_levels import LEVEL_NAMES
from rules.units import decimal_text
from rules.values import DEFINE_OWNER

SORTS: Final = ("level", "ratio", "fee", "projected", "messages", "owner")
LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1_000
_OWNERS_A_TURN: Final = 32
"""Owners looked at before others get their turn."""


class ConductListing:
    """Lists owners; a long list is made in pieces, so that trading goes on in between."""

    def __init__(self, core: AdministeredCore) -> None:
        self._core = core

    async def list(
        self, owner: str = "", sort: str = "level", limit: str = ""
    ) -> messages.ConductAnswer:
        """Return one owner, or the first `limit` of all by `sort`; raises OperatorError."""
        if sort not in SORTS:
            raise OperatorError(f"sort `{sort}` is not known; there are {', '.join(SORTS)}")
        count = _limit(limit)
        core = self._core
        rules = core.pipeline.rules
        if owner:
            number = core.directory.known(DEFINE_OWNER, owner)
            if not number:
                raise UnknownSubjectError(f"there is no owner `{owner}`")
            owners = [number]
        else:
            owners = known_owners(rules)
        accounts = judged_accounts(core.book)
        found = []
        for index, number in enumerate(owners, 1):
            account = accounts.get(number)
            found.append(
                conduct_of(rules, core.rulebook, core.book, number, account, core.now_ns())
            )
            if index % _OWNERS_A_TURN == 0:
                await asyncio.sleep(0)
        found.sort(key=lambda one: self._order(one, sort))
        return messages.ConductAnswer(
            now_ns=core.now_ns(),
            owners=len(found),
            sort=sort,
            lines=tuple(self._line(one) for one in found[:count]),
        )

    def _order(self, one: OwnerConduct, sort: str) -> tuple[int, str]:
        """Return what owners are sorted by: the most first, then by name."""
        name = self._name(one)
        if sort == "owner":
            return 0, name
        if sort in ("fee", "projected"):
            # Amounts of different currencies are not compared by their worth.
            return -max(one.amounts_e8(sort == "projected").values(), default=0), name
        if sort == "messages":
            return -one.messages, name
        return -(one.level if sort == "level" else one.highest_ratio_e8), name

    def _name(self, one: OwnerConduct) -> str:
        return self._core.directory.name(DEFINE_OWNER, one.owner) or str(one.owner)

    def _line(self, one: OwnerConduct) -> messages.OwnerConductLine:
        projected = one.amounts_e8(projected=True)
        return messages.OwnerConductLine(
            owner=self._name(one),
            level=LEVEL_NAMES[one.level],
            ratios=tuple(self._ratio(ratio) for ratio in one.ratios),
            fees=tuple(_fees(one)),
            amounts={
                currency: decimal_text(amount_e8)
                for currency, amount_e8 in sorted(one.amounts_e8().items())
            },
            projected={
                currency: decimal_text(amount_e8)
                for currency, amount_e8 in sorted(projected.items())
            },
        )

    def _ratio(self, one: SymbolStanding) -> messages.RatioLine:
        standing = one.standing
        return messages.RatioLine(
            rule=standing.rule,
            symbol=self._core.book.symbols[one.symbol].name,
            label=standing.label,
            ratio=None if standing.ratio_e8 is None else decimal_text(standing.ratio_e8),
            maximum=decimal_text(standing.maximum_e8) if standing.maximum_e8 >= 0 else None,
            counted=standing.counted,
            judged_from=standing.minimum,
            level=LEVEL_NAMES[standing.level],
            recovers_ns=standing.until_ns,
            enforced=one.enforced,
        )


def _fees(conduct: OwnerConduct) -> Iterable[messages.FeeLine]:
    for line in conduct.fees:
        left_e8 = headroom_e8(line)
        yield messages.FeeLine(
            tariff=line.tariff.name,
            symbol=line.charge.symbol,
            period=line.charge.period,
            currency=line.tariff.file.currency,
            amount=decimal_text(line.charge.amount_e8),
            projected=decimal_text(line.projected.amount_e8),
            headroom=None if left_e8 is None else decimal_text(left_e8),
            next=line.headroom.next if line.headroom is not None else "",
            ends_ns=line.ends_ns,
            enforced=conduct.charges,
        )


def _limit(text: str) -> int:
    if not text:
        return LIMIT_DEFAULT
    if not (text.isdecimal() and len(text) <= len(str(LIMIT_MAX)) and 0 < int(text) <= LIMIT_MAX):
        raise OperatorError(f"limit `{text}` is not a number from 1 to {LIMIT_MAX}")
    return int(text)
