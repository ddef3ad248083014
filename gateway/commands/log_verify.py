"""`ordergate log verify`: is the record whole, and whose is it?"""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.commands.common import console, counted, errors, fail, print_json
from gateway.commands.log_options import DataOption, JsonOption, NewestRunOption
from gateway.commands.progress import bytes_progress
from gateway.journal import JournalError, JournalManifestError, Run, find_run
from gateway.journal.life import life_of
from gateway.journal.manifest import DATA_DIRECTORY, read_manifest, run_directories
from gateway.journal.seal import PublicKey, read_public_key
from gateway.journal.segment import segment_numbers
from gateway.journal.unserved import unserved
from gateway.journal.verify import (
    EXIT_CLEAN,
    EXIT_CORRUPT,
    EXIT_UNREADABLE,
    Verification,
    verify_run,
)


def add_to(log: typer.Typer) -> None:
    """Add the command."""
    log.command()(verify)


def verify(
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: NewestRunOption = "",
    all_runs: Annotated[bool, typer.Option("--all", help="Every run, not only the last.")] = False,
    public_key: Annotated[
        list[Path] | None,
        typer.Option(help="PEM file closed segments must be signed by; may be repeated."),
    ] = None,
    require_signatures: Annotated[
        bool, typer.Option("--require-signatures", help="A closed segment without one ends with 1.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every byte of the record: exit 0 clean, 1 corrupt or not signed so, 2 unreadable."""
    keys = _public_keys(public_key or [])
    if require_signatures and not keys:
        fail("--require-signatures needs a --public-key to check them with")
    chosen = _chosen(data, run_id, all_runs)
    results = []
    for path in chosen:
        total = sum(file.stat().st_size for file in path.glob("*.seg*")) if path.is_dir() else 0
        with bytes_progress(f"verifying {path.name}", total, quiet=as_json) as progress:
            result = verify_run(path, progress, keys, require_signatures)
        with suppress(JournalError):
            result.life = life_of(Run(path, read_manifest(path)))
        results.append(result)
    codes = {result.exit_code for result in results}
    code = EXIT_CORRUPT if EXIT_CORRUPT in codes else max(codes)
    if as_json:
        reports = [
            msgspec.to_builtins(result) | {"exit_code": result.exit_code} for result in results
        ]
        print_json(reports if all_runs else reports[0])
    else:
        for result in results:
            print_verification(result)
    raise typer.Exit(code)


def _chosen(data: Path, run_id: str, all_runs: bool) -> list[Path]:
    """Return the directories to verify; ends the command where there is nothing of a run.

    Without `all_runs` it is the last run that served, and after it starts that did not.
    """
    found = run_directories(data)
    if not all_runs:
        served = [number for number, path in enumerate(found) if not unserved(path)]
        found = found[served[-1] if served else -1 :]
    try:
        if run_id and not (data / run_id).is_dir():
            find_run(data, run_id)
        if not run_id and not found and not (data.is_dir() and segment_numbers(data)):
            return [find_run(data).path]
    except JournalError as error:
        fail(str(error))
    return [data / run_id] if run_id else found or [data]


def print_verification(result: Verification, counts: bool = True) -> None:
    """Print what was found of a run, and what to do about it; without `counts` only what is wrong."""
    if result.passed_over:
        if counts:
            _say(f"run {result.run} never served and is passed over: {result.passed_over}")
        return
    if counts:
        _print_counts(result)
    for finding in result.findings:
        place = "" if finding.kind == "signature" else f" at byte {finding.offset}"
        errors.print(
            f"{finding.kind}: {finding.file}{place}: {finding.message}",
            markup=False,
            soft_wrap=True,
        )
    for line in _instructions(result):
        errors.print(line, markup=False, soft_wrap=True)
    if counts and not result.findings:
        console.print("clean")


def _print_counts(result: Verification) -> None:
    """Print what a run has, and its torn end."""
    _say(
        f"run {result.run} ({result.life or result.status}): {counted(result.records, 'record')} "
        f"({result.first_seq} to {result.last_seq}) in {counted(result.segments, 'segment')} "
        f"({result.sealed} sealed), {counted(result.checkpoints, 'checkpoint')}, "
        f"{counted(result.bytes, 'byte')}, {counted(result.snapshots, 'snapshot')}"
    )
    if result.reserve:
        _say(f"from record {result.reserve_first_seq} on in the reserve: {result.reserve}")
    for text in result.deleted:
        _say(f"deleted: {text}")
    if result.signed or result.signatures_checked:
        checked = "checked" if result.signatures_checked else "not checked; give --public-key"
        _say(
            f"signed: {counted(result.signed, 'closed segment')} ({checked}), not: {len(result.unsigned)}"
        )
        for file in result.unsigned if result.signatures_checked else ():
            _say(f"unsigned: {file}")
    if result.torn_bytes:
        _say(
            f"torn end: {counted(result.torn_bytes, 'byte')} at byte {result.torn_offset} of "
            f"{result.torn_file}. An append was cut short there and never acknowledged; nothing "
            "before it is affected. The next start cuts it and keeps a copy; to do it now: "
            f"ordergate record repair {result.run} --data {Path(result.path).parent}"
        )


def _instructions(result: Verification) -> list[str]:
    """Return what to do about what was found."""
    lines = [
        f"{path} is not needed: remove it. A start takes an earlier one and the records after it."
        for path in result.spare_snapshots
    ]
    lines += _about_signatures(result)
    if result.record_exit_code == EXIT_CLEAN:
        return lines
    if result.record_exit_code == EXIT_UNREADABLE:
        what = "unreadable: check that the path, its rights, its key and this version are right"
        return [*lines, what, *_about_manifest(result)]
    data = Path(result.path).parent
    lines += [
        "corrupt: the gate does not start on this run. What to do:",
        f"  1. copy all of it elsewhere before anything else: cp -a {result.path} COPY",
        "  2. put a good copy of each file named above in its place, if there is one, and verify",
        "  3. else read what can be read, every record before the first byte named:",
        f"     ordergate log export --data {result.path} ...",
        "  4. then set the run aside:",
        f"     ordergate record quarantine {result.run} --data {data} --reason ...",
        "  5. start: it goes on from the run before; compare orders and balances with the engine",
    ]
    if result.durability == "process" and result.status == "running":
        lines.append(
            "If power failed or the operating system crashed while the run went on: with `process` "
            "durability nothing was promised about that. Bytes the disk never got are missing, and "
            "what was answered to clients may be among them; `disk` durability keeps it."
        )
    return lines


def _about_manifest(result: Verification) -> list[str]:
    """Return what to do about a run whose manifest is gone or destroyed."""
    path = Path(result.path)
    try:
        read_manifest(path)
    except JournalManifestError:
        if not segment_numbers(path):
            return []
        return [
            (
                "The manifest of a run is gone or destroyed, so its records can't be read and the gate "
                "does not start. What to do:"
            ),
            f"  1. copy all of it elsewhere before anything else: cp -a {path} COPY",
            "  2. put a good copy of manifest.json in its place, if there is one, and verify",
            (
                "  3. else set the run aside: "
                f"ordergate record quarantine {path.name} --data {path.parent} --reason ..."
            ),
            (
                "  4. start: it goes on from the run before; compare orders and balances with the "
                "engine"
            ),
        ]
    except JournalError:
        pass
    return []


def _about_signatures(result: Verification) -> list[str]:
    """Return what to do about signatures that are missing or wrong."""
    found = result.signature_findings
    if not found:
        return []
    lines = ["signature: this is about who vouches for the record, not about its bytes."]
    if result.record_exit_code == EXIT_CLEAN:
        lines = [f"{lines[0]} No record is damaged, and the gate starts on this run."]
    unsigned = set(result.unsigned)
    if any(finding.file in unsigned for finding in found):
        lines.append(
            "  not signed: sign what is closed, "
            f"ordergate record sign --key PRIVATE.pem --data {Path(result.path).parent}; if it was "
            "signed before, its signature was taken away: compare it with a copy kept elsewhere"
        )
    if any(finding.file not in unsigned for finding in found):
        lines.append(
            "  signed otherwise: is this the right public key? If it is, the segment or its "
            "signature was changed after it was signed: compare both with a copy kept elsewhere"
        )
    return lines


def _public_keys(paths: list[Path]) -> tuple[PublicKey, ...]:
    try:
        return tuple(read_public_key(path) for path in paths)
    except JournalError as error:
        fail(str(error))


def _say(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
