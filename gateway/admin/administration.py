"""What operators do and see: stop, release, halt, ban, status, limits.

Every act is an event through the core's door, so it is decided, recorded and replayed like any
request. No server is known here; `gateway.edges.admin` is one way in.
"""

import importlib.metadata
from collections.abc import Iterator
from typing import Any, Final

from gateway.admin import messages
from gateway.admin.conduct import ConductListing
from gateway.admin.limits import LimitsListing
from gateway.admin.naming import Naming
from gateway.admin.surface import (
    NOTE_CHARACTERS_MAX,
    READ_QUERY_CHARACTERS_MAX,
    AdministeredCore,
    AdministeredJournal,
    OperatorError,
    check_text,
)
from gateway.answer import Answer
from gateway.builds import is_compiled
from gateway.decision_id import DecisionIds
from gateway.outcome import Outcome
from gateway.turns import Turns
from rules.access.ban_ladder import BanLadder
from rules.access.overload import Overload
from rules.book import OpenOrder
from rules.events import ClearBan, Event, RecordRead, SetState, SetSymbolState
from rules.units import decimal_text
from rules.values import (
    DEFINE_ADDRESS,
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_NAMES,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    SPACE_AMPLE,
    SPACE_NAMES,
    SPACE_SCARCE,
    STATE_ACTIVE,
    STATE_NAMES,
    SYMBOL_STATE_NAMES,
)

BAN_SECONDS_MAX: Final = 366 * 24 * 3_600
BAN_LINES_MAX: Final = 1_000


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
        self.limits = LimitsListing(core)
        """How close everybody is to every limit."""
        self._naming = Naming(core)

    # --- Acts ---------------------------------------------------------------------------------

    async def kill(self, request: messages.KillRequest) -> messages.StopAnswer:
        """Stop a scope; returns once that is recorded and in force.

        The core cancels the open orders of a KILLED scope by itself. Raises OperatorError.
        """
        _check_note(request.reason, request.actor)
        scope, subject = self._naming.subject(request.scope, request.subject)
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
        scope, subject = self._naming.subject(request.scope, request.subject)
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
        _, symbol = self._naming.subject("symbol", request.symbol)
        state = SYMBOL_STATE_NAMES.index(request.state)
        return await self._act(SetSymbolState(symbol, state, request.reason, request.actor))

    async def ban(self, request: messages.BanRequest) -> messages.ActAnswer:
        """Ban an address, or lift its ban and forget its history; raises OperatorError."""
        if not 0 <= request.seconds <= BAN_SECONDS_MAX:
            raise OperatorError(
                f"seconds {request.seconds} is out of range; 0 (lift) to {BAN_SECONDS_MAX} is taken"
            )
        check_text("actor", request.actor, NOTE_CHARACTERS_MAX)
        address = self._naming.address(request.address, define=request.seconds > 0)
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
        bans = self._bans()
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
            bans=tuple(bans[:BAN_LINES_MAX]),
            more_bans=len(bans) > BAN_LINES_MAX,
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
        scope, subject = self._naming.subject(scope_name, subject_name)
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

    def _stops(self) -> Iterator[messages.StopLine]:
        book = self._core.book
        for (scope, subject), state in book.states.items():
            reason, actor, since_ns = book.state_notes.get((scope, subject), ("", "", 0))
            yield messages.StopLine(
                scope=SCOPE_NAMES[scope],
                subject=self._naming.subject_name(scope, subject),
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

    def _bans(self) -> list[messages.BanLine]:
        """Return the bans in force, one more than are listed where there are more."""
        now_ns = self._core.now_ns()
        ladder: Any = self._core.pipeline.rule(BanLadder.name)
        bans = ladder.bans(now_ns) if ladder is not None else ()
        return [
            messages.BanLine(
                address=self._core.directory.name(DEFINE_ADDRESS, number), until_ns=until_ns
            )
            for number, until_ns in bans[: BAN_LINES_MAX + 1]
        ]

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


def _check_note(reason: str, actor: str) -> None:
    """Raise OperatorError unless both are there."""
    check_text("reason", reason, NOTE_CHARACTERS_MAX)
    check_text("actor", actor, NOTE_CHARACTERS_MAX)


def _version() -> str:
    try:
        return importlib.metadata.version("ordergate")
    except importlib.metadata.PackageNotFoundError:
        return "unreleased"
