"""`load prepare|run|report|merge|compare`."""

import asyncio
import contextlib
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import typer

from loadtest import options
from loadtest.alternate import alternate, sides_of
from loadtest.asked import Asked, owned
from loadtest.assertions import parse_assertion
from loadtest.compare import alternated, compare, read_side, unlike
from loadtest.course import measure
from loadtest.files import check_writable, save
from loadtest.files import load as load_results
from loadtest.keys import write_keys
from loadtest.loops import run_in_loop, signal_of
from loadtest.machines import merged
from loadtest.page import page
from loadtest.plan import loopback_sources
from loadtest.prepare import prepare_gate, prepare_running
from loadtest.profile import DEFAULT_PROFILE
from loadtest.results import Results
from loadtest.signing import HMAC
from loadtest.target import parse_target
from loadtest.terminal import (
    EXIT_DIFFERENCE,
    fail,
    interrupted,
    print_comparisons,
    print_json,
    print_results,
    say,
    say_aside,
)
from loadtest.units import LoadTestError

load = typer.Typer(
    help="Load tests: open loop, honest latencies.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@load.command("run")
def run_command(
    target: options.Target,
    keys: options.KeysFile,
    rate: options.Rate = "",
    grpc: options.Grpc = "",
    batch: options.Batch = 1,
    control: options.ControlUrl = "",
    duration: options.Duration = "10s",
    warmup: options.Warmup = "2s",
    profile: options.ProfileName = DEFAULT_PROFILE,
    symbol: options.Symbols = None,
    arrivals: options.ArrivalKind = "",
    to_rate: options.ToRate = "",
    flow: options.FlowFile = None,
    speed: options.Speed = "",
    connections: options.Connections = 64,
    sources: options.Sources = None,
    processes: options.Processes = 1,
    instance: options.InstanceShare = "",
    start_at: options.StartAt = "",
    timeout: options.Timeout = "10s",
    seed: options.Seed = 1,
    repeats: options.Repeats = 1,
    step_count: options.StepCount = 0,
    step_factor: options.StepFactor = "1.25",
    knee_p99: options.KneeP99 = "50ms",
    late_bound: options.LateBound = "p99<1ms",
    assertions: options.Assertions = None,
    data: options.Data = None,
    spin: options.Spin = True,
    keep_orders: options.KeepOrders = False,
    output: options.Output = None,
    i_own_this_venue: options.OwnVenue = False,
    json: options.Json = False,
) -> None:
    """Send orders and cancels at times fixed beforehand, and measure from these times on.

    Exit code 1: a run is not valid because the tester was late, or was broken off, an assertion
    fails, the audit finds a fault, or not even the first step was kept up with. What was measured
    when it is interrupted is told, too. See docs/loadtest.md.
    """
    asked = Asked(**locals())
    try:
        if data is not None and not data.is_dir():
            raise LoadTestError(f"{data}: is no directory; --data names a gate's, or one run's")
        if output is not None:
            check_writable(output)
        results, signum = measure(asked.plan(), asked.course(), quiet=json)
        _finish(results, output, as_json=json)
        if signum:
            left = keep_orders or results.left_open
            done = f"open orders were {'left' if left else 'cancelled'}"
            interrupted(signum, f"{done}, what was measured until then is reported")
        _judge(results)
    except LoadTestError as error:
        fail(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError) as stop:
        done = f"open orders were {'left' if keep_orders else 'cancelled'}"
        interrupted(signal_of(stop), f"{done}, nothing is reported")


@load.command("prepare")
def prepare_command(
    output: options.PreparedDirectory,
    accounts: options.AccountCount = 10,
    rest_port: options.RestPort = 8080,
    admin_port: options.AdminPort = 8081,
    admin: options.Admin = "",
    token_file: options.TokenFile = Path("ordergate-data/admin.token"),
    account: options.FundedAccounts = None,
    sources: options.PreparedSources = 0,
    grpc_port: options.PreparedGrpcPort = -1,
    kind: options.KeyKind = HMAC,
    i_own_this_venue: options.OwnVenue = False,
) -> None:
    """Make accounts and keys to run with.

    Without --admin: the configuration of a gate with the rulebook `bench` and so many funded
    accounts with a key each. With --admin: so many keys on a running gate, for its accounts named
    by --account in turn; these have to be funded already, since the admin port can't deposit.
    """
    try:
        addresses = loopback_sources(sources)
        if not admin:
            if account:
                raise LoadTestError("--account goes with --admin; without it accounts are made")
            config = prepare_gate(
                output, accounts, rest_port, admin_port, addresses, grpc_port, kind
            )
            say(f"start the gate:  ordergate serve -c {config}")
        else:
            if not account:
                raise LoadTestError("--admin needs --account: whose funds the keys trade with")
            owned(parse_target(admin), stated=i_own_this_venue)
            preparing = prepare_running(admin, token_file, tuple(account), accounts, kind)
            keys = run_in_loop(preparing)
            output.mkdir(parents=True, exist_ok=True)
            write_keys(output / "keys.json", keys, addresses)
        target = f"http://127.0.0.1:{rest_port}" if rest_port and not admin else "URL"
        keys_path = output / "keys.json"
        say(f"then:  ordergate load run --keys {keys_path} --target {target} --rate 100")
    except OSError as error:
        fail(f"{output}: {error.strerror}")
    except LoadTestError as error:
        fail(str(error))


@load.command("report")
def report_command(
    results: options.ResultFile,
    html: options.HtmlFile = None,
    json: options.Json = False,
) -> None:
    """Show a result file: as a table, and with --html as one self-contained page."""
    try:
        loaded = load_results(results)
        if html is not None:
            html.write_text(page(loaded), encoding="utf-8")
    except OSError as error:
        fail(f"{html}: {error.strerror}")
    except LoadTestError as error:
        fail(str(error))
    if json:
        print_json(loaded)
    elif html is None:
        print_results(loaded)
    else:
        say(f"wrote {html}")


@load.command("merge")
def merge_command(
    files: options.ResultFiles,
    output: options.Output = None,
    assertions: options.Assertions = None,
    json: options.Json = False,
) -> None:
    """Merge what several machines measured at the same time, each with a share or a seed.

    Histograms are added bucket by bucket. Files that do not belong together are refused. Exit
    code 1: a machine's run is not valid, an assertion fails on the whole, or an audit found a
    fault.
    """
    try:
        if output is not None:
            check_writable(output)
        results = merged(files, tuple(map(parse_assertion, assertions or ())))
        _finish(results, output, as_json=json)
        _judge(results)
    except LoadTestError as error:
        fail(str(error))


@load.command("compare", context_settings={"ignore_unknown_options": True})
def compare_command(
    sides: options.Sides = None,
    run_a: options.RunSide = "",
    run_b: options.RunSide = "",
    repeats: options.Pairs = 10,
    only_a: options.OnlySide = "",
    only_b: options.OnlySide = "",
    output: options.Runs = None,
    seed: options.Seed = 1,
    json: options.Json = False,
) -> None:
    """Compare two sides by their repeated runs, made before or, with --run-a and --run-b, now.

    The change from A to B comes with a 95 % interval (bootstrap over runs, over pairs where they
    were made in turn). It needs at least five runs of each. With --run-a and --run-b every
    further option is one of `load run` and holds for both sides.
    """
    given = sides or []
    try:
        if bool(run_a) != bool(run_b):
            raise LoadTestError("--run-a and --run-b go together")
        if not run_a:
            if len(given) != 2:
                raise LoadTestError(f"two sides are compared, not {len(given)}: {given}")
            _compare(Path(given[0]), Path(given[1]), seed, as_json=json)
            return
        only = [shlex.split(only_a), shlex.split(only_b)]
        with _kept_or_not(output) as directory:
            both = sides_of((run_a, run_b), given, only)
            alternate(both, repeats, directory, seed, say_aside if json else say)
            _compare(directory / "a", directory / "b", seed, as_json=json)
    except (LoadTestError, OSError, ValueError) as error:
        fail(str(error))
    except KeyboardInterrupt as stop:
        kept = f"what was made so far is in {output}" if output else "nothing is kept"
        interrupted(signal_of(stop), f"{kept}, nothing is reported")


def _compare(a: Path, b: Path, seed: int, *, as_json: bool) -> None:
    files_a, runs_a = read_side(a)
    files_b, runs_b = read_side(b)
    differences = unlike(files_a, files_b)
    comparisons = compare(runs_a, runs_b, seed)
    paired = alternated(runs_a, runs_b) is not None
    if as_json:
        print_json({"unlike": differences, "paired": paired, "comparisons": comparisons})
        return
    print_comparisons(comparisons, len(runs_a), len(runs_b), differences, paired=paired)


@contextlib.contextmanager
def _kept_or_not(directory: Path | None) -> Iterator[Path]:
    """Yield a directory, without one a temporary one."""
    if directory is not None:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="load-compare-") as temporary:
        yield Path(temporary)


def _finish(results: Results, output: Path | None, *, as_json: bool) -> None:
    """Save and show results, shown also when they can't be saved."""
    try:
        if output is not None:
            save(results, output)
    finally:
        if as_json:
            print_json(results)
        else:
            print_results(results)


def _judge(results: Results) -> None:
    """End with exit code 1 unless results are good."""
    if not results.good:
        raise typer.Exit(EXIT_DIFFERENCE)
