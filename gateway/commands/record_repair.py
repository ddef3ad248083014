"""`ordergate record repair|quarantine`: what is done to a run its writer did not close."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gateway.clock import wall_ns
from gateway.commands.common import console, counted, errors, fail, print_json
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
from gateway.journal import (
    JournalCorruptError,
    JournalError,
    JournalManifestError,
    Run,
    find_run,
    latest_run,
)
from gateway.journal.life import ENDED, NOT_ENDED_WELL
from gateway.journal.manifest import DATA_DIRECTORY, read_manifest, run_directories
from gateway.journal.repair import TornTail, close_abandoned, cut_torn_tail, quarantine_run
from gateway.journal.reserve import begun_seq, find_reserve
from gateway.journal.segment import PREPARED_NAME, segment_numbers
from gateway.journal.unserved import unserved
from gateway.journal.verify import EXIT_CLEAN, EXIT_CORRUPT, verify_run
from rules.values import INT63_MAX

RunArgument = Annotated[
    str, typer.Argument(help="Run id; empty: the newest, and all that were left open.")
]


def add_to(record: typer.Typer) -> None:
    """Add the commands."""
    record.command("repair")(repair)
    record.command("quarantine")(quarantine)


def repair(
    run_id: RunArgument = "",
    data: DataOption = Path(DATA_DIRECTORY),
    as_json: JsonOption = False,
) -> None:
    """Cut torn ends, keeping a copy, and close the last segment of runs a killed gate left open.

    The segment that was made ahead and not used is removed. A run that went on in its reserve is
    treated with it. No gate may run on the data directory. A damaged run is left as it is: exit 1;
    one that can't be read: exit 2.
    """
    with record_errors(), without_a_gate(data_directory(data)):
        done, codes = [], {EXIT_CLEAN}
        for path in _chosen(data, run_id):
            found = verify_run(path)
            if found.record_exit_code != EXIT_CLEAN:
                codes.add(found.record_exit_code)
                # No gate runs: the lock is held here.
                found.life = ENDED if found.status == ENDED else NOT_ENDED_WELL
                # What is damaged goes to standard error; standard output stays JSON.
                print_verification(found, counts=not as_json)
                continue
            run = Run(path, read_manifest(path))
            try:
                done.append(_repaired(run))
            except JournalCorruptError as error:
                codes.add(EXIT_CORRUPT)
                errors.print(f"ordergate: corrupt: {error}", markup=False, soft_wrap=True)
    if as_json:
        if done or not run_id:
            print_json(done[0] if run_id else done)
    else:
        _print_repairs(done, whole=codes == {EXIT_CLEAN})
    raise typer.Exit(EXIT_CORRUPT if EXIT_CORRUPT in codes else max(codes))


def _chosen(data: Path, run_id: str) -> list[Path]:
    """Return the directories of the runs to look at: what was left open or can't be read, the newest."""
    if run_id:
        try:
            return [find_run(data, run_id).path]
        except JournalManifestError:
            return [data / run_id]
    chosen = []
    for path in run_directories(data):
        if unserved(path):
            continue
        try:
            if _left_open(Run(path, read_manifest(path))):
                chosen.append(path)
        except JournalError:
            chosen.append(path)
    newest = latest_run(data)
    if newest is None and not chosen:
        find_run(data)
    if newest is not None and newest.path not in chosen:
        chosen.append(newest.path)
    return sorted(chosen, key=run_directories(data).index)


def _left_open(run: Run) -> bool:
    """Tell whether a writer that was killed has left something of a run to close or to remove."""
    if (run.path / PREPARED_NAME).exists():
        return True
    reserve = find_reserve(run.path)
    return any(
        part.manifest.sealed(number) is None
        for part in (run, *([_reserve_of(reserve)] if reserve is not None else []))
        for number in segment_numbers(part.path)
    )


def _reserve_of(path: Path) -> Run:
    return Run(path, read_manifest(path))


class _Repair(msgspec.Struct, frozen=True):
    """What was done to a run."""

    run: str
    torn: dict[str, Any] | None
    closed: list[str]
    """Files of the segments that were closed."""
    last_seq: int
    """Last record of the closed ones, 0 when none was closed."""
    removed: list[str]
    """Files that were made ahead and never used."""
    reserve: "_Repair | None" = None
    """What was done to the reserve that continues the run, None when none does."""


def _repaired(run: Run) -> _Repair:
    """Cut and close one run, which was verified, and its reserve. Raises as `close_abandoned`."""
    reserve = find_reserve(run.path)
    if reserve is None:
        return _repaired_part(run, INT63_MAX)
    own = _repaired_part(run, begun_seq(reserve))
    return msgspec.structs.replace(own, reserve=_repaired_part(_reserve_of(reserve), INT63_MAX))


def _repaired_part(run: Run, end_seq: int) -> _Repair:
    ahead = run.path / PREPARED_NAME
    removed = [ahead.name] if ahead.exists() else []
    cut = cut_torn_tail(run, end_seq)
    closed = close_abandoned(run, end_seq)
    return _Repair(
        run=run.manifest.run_id,
        torn=None if cut is None else _torn(cut),
        closed=[entry.file for entry in closed],
        last_seq=closed[-1].last_seq if closed else 0,
        removed=removed,
    )


def _print_repairs(done: list[_Repair], whole: bool) -> None:
    lines = []
    parts = [
        (part, f"run {part.run}" if part is repair else f"reserve of run {part.run}")
        for repair in done
        for part in (repair, repair.reserve)
        if part is not None
    ]
    for repair, name in parts:
        if repair.torn is not None:
            lines.append(
                f"cut {counted(repair.torn['bytes'], 'byte')} at byte {repair.torn['offset']} of "
                f"{repair.torn['segment']}; a copy is in {', '.join(repair.torn['kept'])}"
            )
        if repair.closed:
            files = ", ".join(repair.closed)
            lines.append(f"{name}: closed {files} at record {repair.last_seq}")
        lines += [f"{name}: removed {file}, never used" for file in repair.removed]
    if not lines and whole:
        lines.append("nothing to repair")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


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
        path = data / run_id
        lost = False
        try:
            path = find_run(data, run_id).path
        except JournalManifestError:
            # Nothing of the run can be read any more, and nobody can go on from it.
            lost = bool(segment_numbers(path))
        found = verify_run(path)
        if found.record_exit_code != EXIT_CORRUPT and not lost:
            fail(f"no record of run {run_id} is corrupt; `log verify` says what it finds")
        moved = quarantine_run(path, found, actor_name(actor), reason, wall_ns())
    if as_json:
        print_json({"run": run_id, "path": str(moved), "findings": found.findings})
        return
    console.print(f"run {run_id} is in {moved} now", markup=False, soft_wrap=True)
    left = latest_run(data)
    onward = (
        "No run is left: the next start begins with what the configuration names."
        if left is None
        else f"The next start carries on from run {left.manifest.run_id}, or one before it."
    )
    console.print(
        f"{onward} Compare open orders and balances with the engine before you serve.",
        markup=False,
        soft_wrap=True,
    )
