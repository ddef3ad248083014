"""`ordergate record retain|hold`: what is deleted when its time is over, and what must not be."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from gateway.clock import wall_ns
from gateway.commands.common import cell, console, counted, errors, fail, print_json
from gateway.commands.log_options import time_range
from gateway.commands.record_options import (
    ActorOption,
    DataOption,
    JsonOption,
    actor_name,
    data_directory,
    end_with,
    record_errors,
)
from gateway.journal.holds import HoldEvent, active_holds, add_hold, read_holds, remove_hold
from gateway.journal.manifest import DATA_DIRECTORY, run_directories
from gateway.journal.retention import (
    RetentionPlan,
    apply_retention,
    holds_of,
    plan_retention,
)
from gateway.logview.times import time_text


def add_to(record: typer.Typer) -> None:
    """Add the commands."""
    record.command("retain")(retain)
    hold = typer.Typer(help="Place, list and lift legal holds.", no_args_is_help=True)
    hold.command("add")(add_command)
    hold.command("list")(list_command)
    hold.command("remove")(remove_command)
    record.add_typer(hold, name="hold")


def retain(
    period: Annotated[
        str,
        typer.Argument(
            help="How long records are kept, such as 5y or 90d; a year is one of the calendar."
        ),
    ],
    data: DataOption = Path(DATA_DIRECTORY),
    apply: Annotated[bool, typer.Option("--apply", help="Delete; else only say what.")] = False,
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Delete what is older than it has to be kept; without --apply only say what that is."""
    with record_errors():
        if apply:
            plan = apply_retention(data_directory(data), period, wall_ns(), actor_name(actor))
        else:
            plan = plan_retention(data_directory(data), period, wall_ns())
    if as_json:
        print_json(plan)
    else:
        _print_plan(plan)
    end_with([f"{kept.run}: {kept.because}" for kept in plan.kept if kept.failed])


def _print_plan(plan: RetentionPlan) -> None:
    table = Table()
    for heading in ("run", "what", "records", "bytes", "until", "why"):
        table.add_column(heading, overflow="fold")
    verb = "deleted" if plan.applied else "would be deleted"
    for removal in plan.removals:
        table.add_row(
            removal.run,
            f"all {verb}"
            if removal.whole
            else f"{counted(len(removal.segments), 'segment')} {verb}",
            str(removal.records),
            f"{removal.bytes:,}",
            time_text(removal.last_ns),
            f"older than {plan.retention}",
        )
    for kept in plan.kept:
        table.add_row(kept.run, "kept", "", "", "", cell(kept.because))
    console.print(table)
    if plan.removals and not plan.applied:
        console.print("Nothing was deleted; give --apply to do it.")


def add_command(
    reason: Annotated[str, typer.Option(help="Why, such as the number of a proceeding.")],
    data: DataOption = Path(DATA_DIRECTORY),
    run: Annotated[str, typer.Option(help="Run id.")] = "",
    since: Annotated[str, typer.Option("--from", help="First time, ISO 8601, UTC.")] = "",
    until: Annotated[str, typer.Option("--to", help="End of the time, not included.")] = "",
    owner: Annotated[str, typer.Option(help="Owner name.")] = "",
    account: Annotated[str, typer.Option(help="Account name.")] = "",
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Place a hold on every run that all the conditions given fit; it holds whole runs."""
    if run and run not in [path.name for path in run_directories(data_directory(data))]:
        fail(f"`{run}` is not a run of {data}")
    from_ns, to_ns = time_range(since, until)
    wanted = HoldEvent(
        at_ns=wall_ns(),
        actor=actor_name(actor),
        action="add",
        hold="",
        reason=reason,
        run=run,
        from_ns=from_ns,
        to_ns=to_ns,
        owner=owner,
        account=account,
    )
    with record_errors():
        placed = add_hold(data_directory(data), wanted)
        held = [run_id for run_id, holds in holds_of(data).items() if placed.hold in holds]
    if as_json:
        print_json(msgspec.to_builtins(placed) | {"runs": held})
    else:
        console.print(
            f"{placed.hold} is in force; it holds {len(held)} of {counted(len(run_directories(data)), 'run')}",
            markup=False,
            soft_wrap=True,
        )
    if not held:
        errors.print(
            "ordergate: nothing there is now fits the hold; it is kept for what comes",
            markup=False,
            soft_wrap=True,
        )


def remove_command(
    hold: Annotated[str, typer.Argument(help="Id of the hold, such as hold-1.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    data: DataOption = Path(DATA_DIRECTORY),
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Lift a hold; that it was in force stays recorded."""
    with record_errors():
        lifted = remove_hold(data_directory(data), hold, actor_name(actor), reason, wall_ns())
    if as_json:
        print_json(lifted)
        return
    console.print(f"{lifted.hold} is lifted", markup=False, soft_wrap=True)


def list_command(
    data: DataOption = Path(DATA_DIRECTORY),
    history: Annotated[bool, typer.Option("--all", help="Everything that was ever said.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the holds in force, with --all every hold placed and lifted."""
    with record_errors():
        events = read_holds(data_directory(data))
    shown = events if history else active_holds(events)
    if as_json:
        print_json(shown)
        return
    table = Table()
    for heading in ("hold", "what", "when", "by", "run", "from", "to", "owner", "account"):
        table.add_column(heading, overflow="fold")
    table.add_column("reason", overflow="fold")
    for event in shown:
        table.add_row(
            cell(event.hold),
            "placed" if event.action == "add" else "lifted",
            time_text(event.at_ns),
            cell(event.actor),
            cell(event.run),
            time_text(event.from_ns) if event.from_ns else "",
            time_text(event.to_ns) if event.to_ns else "",
            cell(event.owner),
            cell(event.account),
            cell(event.reason),
        )
    console.print(table)
