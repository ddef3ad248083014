"""`ordergate kill` and `ordergate release`: stop a scope, and let it go on."""

from typing import Annotated, Final

import typer

from gateway.admin.client import (
    DEFAULT_TOKEN_FILE,
    DEFAULT_URL,
    ActorOption,
    AdminOption,
    JsonOption,
    TokenFileOption,
    connect,
    get_or_fail,
    post_or_fail,
)
from gateway.admin.messages import (
    ActAnswer,
    KillRequest,
    ReleaseRequest,
    ScopeAnswer,
    StopAnswer,
)
from gateway.commands.common import console, errors, fail, login_name, print_json

SCOPES: Final = ("venue", "symbol", "owner", "account", "key")
STATES: Final = ("KILLED", "CANCEL_ONLY", "REDUCE_ONLY", "SLOW")
_CONSEQUENCES: Final = {
    "KILLED": "all of them are cancelled, and nothing of it is let through, not even cancels",
    "CANCEL_ONLY": "they stay; cancels pass, new orders do not",
    "REDUCE_ONLY": "they stay; cancels and orders that reduce a position pass",
    "SLOW": "they stay; new orders pass one at a time, in the rulebook's interval",
}

ScopeArgument = Annotated[str, typer.Argument(help=f"One of {', '.join(SCOPES)}.")]
SubjectArgument = Annotated[
    str, typer.Argument(metavar="[ID]", help="Symbol, owner, account or key id; none for venue.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; it goes into the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("kill")(kill_command)
    app.command("release")(release_command)


def kill_command(
    scope: ScopeArgument,
    reason: ReasonOption,
    subject: SubjectArgument = "",
    state: Annotated[str, typer.Option(help=f"One of {', '.join(STATES)}.")] = "KILLED",
    actor: ActorOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """Stop a scope: once this returns, no further order of it reaches the engine.

    A KILLED scope's open orders are cancelled by the gate. It stays stopped until released. Exit
    code 1 when you say no to the question.
    """
    state = state.upper()
    _check(scope, subject)
    if state not in STATES:
        fail(f"`{state}` is not a stop state; use one of {', '.join(STATES)}")
    client = connect(admin, token_file)
    reach = get_or_fail(client, "/admin/v1/scope", ScopeAnswer, scope=scope, subject=subject)
    if not yes:
        errors.print(
            f"{_named(scope, subject)} is {reach.state}; {reach.open_orders} open orders of "
            f"{reach.accounts} accounts are in it.\nAs {state}: {_CONSEQUENCES[state]}. "
            f"This holds until `ordergate release {scope} {subject}`.",
            markup=False,
            soft_wrap=True,
        )
        typer.confirm(f"Set {_named(scope, subject)} to {state}?", abort=True, err=True)
    message = KillRequest(
        scope=scope,  # type: ignore[arg-type]  # checked above
        subject=subject,
        state=state,  # type: ignore[arg-type]
        reason=reason,
        actor=actor or login_name(),
    )
    answer = post_or_fail(client, "/admin/v1/kill", message, StopAnswer)
    if json:
        print_json(answer)
        return
    console.print(f"{_named(scope, subject)} is {answer.state}", markup=False)
    if answer.state == "KILLED":
        console.print(
            f"cancelling {answer.open_orders} open orders, {answer.remaining} still to go",
            markup=False,
        )
    else:
        console.print(f"{answer.open_orders} open orders stay", markup=False)
    console.print(f"decision {answer.decision_id}", markup=False)


def release_command(
    scope: ScopeArgument,
    reason: ReasonOption,
    subject: SubjectArgument = "",
    actor: ActorOption = "",
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """Let a stopped scope go on; orders that were cancelled stay cancelled."""
    _check(scope, subject)
    client = connect(admin, token_file)
    message = ReleaseRequest(
        scope=scope,  # type: ignore[arg-type]  # checked above
        subject=subject,
        reason=reason,
        actor=actor or login_name(),
    )
    answer = post_or_fail(client, "/admin/v1/release", message, ActAnswer)
    if json:
        print_json(answer)
        return
    console.print(f"{_named(scope, subject)} is ACTIVE", markup=False)
    console.print(f"decision {answer.decision_id}", markup=False)


def _check(scope: str, subject: str) -> None:
    if scope not in SCOPES:
        fail(f"`{scope}` can't be stopped; use one of {', '.join(SCOPES)}")
    if scope == "venue" and subject:
        fail(f"the venue has no id, but `{subject}` was given")
    if scope != "venue" and not subject:
        fail(f"which {scope}? give its id after the scope")


def _named(scope: str, subject: str) -> str:
    return f"{scope} {subject}".strip()
