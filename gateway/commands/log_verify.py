"""`ordergate log verify`: is the record whole?"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.commands.common import console, errors, print_json
from gateway.commands.log_options import DataOption, JsonOption, RunOption
from gateway.commands.progress import bytes_progress
from gateway.journal.manifest import DATA_DIRECTORY, run_directories
from gateway.journal.verify import EXIT_UNREADABLE, Verification, verify_run


def add_to(log: typer.Typer) -> None:
    """Add the command."""
    log.command()(verify)


def verify(
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    all_runs: Annotated[bool, typer.Option("--all", help="Every run, not only the last.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every byte of the record: exit 0 clean, 1 corrupt, 2 unreadable."""
    chosen = [data / run_id] if run_id else run_directories(data)[0 if all_runs else -1 :]
    if not chosen:
        chosen = [data]
    results = []
    for path in chosen:
        total = sum(file.stat().st_size for file in path.glob("*.seg"))
        with bytes_progress(f"verifying {path.name}", total, quiet=as_json) as progress:
            results.append(verify_run(path, progress))
    codes = {result.exit_code for result in results}
    code = 1 if 1 in codes else max(codes)
    if as_json:
        reports = [msgspec.to_builtins(r) | {"exit_code": r.exit_code} for r in results]
        print_json(reports if all_runs else reports[0])
    else:
        for result in results:
            _print_verification(result)
    raise typer.Exit(code)


def _print_verification(result: Verification) -> None:
    console.print(
        f"run {result.run} ({result.status}): {result.records} records "
        f"({result.first_seq} to {result.last_seq}) in {result.segments} segments "
        f"({result.sealed} sealed), {result.checkpoints} checkpoints, {result.bytes} bytes",
        markup=False,
        soft_wrap=True,
    )
    if result.torn_bytes:
        console.print(
            f"torn end: {result.torn_bytes} bytes at byte {result.torn_offset} of "
            f"{result.torn_file}. An append was cut short there and never acknowledged; nothing "
            "before it is affected and nothing needs to be done.",
            markup=False,
            soft_wrap=True,
        )
    for finding in result.findings:
        errors.print(
            f"{finding.kind}: {finding.file} at byte {finding.offset}: {finding.message}",
            markup=False,
            soft_wrap=True,
        )
    if result.exit_code == EXIT_UNREADABLE:
        errors.print("unreadable: check that the path, its rights and this version are right")
    elif result.findings:
        errors.print(
            "corrupt: keep the directory as it is, copy it elsewhere before anything else, and "
            "do not start the gateway on it; records before the byte named can be read",
            soft_wrap=True,
        )
    else:
        console.print("clean")
