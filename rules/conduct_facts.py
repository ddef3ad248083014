"""What conduct rules share: who belongs together, which cases are open, which measures hold.

Conduct is judged by interest: an owner with all accounts and keys, or the group of linked owners
he belongs to. As one number an interest is the owner's, or minus the group's.

Only the pipeline writes here (through `rules.register` and `rules.ladder`), with one exception: a
conduct rule puts what it has found into `alerts` while the event is being applied.
"""

from typing import Any, Final

from rules.decisions import Alert

# State of a case.
CASE_OPEN: Final = 1
CASE_EXPLAINED: Final = 2
CASE_CONFIRMED: Final = 3
CASE_DISMISSED: Final = 4
CASE_STATE_NAMES: Final = ("", "OPEN", "EXPLAINED", "CONFIRMED", "DISMISSED")

# Step of the ladder; a larger number is stricter.
STEP_NONE: Final = 0
STEP_NOTICE: Final = 1
STEP_WARNING: Final = 2
STEP_SLOW: Final = 3
STEP_CANCEL_ONLY: Final = 4
STEP_KILL: Final = 5
STEP_NAMES: Final = ("none", "notice", "warning", "slow", "cancel_only", "kill")

EVIDENCE_MAX: Final = 256
"""Records a case keeps as evidence; the first ones and the latest."""
NOTES_MAX: Final = 64


class Case:
    """What was found against one interest by one rule in one symbol, and what became of it."""

    __slots__ = (
        "alerts",
        "appealed",
        "evidence",
        "figures",
        "first_ns",
        "interest",
        "last_ns",
        "notes",
        "number",
        "opened_ns",
        "owners",
        "rule",
        "severity",
        "shadow",
        "state",
        "symbol",
    )

    def __init__(
        self,
        number: int,
        interest: int,
        symbol: int,
        rule: str,
        shadow: bool,
        opened_ns: int,
        first_ns: int,
    ) -> None:
        self.number = number
        """The record that opened it."""
        self.interest = interest
        self.symbol = symbol
        """0 where the case is about several."""
        self.rule = rule
        self.shadow = shadow
        """Found by a rule in shadow: no measure follows."""
        self.state = CASE_OPEN
        self.appealed = False
        self.opened_ns = opened_ns
        self.first_ns = first_ns
        """When what it is about began."""
        self.last_ns = opened_ns
        self.alerts = 0
        self.severity = 0
        self.owners: tuple[int, ...] = ()
        self.evidence: list[int] = []
        self.figures: tuple[tuple[str, int | str], ...] = ()
        self.notes: list[tuple[int, str, str, str]] = []
        """(time, act, actor, text) of what was said and decided."""

    def add(self, alert: Alert, now_ns: int) -> None:
        """Take up a further alert; evidence in the middle goes first when there is too much."""
        self.last_ns = now_ns
        self.alerts += 1
        self.severity = max(self.severity, alert.severity)
        self.shadow = self.shadow and alert.shadow
        self.figures = alert.figures
        self.owners = tuple(dict.fromkeys((*self.owners, *alert.owners)))
        joined = list(dict.fromkeys((*self.evidence, *alert.evidence)))
        if len(joined) > EVIDENCE_MAX:
            half = EVIDENCE_MAX // 2
            joined = joined[:half] + joined[-half:]
        self.evidence = joined

    def note(self, now_ns: int, act: str, actor: str, text: str) -> None:
        """Write down what was said or decided."""
        self.notes.append((now_ns, act, actor, text))
        del self.notes[:-NOTES_MAX]

    def state_values(self) -> list[Any]:
        """Return everything as plain values."""
        return [getattr(self, name) for name in _CASE_FIELDS]


_CASE_FIELDS: Final = (
    "number",
    "interest",
    "symbol",
    "rule",
    "shadow",
    "state",
    "appealed",
    "opened_ns",
    "first_ns",
    "last_ns",
    "alerts",
    "severity",
    "owners",
    "evidence",
    "figures",
    "notes",
)


def _restored_case(values: list[Any]) -> Case:
    case = Case(0, 0, 0, "", False, 0, 0)
    stored = dict(zip(_CASE_FIELDS, values, strict=False))
    owners, evidence = stored.pop("owners", ()), stored.pop("evidence", ())
    figures, notes = stored.pop("figures", ()), stored.pop("notes", ())
    for name, value in stored.items():
        setattr(case, name, value)
    case.owners = tuple(owners)
    case.evidence = list(evidence)
    case.figures = tuple((name, value) for name, value in figures)
    case.notes = [(now_ns, act, actor, text) for now_ns, act, actor, text in notes]
    return case


class Standing:
    """The measure that holds for one interest in one symbol."""

    __slots__ = ("alone", "case", "since_ns", "step", "until_ns")

    def __init__(self, step: int, case: int, since_ns: int, until_ns: int) -> None:
        self.step = step
        self.case = case
        """The case that led to it last."""
        self.since_ns = since_ns
        self.until_ns = until_ns
        """When it goes down one step, unless something happens before."""
        self.alone: dict[int, int] = {}
        """The step to which each case would have led by itself, the latest last."""

    def state_values(self) -> list[Any]:
        """Return everything as plain values."""
        alone = [list(share) for share in self.alone.items()]
        return [self.step, self.case, self.since_ns, self.until_ns, alone]


