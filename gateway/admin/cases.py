"""What operators see and decide of conduct cases, and who is judged together.

Every act is an event through the core's door, so it is decided, recorded and replayed like any
request.
"""

from typing import Final

from gateway.admin import case_messages as messages
from gateway.admin.messages import ActAnswer
from gateway.admin.surface import (
    AdministeredCore,
    OperatorError,
    UnknownSubjectError,
    check_name,
    check_text,
)
from gateway.answer import Answer
from gateway.decision_id import DecisionIds
from rules.conduct_facts import CASE_STATE_NAMES, STEP_NAMES, Case
from rules.events import ActOnCase, Event, LinkOwners
from rules.ladder import allows
from rules.registry import RULES
from rules.units import decimal_text, duration_text
from rules.values import CASE_ACT_NAMES, DEFINE_GROUP, DEFINE_OWNER

CASES_SHOWN_MAX: Final = 1_000
DIGITS_MAX: Final = 19
"""Digits of the largest number a record can have."""
TEXT_CHARACTERS_MAX: Final = 1_024
"""Characters of an explanation or a reason."""
_RULE_NAMES: Final = frozenset(kind.name for kind in RULES)


class CaseAdministration:
    """Lists cases and carries out what is decided about them."""

    def __init__(self, core: AdministeredCore, ids: DecisionIds) -> None:
        self._core = core
        self._ids = ids

    # --- Reports ------------------------------------------------------------------------------

    def cases(self, state: str = "", owner: str = "", rule: str = "") -> messages.CasesAnswer:
        """Return the latest cases, at most CASES_SHOWN_MAX; raises OperatorError.

        `state` is open, explained, confirmed or dismissed; an empty filter asks for all.
        """
        if state and state.upper() not in CASE_STATE_NAMES[1:]:
            known = ", ".join(name.lower() for name in CASE_STATE_NAMES[1:])
            raise OperatorError(f"`{state}` is no state of a case; there are {known}")
        if rule and rule not in _RULE_NAMES:
            raise OperatorError(f"no rule is called `{rule}`; docs/rules.md lists them")
        number = self._owner(owner) if owner else 0
        found = [
            self._line(case)
            for case in reversed(self._core.book.conduct.cases.values())
            if (not state or CASE_STATE_NAMES[case.state] == state.upper())
            and (not rule or case.rule == rule)
            and (not number or number in case.owners or number == case.interest)
        ]
        return messages.CasesAnswer(
            now_ns=self._core.now_ns(),
            cases=tuple(found[:CASES_SHOWN_MAX]),
            more=len(found) > CASES_SHOWN_MAX,
        )

    def case(self, name: str) -> messages.CaseAnswer:
        """Return everything about a case; raises OperatorError when there is none."""
        case = self._find(name)
        standings = self._core.book.conduct.in_force(case.interest)
        return messages.CaseAnswer(
            line=self._line(case),
            since_ns=case.first_ns,
            figures={_shown_name(figure): _shown(figure, value) for figure, value in case.figures},
            evidence=tuple(case.evidence),
            decisions=tuple(self._ids.encode(seq) for seq in case.evidence),
            notes=tuple(
                messages.NoteLine(now_ns=now_ns, act=act, actor=actor, text=text)
                for now_ns, act, actor, text in case.notes
            ),
            measures=tuple(
                messages.MeasureLine(
                    symbol=self._symbol(symbol),
                    step=STEP_NAMES[standing.step],
                    case=self._ids.encode_case(standing.case),
                    until_ns=standing.until_ns,
                )
                for symbol, standing in standings.items()
            ),
            may=tuple(
                name for act, name in enumerate(CASE_ACT_NAMES) if name and allows(case, act)
            ),
        )

    def groups(self) -> messages.GroupsAnswer:
        """Return who is judged together."""
        directory = self._core.directory
        return messages.GroupsAnswer(
            groups={
                directory.name(DEFINE_GROUP, group): tuple(
                    directory.name(DEFINE_OWNER, owner) for owner in owners
                )
                for group, owners in self._core.book.conduct.owners_by_group.items()
            }
        )

    # --- Acts ---------------------------------------------------------------------------------

    async def act(self, request: messages.CaseActRequest) -> ActAnswer:
        """Say or decide something about a case; raises OperatorError when its state forbids it."""
        _check_texts(request.note, request.actor)
        case = self._find(request.case)
        act = CASE_ACT_NAMES.index(request.act)
        if not allows(case, act):
            may = ", ".join(self.case(request.case).may)
            raise OperatorError(
                f"case {self._ids.encode_case(case.number)} is {CASE_STATE_NAMES[case.state]}"
                f"{' after an appeal' if case.appealed else ''}: no {request.act}; possible: {may}"
            )
        return await self._submit(ActOnCase(case.number, act, request.note, request.actor))

    async def link(self, request: messages.LinkRequest) -> ActAnswer:
        """Put an owner into a group or let him stand alone; raises OperatorError."""
        _check_texts(request.note, request.actor)
        owner = self._owner(request.owner)
        group = 0
        if request.group:
            check_name("group", request.group)
            group = self._core.directory.number(DEFINE_GROUP, request.group)
        if self._core.book.conduct.groups.get(owner, 0) == group:
            raise OperatorError(
                f"owner `{request.owner}` is in group `{request.group}` already"
                if group
                else f"owner `{request.owner}` is in no group"
            )
        return await self._submit(LinkOwners(owner, group, request.note, request.actor))

    async def _submit(self, event: Event) -> ActAnswer:
        answer = Answer()
        self._core.submit(event, answer)
        outcome = await answer.outcome()
        return ActAnswer(decision_id=self._ids.encode(outcome.seq), now_ns=outcome.now_ns)

    # --- Names --------------------------------------------------------------------------------

    def _find(self, name: str) -> Case:
        digits = name.isdecimal() and len(name) <= DIGITS_MAX
        number = int(name) if digits else self._ids.decode_case(name)
        case = self._core.book.conduct.cases.get(number) if number is not None else None
        if case is None:
            raise UnknownSubjectError(f"there is no case `{name}`; `ordergate cases list` has all")
        return case

    def _owner(self, name: str) -> int:
        number = self._core.directory.known(DEFINE_OWNER, name)
        if not number:
            raise UnknownSubjectError(f"there is no owner `{name}`")
        return number

    def _symbol(self, number: int) -> str:
        found = self._core.directory.symbols_by_number.get(number)
        return found.name if found is not None else ""

    def _line(self, case: Case) -> messages.CaseLine:
        directory = self._core.directory
        standing = self._core.book.conduct.standing(case.interest, case.symbol)
        kind = DEFINE_OWNER if case.interest > 0 else DEFINE_GROUP
        return messages.CaseLine(
            case=self._ids.encode_case(case.number),
            number=case.number,
            state=CASE_STATE_NAMES[case.state],
            rule=case.rule,
            interest=directory.name(kind, abs(case.interest)),
            owners=tuple(directory.name(DEFINE_OWNER, owner) for owner in case.owners),
            symbol=self._symbol(case.symbol),
            severity=case.severity,
            alerts=case.alerts,
            shadow=case.shadow,
            appealed=case.appealed,
            opened_ns=case.opened_ns,
            last_ns=case.last_ns,
            step=STEP_NAMES[standing.step if standing is not None else 0],
        )


def _shown_name(figure: str) -> str:
    return figure.removesuffix("_e8").removesuffix("_ns")


def _shown(figure: str, value: int | str) -> str:
    """Return a figure as people read it."""
    if figure.endswith("_e8"):
        return decimal_text(int(value))
    if figure.endswith("_ns"):
        return duration_text(int(value))
    return str(value)


def _check_texts(note: str, actor: str) -> None:
    """Raise OperatorError unless both are there."""
    check_text("note", note, TEXT_CHARACTERS_MAX)
    check_text("actor", actor, TEXT_CHARACTERS_MAX)
