"""What operators do and see: stop, release, halt, ban, status, limits.

Every act is an event through the core's door, so it is decided, recorded and replayed like any
request. No server is known here; `gateway.edges.admin` is one way in.
"""

import importlib.metadata
from collections.abc import Iterator
from typing import Any, Final

from gateway.addresses import address_text
from gateway.admin import messages
from gateway.admin.conduct import ConductListing
from gateway.admin.surface import (
    NOTE_CHARACTERS_MAX,
    READ_QUERY_CHARACTERS_MAX,
    AdministeredCore,
    AdministeredJournal,
    OperatorError,
    UnknownSubjectError,
    check_text,
)
from gateway.answer import Answer
from gateway.builds import is_compiled
from gateway.decision_id import DecisionIds
from gateway.outcome import Outcome
from gateway.turns import Turns
from gateway.usages import account_subjects, shown
from rules.access.ban_ladder import BanLadder
from rules.access.overload import Overload
from rules.book import OpenOrder
from rules.decisions import Usage
from rules.events import ClearBan, Event, RecordRead, SetState, SetSymbolState
from rules.units import decimal_text
from rules.values import (
    DEFINE_ADDRESS,
    DEFINE_OWNER,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_ACCOUNT_SYMBOL,
    SCOPE_IP,
    SCOPE_KEY,
    SCOPE_NAMES,
    SCOPE_OWNER,
    SCOPE_OWNER_SYMBOL,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    SPACE_AMPLE,
    SPACE_NAMES,
    SPACE_SCARCE,
    STATE_ACTIVE,
    STATE_NAMES,
    SYMBOL_STATE_NAMES,
    split_pair,
)

BAN_SECONDS_MAX: Final = 366 * 24 * 3_600
LIMIT_LINES_MAX: Final = 1_000
"""Lines of a listing of everybody's limits, and of all bans."""