class ConductFacts:
    """Groups, cases and standings."""

    __slots__ = (
        "accounts_by_owner",
        "alerts",
        "cases",
        "confirmed",
        "groups",
        "joined",
        "open_cases",
        "owners_by_group",
        "standings",
    )

    def __init__(self) -> None:
        self.groups: dict[int, int] = {}
        """Group of each owner that is in one."""
        self.owners_by_group: dict[int, tuple[int, ...]] = {}
        self.accounts_by_owner: dict[int, tuple[int, ...]] = {}
        self.joined = False
        """Whether any interest has, or has had, several accounts or owners."""
        self.cases: dict[int, Case] = {}
        self.open_cases: dict[tuple[int, int, str], Case] = {}
        """Cases that further alerts add to, by interest, symbol and rule."""
        self.confirmed: dict[tuple[int, int, str], Case] = {}
        """The latest confirmed case of each, while there is none open."""
        self.standings: dict[int, dict[int, Standing]] = {}
        """By interest, then by symbol."""
        self.alerts: list[Alert] = []
        """What conduct rules found in the event being applied."""

    # --- Who belongs together -----------------------------------------------------------------

    def interest_of(self, owner: int) -> int:
        """Return the interest an owner acts for; 0 for no owner."""
        if not self.groups:
            return owner
        group = self.groups.get(owner)
        return owner if group is None else -group

    def owners_of(self, interest: int) -> tuple[int, ...]:
        """Return the owners of an interest."""
        return (interest,) if interest > 0 else self.owners_by_group.get(-interest, ())

    def accounts_of(self, interest: int) -> tuple[int, ...]:
        """Return the accounts of an interest, in the order in which they were opened."""
        if interest > 0:
            return self.accounts_by_owner.get(interest, ())
        return tuple(
            account
            for owner in self.owners_of(interest)
            for account in self.accounts_by_owner.get(owner, ())
        )

    def add_account(self, account: int, owner: int, owner_before: int) -> None:
        """Take up that an account is an owner's; `owner_before` is whose it was, 0 if new."""
        if owner_before == owner:
            return
        if owner_before:
            left = tuple(
                one for one in self.accounts_by_owner.get(owner_before, ()) if one != account
            )
            self.accounts_by_owner[owner_before] = left
        accounts = (*self.accounts_by_owner.get(owner, ()), account)
        self.accounts_by_owner[owner] = accounts
        if len(accounts) > 1:
            self.joined = True

    def link(self, owner: int, group: int) -> None:
        """Put an owner into a group, or (0) let him stand alone."""
        before = self.groups.pop(owner, 0)
        if before:
            left = tuple(one for one in self.owners_by_group[before] if one != owner)
            if left:
                self.owners_by_group[before] = left
            else:
                del self.owners_by_group[before]
        if group:
            self.joined = True
            self.groups[owner] = group
            self.owners_by_group[group] = (*self.owners_by_group.get(group, ()), owner)

    # --- What was found -----------------------------------------------------------------------

    def case_of(self, interest: int, symbol: int, rule: str) -> int:
        """Return the number of the case further alerts would add to, 0 when there is none.

        Of a rule that has an owner's orders refused for a while after an alert it is what they are
        refused for. A case that was confirmed goes on being so; one that was dismissed does not.
        """
        identity = (interest, symbol, rule)
        case = self.open_cases.get(identity) or self.confirmed.get(identity)
        return case.number if case is not None else 0

    def judged_with(self, interest: int) -> tuple[int, ...]:
        """Return an interest and, of a group, its owners: what holds against one holds for all.

        So a link never lifts what was found against one of them before it was known.
        """
        return (interest,) if interest > 0 else (interest, *self.owners_of(interest))

    def standing(self, interest: int, symbol: int) -> Standing | None:
        """Return the strictest measure for an interest in a symbol, in all symbols included."""
        strictest = None
        for one in self.judged_with(interest):
            standings = self.standings.get(one)
            if standings is not None:
                for found in (standings.get(symbol), standings.get(0)):
                    if found is not None and (strictest is None or found.step > strictest.step):
                        strictest = found
        return strictest

    def in_force(self, interest: int) -> dict[int, Standing]:
        """Return the strictest measure for an interest by symbol; 0: in all symbols."""
        found: dict[int, Standing] = {}
        for one in self.judged_with(interest):
            for symbol, standing in self.standings.get(one, {}).items():
                if symbol not in found or standing.step > found[symbol].step:
                    found[symbol] = standing
        return found

    # --- Stored -------------------------------------------------------------------------------

    def state(self) -> Any:
        """Return everything as plain values."""
        return {
            "groups": [[owner, group] for owner, group in self.groups.items()],
            "accounts": [[owner, *accounts] for owner, accounts in self.accounts_by_owner.items()],
            "cases": [case.state_values() for case in self.cases.values()],
            "open": [case.number for case in self.open_cases.values()],
            "confirmed": [case.number for case in self.confirmed.values()],
            "standings": [
                [interest, symbol, *one.state_values()]
                for interest, standings in self.standings.items()
                for symbol, one in standings.items()
            ],
        }

    def restore(self, state: Any) -> None:
        """Put back what `state` returned."""
        for owner, group in state["groups"]:
            self.link(owner, group)
        self.accounts_by_owner = {owner: tuple(accounts) for owner, *accounts in state["accounts"]}
        if any(len(accounts) > 1 for accounts in self.accounts_by_owner.values()):
            self.joined = True
        for values in state["cases"]:
            case = _restored_case(values)
            self.cases[case.number] = case
        for number in state["open"]:
            case = self.cases[number]
            self.open_cases[case.interest, case.symbol, case.rule] = case
        for number in state.get("confirmed", ()):
            case = self.cases[number]
            self.confirmed[case.interest, case.symbol, case.rule] = case
        for interest, symbol, step, number, since_ns, until_ns, *alone in state["standings"]:
            standing = Standing(step, number, since_ns, until_ns)
            # Before it was stored, the last case was taken to have led there alone.
            standing.alone = dict(alone[0]) if alone else {number: step}
            self.standings.setdefault(interest, {})[symbol] = standing
