"""`ordergate cases`: what conduct rules found, what was said about it, and what is decided."""

from collections.abc import Callable
from typing import Annotated, Final

import typer
from rich.table import Table

from gateway.admin.case_messages import (
    CaseAct,
    CaseActRequest,
    CaseAnswer,
    CasesAnswer,
    GroupsAnswer,
    LinkRequest,
)
from gateway.admin.client import (
    DEFAULT_TOKEN_FILE,
    DEFAULT_URL,
    ActorOption,
    AdminOption,
    JsonOption,
    TokenFileOption,
    connect,
    get_or_fail,
    path_with,
    post_or_fail,
)
from gateway.admin.messages import ActAnswer
from gateway.commands.common import cell, console, counted, login_name, print_json
from gateway.logview.times import clock_text

_TO: Final = "seconds"
"""What times are cut to."""
_PATH: Final = "/admin/v1/cases"
_GROUPS: Final = "/admin/v1/owner-groups"
_ACTS: Final[dict[CaseAct, str]] = {
    "explain": "Write down what the client says about an open case; measures stay.",
    "confirm": "Decide that a case is what it looks like; measures run their course.",
    "dismiss": "Decide that a case is nothing; the measures it led to end at once.",
    "appeal": "Open a confirmed case again because the client appeals; once a case.",
    "clear": "End the measures a case led to without deciding it.",
}
"""What can be said or decided about a case, each a command."""
_SHARES: Final = frozenset(("cancelled", "reversed", "short_lived"))
"""Figures that are shares and whose names could be taken for counts."""

CaseArgument = Annotated[str, typer.Argument(help="Id as clients are told it, or number.")]
NoteOption = Annotated[str, typer.Option(help="Why; it goes into the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    cases = typer.Typer(no_args_is_help=True, help="Conduct cases: list, show, decide; groups.")
    cases.command("list")(list_command)
    cases.command("show")(show_command)
    for act, about in _ACTS.items():
        cases.command(act, help=about)(_acting(act))
    cases.command("groups")(groups_command)
    cases.command("link")(link_command)
    app.add_typer(cases, name="cases")


def list_command(
    state: Annotated[str, typer.Option(help="One of open, explained, confirmed, dismissed.")] = "",
    owner: Annotated[str, typer.Option(help="Cases this owner took part in.")] = "",
    rule: Annotated[str, typer.Option(help="Cases of this rule.")] = "",
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """List cases, the latest first."""
    client = connect(admin, token_file)
    answer = get_or_fail(client, _PATH, CasesAnswer, state=state, owner=owner, rule=rule)
    if json:
        print_json(answer)
        return
    table = Table(title=counted(len(answer.cases), "case"), title_justify="left")
    for name in ("case", "state", "rule", "who", "symbol", "measure", "opened"):
        table.add_column(name, no_wrap=True)
    for name in ("severity", "alerts"):
        table.add_column(name, justify="right", no_wrap=True)
    for case in answer.cases:
        table.add_row(
            case.case,
            f"{case.state}{' (shadow)' if case.shadow else ''}",
            case.rule,
            cell(case.interest),
            cell(case.symbol),
            case.step,
            clock_text(case.opened_ns, _TO),
            str(case.severity),
            str(case.alerts),
        )
    if answer.more:
        table.caption = "the latest; --state, --owner and --rule choose among all"
    console.print(table)


def show_command(
    case: CaseArgument,
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """Show one case: what was measured, the decisions that make it, what was said and decided.

    `ordergate log query --decision` shows each of the records.
    """
    answer = get_or_fail(connect(admin, token_file), path_with(_PATH, case), CaseAnswer)
    if json:
        print_json(answer)
        return
    line = answer.line
    table = Table(title=f"case {line.case} ({line.number})", title_justify="left")
    table.add_column("what")
    table.add_column("is")
    table.add_row("state", f"{line.state}{' after an appeal' if line.appealed else ''}")
    table.add_row("rule", f"{line.rule}{' (in shadow)' if line.shadow else ''}")
    table.add_row("who", cell(f"{line.interest} ({', '.join(line.owners)})"))
    table.add_row("symbol", cell(line.symbol))
    table.add_row("severity, alerts", f"{line.severity}, {line.alerts}")
    table.add_row("began, opened, last", ", ".join(
        clock_text(one, _TO) for one in (answer.since_ns, line.opened_ns, line.last_ns)
    ))  # fmt: skip
    table.add_section()
    for name, value in answer.figures.items():
        share = "share " if name in _SHARES else ""
        table.add_row(f"{share}{name.replace('_', ' ')}", value)
    table.add_section()
    for measure in answer.measures:
        until = f" until {clock_text(measure.until_ns, _TO)}" if measure.until_ns else ""
        table.add_row(f"measure {measure.symbol or 'in all symbols'}", f"{measure.step}{until}")
    for note in answer.notes:
        table.add_row(
            f"{note.act}, {clock_text(note.now_ns, _TO)}", cell(f"{note.actor}: {note.text}")
        )
    table.add_row("possible now", ", ".join(answer.may))
    console.print(table)
    console.print("evidence, as record numbers:", markup=False)
    console.print(" ".join(map(str, answer.evidence)), markup=False, soft_wrap=True)
    if answer.evidence:
        shown = f"ordergate log query --decision {answer.evidence[0]}"
        console.print(f"what one of them says: {shown}", markup=False, soft_wrap=True)


def _acting(act: CaseAct) -> Callable[..., None]:
    """Return the command that says something about a case, or decides it."""

    def command(
        case: CaseArgument,
        note: NoteOption,
        actor: ActorOption = "",
        admin: AdminOption = DEFAULT_URL,
        token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    ) -> None:
        message = CaseActRequest(case=case, act=act, note=note, actor=actor or login_name())
        answer = post_or_fail(connect(admin, token_file), _PATH, message, ActAnswer)
        console.print(f"{act}: decision {answer.decision_id}", markup=False)

    return command


def groups_command(
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """List owners who are judged together."""
    answer = get_or_fail(connect(admin, token_file), _GROUPS, GroupsAnswer)
    if json:
        print_json(answer)
        return
    for name, owners in answer.groups.items():
        console.print(f"{name}: {', '.join(owners)}", markup=False, soft_wrap=True)


def link_command(
    owner: Annotated[str, typer.Argument(help="Name of the owner.")],
    note: NoteOption,
    group: Annotated[str, typer.Argument(metavar="[GROUP]", help="Empty: alone.")] = "",
    actor: ActorOption = "",
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
) -> None:
    """Judge an owner together with the others of a group from here on, or alone again."""
    message = LinkRequest(owner=owner, group=group, note=note, actor=actor or login_name())
    answer = post_or_fail(connect(admin, token_file), _GROUPS, message, ActAnswer)
    console.print(f"decision {answer.decision_id}", markup=False)
