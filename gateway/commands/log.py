"""`ordergate log`: follow, search, explain and verify the record."""

import sys
import time
from collections import deque
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from gateway.commands.common import console, errors, fail, print_json
from gateway.commands.progress import bytes_progress, records_progress
from gateway.decision_id import DecisionIds
from gateway.journal import JournalError, Run, find_run, runs
from gateway.journal.manifest import DATA_DIRECTORY, read_manifest, run_directories
from gateway.journal.reader import RunReader
from gateway.journal.verify import EXIT_UNREADABLE, Verification, verify_run
from gateway.logview.explaining import ExplainedDecision, explain
from gateway.logview.measures import measured
from gateway.logview.query import Found, Query, find, view
from gateway.logview.rendering import LINE_HEAD, printable, record_line, record_tree
from gateway.logview.subjects import Subjects
from gateway.logview.times import time_ns, time_text
from rules.values import NS_PER_DAY

DECISION_KEY_NAME: Final = "decision.key"
"""The key of decision ids, in the data directory."""
_POLL_SECONDS: Final = 0.2
_EARLIEST_TIME_NS: Final = 366 * NS_PER_DAY
"""What is longer than this is shown as a time, what is shorter as a number of nanoseconds."""

DataOption = Annotated[
    Path, typer.Option("--data", help="Data directory (its latest run is meant) or one run's.")
]
RunOption = Annotated[str, typer.Option("--run", help="Run id within the data directory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]

log = typer.Typer(help="Follow, search, explain and verify the record.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add `log` and its commands to the application."""
    app.add_typer(log, name="log")


@log.command()
def tail(
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    count: Annotated[int, typer.Option("--lines", "-n", min=0, help="Records to show.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Show the last records of a run, and with -f those that are added until it ends."""
    run = _run(data, run_id)
    printer = _Printer(run, as_json)
    try:
        reader = RunReader(run.path)
        subjects = Subjects()
        for found in deque(view(reader.records(), subjects), maxlen=count):
            printer.show(found)
        while follow:
            ended = read_manifest(run.path).status == "ended"
            for found in view(reader.records(), subjects):
                printer.show(found)
            if ended:
                errors.print(
                    f"the run {run.manifest.run_id} has ended", markup=False, soft_wrap=True
                )
                return
            sys.stdout.flush()
            time.sleep(_POLL_SECONDS)
    except JournalError as error:
        fail(str(error))
    except KeyboardInterrupt:
        return


@log.command()
def query(
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    since: Annotated[str, typer.Option("--from", help="First time, ISO 8601, UTC.")] = "",
    until: Annotated[str, typer.Option("--to", help="End of the time, not included.")] = "",
    key: Annotated[str, typer.Option(help="API key id.")] = "",
    account: Annotated[str, typer.Option(help="Account name.")] = "",
    owner: Annotated[str, typer.Option(help="Owner name.")] = "",
    symbol: Annotated[str, typer.Option(help="Symbol, such as BTCUSDT.")] = "",
    address: Annotated[str, typer.Option(help="Peer address.")] = "",
    client_order_id: Annotated[str, typer.Option(help="Client order id.")] = "",
    order_id: Annotated[int, typer.Option(help="Order id.", min=0)] = 0,
    rule: Annotated[str, typer.Option(help="Rule that refused or would have.")] = "",
    verdict: Annotated[str, typer.Option(help="accepted, refused, deferred or noted.")] = "",
    reason: Annotated[str, typer.Option(help="Reason, by name or number.")] = "",
    decision: Annotated[str, typer.Option(help="Decision id or sequence number.")] = "",
    event: Annotated[str, typer.Option(help="Event type, such as place or cancel.")] = "",
    limit: Annotated[int, typer.Option(help="Stop after this many; 0: all.", min=0)] = 0,
    as_json: JsonLinesOption = False,
) -> None:
    """Show the records that match all the filters given."""
    run = _run_of(data, run_id, decision)
    wanted = Query(
        from_ns=_time(since),
        to_ns=_time(until),
        seq=_seq(run, decision) if decision else 0,
        order_id=order_id,
        key=key,
        account=account,
        owner=owner,
        symbol=symbol,
        address=address,
        client_order_id=client_order_id,
        rule=rule,
        reason=reason,
        verdict=verdict,
        event=event.lower(),
    )
    if problems := wanted.problems():
        fail(*problems)
    printer = _Printer(run, as_json)
    try:
        for found in find(run.path, wanted):
            printer.show(found)
            if printer.shown == limit:
                break
    except JournalError as error:
        fail(str(error))
    if not as_json:
        errors.print(f"{printer.shown} records", markup=False, soft_wrap=True)


@log.command(name="explain")
def explain_command(
    decision: Annotated[str, typer.Argument(help="Decision id or sequence number.")],
    data: DataOption = Path(DATA_DIRECTORY),
    run_id: RunOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what every rule said of one decision, with limits, observed values and the facts."""
    run = _run_of(data, run_id, decision)
    seq = _seq(run, decision)
    try:
        with records_progress("replaying", seq, quiet=as_json) as progress:
            explained = explain(run, seq, _decision_ids(run), progress)
    except (JournalError, ValueError) as error:
        fail(str(error))
    if as_json:
        print_json(explained)
    else:
        _print_explained(explained)


@log.command()
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


class _Printer:
    """Prints records as they are found, as lines or as JSON lines."""

    def __init__(self, run: Run, as_json: bool) -> None:
        self.shown = 0
        self._json = as_json
        self._ids = _decision_ids(run)

    def show(self, found: Found) -> None:
        """Print one record."""
        record, subject, names = found
        if self._json:
            tree = record_tree(record, subject, names, self._ids)
            line = msgspec.json.encode(tree).decode()
        else:
            if not self.shown:
                sys.stdout.write(LINE_HEAD + "\n")
            line = record_line(record, subject, names)
        sys.stdout.write(line + "\n")
        self.shown += 1


def _run(data: Path, run_id: str) -> Run:
    try:
        return find_run(data, run_id)
    except JournalError as error:
        fail(str(error))


def _run_of(data: Path, run_id: str, decision: str) -> Run:
    """Return the run a decision id is of, else the one that was named or the latest."""
    run = _run(data, run_id)
    if not run_id and decision:
        for other in (run, *reversed(runs(data))):
            ids = _decision_ids(other)
            if ids is not None and ids.decode(decision.strip().lower()) is not None:
                return other
    return run


def _decision_ids(run: Run) -> DecisionIds | None:
    """Return the codec of decision ids, None when their key is not there to be read."""
    try:
        key = (run.path.parent / DECISION_KEY_NAME).read_bytes()
        return DecisionIds(key, run.manifest.run_id)
    except (OSError, ValueError):
        return None


def _seq(run: Run, text: str) -> int:
    """Return the record meant by a decision id or a plain sequence number."""
    ids = _decision_ids(run)
    seq = ids.decode(text.strip().lower()) if ids is not None else None
    if seq is None and text.isascii() and text.isdigit() and len(text) < 19:
        seq = int(text)
    if not seq:
        known = "" if ids is not None else f"; {DECISION_KEY_NAME} can't be read"
        fail(f"`{text}` is neither a decision id of this record nor a sequence number{known}")
    return seq


def _time(text: str) -> int:
    try:
        return time_ns(text) if text else 0
    except ValueError as error:
        fail(str(error))


def _print_explained(explained: ExplainedDecision) -> None:
    record = explained.record
    console.print(
        f"record {record['seq']} of run {explained.run}, {record['time']}",
        markup=False,
        soft_wrap=True,
    )
    if record["decision_id"]:
        console.print(f"decision id {record['decision_id']}", markup=False, soft_wrap=True)
    console.print(
        f"{record['event']}: {record['verdict']}, rulebook {explained.rulebook} "
        f"revision {explained.revision}",
        markup=False,
        soft_wrap=True,
    )
    if not explained.agrees:
        errors.print("deciding it again gives another decision; see `ordergate replay`")
    _print_tree("input", record["input"])
    _print_tree("decision", record["decision"] | {"breaches": [], "shadows": []})
    for kind in ("breaches", "shadows"):
        for breach in record["decision"][kind]:
            told = {
                field: measured(breach[field], breach["rule"], breach["reason"])
                for field in ("limit", "observed")
            }
            _print_tree(kind, breach | told)
    table = Table(title="rules", title_justify="left")
    for heading in ("stage", "rule", "mode", "verdict", "limit", "observed", "detail"):
        table.add_column(heading, overflow="fold")
    for view_ in explained.rules:
        table.add_row(
            view_.stage,
            view_.rule,
            view_.mode,
            "passed" if view_.passed else view_.reason or "refused",
            measured(view_.limit, view_.rule, view_.reason),
            measured(view_.observed, view_.rule, view_.reason),
            printable(view_.detail),
        )
    console.print(table)
    for name, facts in explained.facts.items():
        _print_tree(name, facts)


def _print_tree(title: str, tree: dict[str, Any]) -> None:
    """Print a tree's fields that say something, as a table of two columns."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column("field")
    table.add_column("value", overflow="fold")
    for field, value in tree.items():
        if value not in (None, "", 0, "0", [], False) or field in ("limit", "observed"):
            table.add_row(Text(field), Text(printable(_text(field, value))))
    console.print(table)


def _text(field: str, value: Any) -> str:
    if field.endswith("_ns") and isinstance(value, int) and value > _EARLIEST_TIME_NS:
        return time_text(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


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
