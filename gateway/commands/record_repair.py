"""`ordergate record repair|quarantine`: what is done to a run its writer did not close."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.clock import wall_ns
from gateway.commands.common import console, fail, print_json
from gateway.commands.log_verify import print_verification
from gateway.commands.record_options import (
    ActorOption,
    DataOption,
    JsonOption,
    actor_name,
    data_directory,
    record_errors,
    without_a_gate,
)
from gateway.journal import Run, find_run
from gateway.journal.manifest import DATA_DIRECTORY
from gateway.journal.repair import TornTail, close_abandoned, cut_torn_tail, quarantine_run
from gateway.journal.verify import EXIT_CLEAN, EXIT_CORRUPT, verify_run

RunArgument = Annotated[str, typer.Argument(help="Run id; empty: the newest.")]


def add_to(record: typer.Typer) -> None:
    """Add the commands."""
    record.command("repair")(repair)
    record.command("quarantine")(quarantine)


def repair(
    run_id: RunArgument = "",
    data: DataOption = Path(DATA_DIRECTORY),
    as_json: JsonOption = False,
) -> None:
    """Cut a torn end, keeping a copy, and close the last segment a killed gate left open.

    No gate may run on the data directory. A damaged run is left as it is: exit 1.
    """
    with record_errors(), without_a_gate(data_directory(data)):
        run = find_run(data, run_id)
        found = verify_run(run.path)
        if found.record_exit_code != EXIT_CLEAN:
            print_verification(found)
            raise typer.Exit(found.record_exit_code)
        cut = cut_torn_tail(run)
        closed = close_abandoned(run)
    if as_json:
        print_json(
            {
                "run": run.manifest.run_id,
                "torn": None if cut is None else _torn(cut),
                "closed": [entry.file for entry in closed],
            }
        )
        return
    if cut is not None:
        console.print(
            f"cut {cut.torn_bytes} bytes at byte {cut.offset} of {cut.segment}; a copy is in "
            f"{', '.join(map(str, cut.kept))}",
            markup=False,
            soft_wrap=True,
        )
    for entry in closed:
        console.print(
            f"closed {run.path / entry.file} at record {entry.last_seq}",
            markup=False,
            soft_wrap=True,
        )
    if cut is None and not closed:
        console.print("nothing to repair")


def _torn(cut: TornTail) -> dict[str, Any]:
    return {
        "segment": str(cut.segment),
        "offset": cut.offset,
        "bytes": cut.torn_bytes,
        "records": cut.records,
        "kept": [str(path) for path in cut.kept],
    }


def quarantine(
    run_id: Annotated[str, typer.Argument(help="Run id.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    data: DataOption = Path(DATA_DIRECTORY),
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Set a damaged run aside, so that the gate can start again from the run before it.

    What the damaged run knew is not carried over: reconcile orders and balances with the engine.
    """
    with record_errors(), without_a_gate(data_directory(data)):
        run: Run = find_run(data, run_id)
        found = verify_run(run.path)
        if found.record_exit_code != EXIT_CORRUPT:
            fail(f"no record of run {run_id} is corrupt; `log verify` says what it finds")
        moved = quarantine_run(run, found, actor_name(actor), reason, wall_ns())
    if as_json:
        print_json({"run": run_id, "path": str(moved), "findings": found.findings})
        return
    console.print(f"run {run_id} is in {moved} now", markup=False, soft_wrap=True)
    console.print(
        "The next start carries on from the run before it. Compare open orders and balances with "
        "the engine before you serve.",
        soft_wrap=True,
    )