class Administration:
    """Carries out what operators ask for.

    `journal` is None when nothing is recorded, `turns` when nothing waits (a test).
    """

    def __init__(
        self,
        core: AdministeredCore,
        decision_ids: DecisionIds,
        journal: AdministeredJournal | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._core = core
        self._decision_ids = decision_ids
        self._journal = journal
        self._turns = turns
        self._started_ns = core.now_ns()
        self.conduct = ConductListing(core)
        """How owners stand in ratios and fees."""

    # --- Acts ---------------------------------------------------------------------------------

    async def kill(self, request: messages.KillRequest) -> messages.StopAnswer:
        """Stop a scope; returns once that is recorded and in force.

        The core cancels the open orders of a KILLED scope by itself. Raises OperatorError.
        """
        _check_note(request.reason, request.actor)
        scope, subject = self.subject(request.scope, request.subject)
        open_orders = self._count(scope, subject)
        state = STATE_NAMES.index(request.state)
        outcome = await self._decided(
            SetState(scope, subject, state, request.reason, request.actor)
        )
        return messages.StopAnswer(
            decision_id=self._decision_ids.encode(outcome.seq),
            now_ns=outcome.now_ns,
            scope=request.scope,
            subject=request.subject,
            state=request.state,
            open_orders=open_orders,
            remaining=self._count(scope, subject),
        )

    async def release(self, request: messages.ReleaseRequest) -> messages.ActAnswer:
        """Set a scope back to ACTIVE; raises OperatorError when it is ACTIVE already."""
        _check_note(request.reason, request.actor)
        scope, subject = self.subject(request.scope, request.subject)
        if (scope, subject) not in self._core.book.states:
            raise OperatorError(
                f"{request.scope} {request.subject or 'state'} is ACTIVE already; "
                "`ordergate status` lists what is stopped"
            )
        return await self._act(
            SetState(scope, subject, STATE_ACTIVE, request.reason, request.actor)
        )

    async def set_symbol_state(self, request: messages.SymbolStateRequest) -> messages.ActAnswer:
        """Open, halt or restrict trading in a symbol; raises OperatorError."""
        _check_note(request.reason, request.actor)
        _, symbol = self.subject("symbol", request.symbol)
        state = SYMBOL_STATE_NAMES.index(request.state)
        return await self._act(SetSymbolState(symbol, state, request.reason, request.actor))

    async def ban(self, request: messages.BanRequest) -> messages.ActAnswer:
        """Ban an address, or lift its ban and forget its history; raises OperatorError."""
        if not 0 <= request.seconds <= BAN_SECONDS_MAX:
            raise OperatorError(
                f"seconds {request.seconds} is out of range; 0 (lift) to {BAN_SECONDS_MAX} is taken"
            )
        check_text("actor", request.actor, NOTE_CHARACTERS_MAX)
        address = self.address(request.address, define=request.seconds > 0)
        until_ns = 0
        if request.seconds:
            until_ns = self._core.now_ns() + request.seconds * NS_PER_SECOND
        return await self._act(ClearBan(address, until_ns, request.actor))

    async def record_read(self, request: messages.RecordReadRequest) -> messages.ActAnswer:
        """Record that somebody reads the record; raises OperatorError, also when that can't be.

        Where the run's own record is lost the reserve takes it.
        """
        check_text("actor", request.actor, NOTE_CHARACTERS_MAX)
        check_text("query", request.query, READ_QUERY_CHARACTERS_MAX)
        answer = await self._act(RecordRead(request.actor, request.query))
        if not self._core.recorded:
            raise OperatorError("nothing is recorded any more: the record and its reserve are lost")
        return answer

    async def _act(self, event: Event) -> messages.ActAnswer:
        outcome = await self._decided(event)
        return messages.ActAnswer(
            decision_id=self._decision_ids.encode(outcome.seq), now_ns=outcome.now_ns
        )

    async def _decided(self, event: Event) -> Outcome:
        answer = Answer()
        self._core.submit(event, answer)
        return await answer.outcome()

    # --- Reports ------------------------------------------------------------------------------

    def status(self) -> messages.StatusAnswer:
        """Return how the gate is."""
        core = self._core
        book = core.book
        journal = self._journal
        return messages.StatusAnswer(
            version=_version(),
            started_ns=self._started_ns,
            now_ns=core.now_ns(),
            seq=core.seq,
            recorded_seq=core.seq if journal is None else journal.recorded_seq,
            rulebook=core.rulebook.name,
            revision=core.rulebook.revision,
            compiled=is_compiled(),
            engine_connected=book.engine_connected,
            engine_epoch=book.engine_epoch,
            engine_seq=book.engine_seq,
            open_orders=len(book.orders),
            accounts=len(book.accounts),
            keys=len(book.keys),
            journal="" if journal is None else str(journal.directory),
            journal_fault="" if journal is None else journal.fault,
            record_space=SPACE_NAMES[self._space()],
            stops=tuple(self._stops()),
            symbols=tuple(self._symbols()),
            bans=tuple(self._bans()),
            lanes=tuple(self._lanes()),
        )

    def now_ns(self) -> int:
        """Return the core's time."""
        return self._core.now_ns()

    def healthy(self) -> bool:
        """Tell whether new orders can be taken: the record has room, the engine is there."""
        if self._journal is not None and self._journal.fault:
            return False
        return self._core.book.engine_connected and self._space() != SPACE_SCARCE

    def _space(self) -> int:
        """Return the room on the record's disk, as requests are refused for it."""
        rule: Any = self._core.pipeline.rule(Overload.name)
        space: int = rule.space if rule is not None else SPACE_AMPLE
        return space

    def scope(self, scope_name: str, subject_name: str) -> messages.ScopeAnswer:
        """Return what stopping a scope would reach; raises OperatorError."""
        scope, subject = self.subject(scope_name, subject_name)
        accounts: set[int] = set()
        open_orders = 0
        for order in self._orders(scope, subject):
            open_orders += 1
            accounts.add(order.account)
        return messages.ScopeAnswer(
            scope=scope_name,
            subject=subject_name,
            state=STATE_NAMES[self._core.book.states.get((scope, subject), STATE_ACTIVE)],
            open_orders=open_orders,
            accounts=len(accounts),
        )

    def limits(self, key: str = "", account: str = "", address: str = "") -> messages.LimitsAnswer:
        """Return the use of the limits of a key (and its account and owner), account, address.

        Without any of them: what is in use by anybody, at most LIMIT_LINES_MAX lines. Raises
        OperatorError for an unknown name.
        """
        subjects: list[tuple[int, int]] = []
        if key:
            definition = self._core.directory.keys.get(key)
            if definition is None:
                raise UnknownSubjectError(f"there is no key `{key}`")
            subjects.append((SCOPE_KEY, definition.key))
            subjects.extend(account_subjects(self._core.book, definition.account))
        if account:
            _, number = self.subject("account", account)
            subjects.extend(account_subjects(self._core.book, number))
        if address:
            subjects.append((SCOPE_IP, self.address(address)))
        everybody = not subjects
        if everybody:
            for number in self._core.book.accounts:
                subjects.extend(account_subjects(self._core.book, number))
            subjects.extend(
                (SCOPE_IP, number) for number in self._core.directory.names(DEFINE_ADDRESS)
            )
        lines: list[messages.LimitLine] = []
        for scope, subject in dict.fromkeys(subjects):
            lines.extend(
                self._limit_line(usage)
                for usage in self._usages(scope, subject)
                if usage.used or not everybody
            )
            if len(lines) >= LIMIT_LINES_MAX:
                break
        return messages.LimitsAnswer(
            now_ns=self._core.now_ns(), limits=tuple(lines[:LIMIT_LINES_MAX])
        )

    def _usages(self, scope: int, subject: int) -> Iterator[Usage]:
        now_ns = self._core.now_ns()
        for rule in self._core.pipeline.rules:
            yield from self._core.pipeline.usage(rule.name, scope, subject, now_ns)

    def _limit_line(self, usage: Usage) -> messages.LimitLine:
        return messages.LimitLine(
            rule=usage.rule,
            scope=SCOPE_NAMES[usage.scope],
            subject=self.subject_name(usage.scope, usage.subject),
            label=usage.label,
            used=shown(usage, usage.used),
            limit=shown(usage, usage.limit),
            window_ns=usage.window_ns,
            resets_ns=usage.resets_ns,
        )

    def _stops(self) -> Iterator[messages.StopLine]:
        book = self._core.book
        for (scope, subject), state in book.states.items():
            reason, actor, since_ns = book.state_notes.get((scope, subject), ("", "", 0))
            yield messages.StopLine(
                scope=SCOPE_NAMES[scope],
                subject=self.subject_name(scope, subject),
                state=STATE_NAMES[state],
                reason=reason,
                actor=actor,
                since_ns=since_ns,
            )

    def _lanes(self) -> Iterator[messages.LaneLine]:
        for state in self._turns.states() if self._turns is not None else ():
            yield messages.LaneLine(
                name=state.name,
                requests=state.requests,
                oldest_ns=state.oldest_ns,
                shed=state.shed,
                shedding=state.shedding,
            )

    def _symbols(self) -> Iterator[messages.SymbolLine]:
        for facts in self._core.book.symbols.values():
            yield messages.SymbolLine(
                symbol=facts.name,
                state=SYMBOL_STATE_NAMES[facts.state],
                last=decimal_text(facts.last_e8 or facts.previous_close_e8),
                bid=decimal_text(facts.bid_e8),
                ask=decimal_text(facts.ask_e8),
            )

    def _bans(self) -> Iterator[messages.BanLine]:
        now_ns = self._core.now_ns()
        ladder: Any = self._core.pipeline.rule(BanLadder.name)
        bans = ladder.bans(now_ns) if ladder is not None else ()
        for number, until_ns in bans[:LIMIT_LINES_MAX]:
            address = self._core.directory.name(DEFINE_ADDRESS, number)
            yield messages.BanLine(address=address, until_ns=until_ns)

    # --- Names --------------------------------------------------------------------------------

    def subject(self, scope_name: str, name: str) -> tuple[int, int]:
        """Return (scope, number) of a named stop scope; raises OperatorError."""
        directory = self._core.directory
        scope = _STOP_SCOPES.get(scope_name)
        if scope is None:
            raise OperatorError(
                f"`{scope_name}` can't be stopped; a scope is one of {', '.join(_STOP_SCOPES)}"
            )
        if scope == SCOPE_VENUE:
            if name:
                raise OperatorError(f"the venue has no subject, but `{name}` was named")
            return scope, 0
        number = 0
        if scope == SCOPE_SYMBOL and name in directory.symbols:
            number = directory.symbols[name].symbol
        elif scope == SCOPE_OWNER:
            number = directory.known(DEFINE_OWNER, name)
        elif scope == SCOPE_ACCOUNT and name in directory.accounts:
            number = directory.accounts[name].account
        elif scope == SCOPE_KEY and name in directory.keys:
            number = directory.keys[name].key
        if not number:
            raise UnknownSubjectError(f"there is no {scope_name} `{name}`")
        return scope, number

    def subject_name(self, scope: int, subject: int) -> str:
        """Return the name of a scope's subject, empty for the venue."""
        directory = self._core.directory
        if scope in (SCOPE_OWNER_SYMBOL, SCOPE_ACCOUNT_SYMBOL):
            single = SCOPE_OWNER if scope == SCOPE_OWNER_SYMBOL else SCOPE_ACCOUNT
            number, symbol = split_pair(subject)
            first = self.subject_name(single, number)
            return f"{first} {self.subject_name(SCOPE_SYMBOL, symbol)}"
        if scope == SCOPE_OWNER:
            return directory.name(DEFINE_OWNER, subject)
        if scope == SCOPE_IP:
            return directory.name(DEFINE_ADDRESS, subject)
        if scope == SCOPE_SYMBOL and subject in directory.symbols_by_number:
            return directory.symbols_by_number[subject].name
        if scope == SCOPE_ACCOUNT and subject in directory.accounts_by_number:
            return directory.accounts_by_number[subject].name
        if scope == SCOPE_KEY and subject in directory.keys_by_number:
            return directory.keys_by_number[subject].name
        return str(subject) if subject else ""

    def address(self, text: str, define: bool = False) -> int:
        """Return the number of an address; raises OperatorError when it is none or never seen.

        With `define` an address that was never seen gets its number.
        """
        counted = address_text(text.removesuffix("/64"))
        if counted is None:
            raise OperatorError(f"`{text}` is not an IPv4 or IPv6 address")
        if define:
            return self._core.directory.address(counted)
        number = self._core.directory.known(DEFINE_ADDRESS, counted)
        if not number:
            raise UnknownSubjectError(f"no request ever came from {counted}")
        return number

    def _count(self, scope: int, subject: int) -> int:
        """Return how many open orders a stop scope has; others wait meanwhile."""
        book = self._core.book
        if scope == SCOPE_VENUE:
            return len(book.orders)
        if scope == SCOPE_ACCOUNT:
            return len(book.open_orders(subject))
        return sum(1 for _ in self._orders(scope, subject))

    def _orders(self, scope: int, subject: int) -> Iterator[OpenOrder]:
        """Yield the open orders of a stop scope."""
        book = self._core.book
        if scope == SCOPE_ACCOUNT:
            yield from book.open_orders(subject).values()
            return
        for order in book.orders.values():
            if (
                scope == SCOPE_VENUE
                or (scope == SCOPE_SYMBOL and order.symbol == subject)
                or (scope == SCOPE_OWNER and order.owner == subject)
                or (scope == SCOPE_KEY and order.key == subject)
            ):
                yield order


_STOP_SCOPES: Final = {
    "venue": SCOPE_VENUE,
    "symbol": SCOPE_SYMBOL,
    "owner": SCOPE_OWNER,
    "account": SCOPE_ACCOUNT,
    "key": SCOPE_KEY,
}


def _check_note(reason: str, actor: str) -> None:
    """Raise OperatorError unless both are there."""
    check_text("reason", reason, NOTE_CHARACTERS_MAX)
    check_text("actor", actor, NOTE_CHARACTERS_MAX)


def _version() -> str:
    try:
        return importlib.metadata.version("ordergate")
    except importlib.metadata.PackageNotFoundError:
        return "unreleased"
