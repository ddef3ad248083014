"""How close everybody is to every limit, for operators."""

import asyncio
from collections.abc import Iterator
from typing import Final

from gateway.admin import messages
from gateway.admin.naming import Naming
from gateway.admin.surface import AdministeredCore, UnknownSubjectError
from gateway.usages import account_subjects, shown
from rules.decisions import Usage
from rules.values import DEFINE_ADDRESS, SCOPE_IP, SCOPE_KEY, SCOPE_NAMES

LINES_MAX: Final = 1_000
SUBJECTS_MAX: Final = 100_000
"""Accounts with their symbols, and addresses, looked at for a listing of everybody's limits."""
_SUBJECTS_A_TURN: Final = 32
"""Of them, those looked at before others get their turn."""


class LimitsListing:
    """Lists the use of limits; a long list is made in pieces, so that trading goes on in between."""

    def __init__(self, core: AdministeredCore) -> None:
        self._core = core
        self._naming = Naming(core)

    async def list(
        self, key: str = "", account: str = "", address: str = ""
    ) -> messages.LimitsAnswer:
        """Return the use of the limits of a key (and its account and owner), account, address.

        Without any of them: what is in use by anybody, at most LINES_MAX lines, of at most
        SUBJECTS_MAX; trading goes on in between. Raises OperatorError for an unknown name.
        """
        subjects: list[tuple[int, int]] = []
        if key:
            definition = self._core.directory.keys.get(key)
            if definition is None:
                raise UnknownSubjectError(f"there is no key `{key}`")
            subjects.append((SCOPE_KEY, definition.key))
            subjects.extend(account_subjects(self._core.book, definition.account))
        if account:
            _, number = self._naming.subject("account", account)
            subjects.extend(account_subjects(self._core.book, number))
        if address:
            subjects.append((SCOPE_IP, self._naming.address(address)))
        everybody = not subjects
        lines: list[messages.LimitLine] = []
        seen: set[tuple[int, int]] = set()
        more = False
        for scope, subject in self._everybody() if everybody else subjects:
            if (scope, subject) in seen:
                continue
            if len(seen) == SUBJECTS_MAX or len(lines) > LINES_MAX:
                more = True
                break
            seen.add((scope, subject))
            lines.extend(
                self._limit_line(usage)
                for usage in self._usages(scope, subject)
                if usage.used or not everybody
            )
            if len(seen) % _SUBJECTS_A_TURN == 0:
                await asyncio.sleep(0)
        return messages.LimitsAnswer(
            now_ns=self._core.now_ns(),
            limits=tuple(lines[:LINES_MAX]),
            more=more or len(lines) > LINES_MAX,
        )

    def _everybody(self) -> Iterator[tuple[int, int]]:
        """Yield (scope, subject) of all accounts and addresses; new ones may come meanwhile."""
        for number in list(self._core.book.accounts):
            yield from list(account_subjects(self._core.book, number))
        for number in list(self._core.directory.names(DEFINE_ADDRESS)):
            yield SCOPE_IP, number

    def _usages(self, scope: int, subject: int) -> Iterator[Usage]:
        now_ns = self._core.now_ns()
        for rule in self._core.pipeline.rules:
            yield from self._core.pipeline.usage(rule.name, scope, subject, now_ns)

    def _limit_line(self, usage: Usage) -> messages.LimitLine:
        return messages.LimitLine(
            rule=usage.rule,
            scope=SCOPE_NAMES[usage.scope],
            subject=self._naming.subject_name(usage.scope, usage.subject),
            label=usage.label,
            used=shown(usage, usage.used),
            limit=shown(usage, usage.limit),
            window_ns=usage.window_ns,
            resets_ns=usage.resets_ns,
        )
