"""The arguments and options of the commands."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Target: TypeAlias = Annotated[
    str,
    typer.Option(
        help="URL of what is measured: http, https (REST), ws, wss (WebSocket API), grpc, grpcs "
        "(order entry of this gate's proto) or engine (an engine process)."
    ),
]
Grpc: TypeAlias = Annotated[
    str, typer.Option(help="Of a target grpc: unary calls, or a session (default).")
]
Batch: TypeAlias = Annotated[
    int, typer.Option(help="Requests in one message of a session or to an engine.")
]
ControlUrl: TypeAlias = Annotated[
    str,
    typer.Option(
        "--control",
        help="Base URL of the REST API that tells market and clock, where the target does not.",
    ),
]
Rate: TypeAlias = Annotated[
    str,
    typer.Option(help="Requests per second, on average. Needed, but for --arrivals flow."),
]
Duration: TypeAlias = Annotated[str, typer.Option(help="How long is measured, such as 10s.")]
Warmup: TypeAlias = Annotated[
    str, typer.Option(help="Sent before that, at the same rate, and not measured.")
]
KeysFile: TypeAlias = Annotated[
    Path, typer.Option(help="File of `load prepare`, or the ready line of `demo --json`.")
]
ProfileName: TypeAlias = Annotated[
    str, typer.Option(help="Name of a shipped profile, or path of a .toml file.")
]
Symbols: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="May be repeated. Default: the target's first.")
]
ArrivalKind: TypeAlias = Annotated[
    str,
    typer.Option(
        help="constant, poisson, burst, ramp or flow. Default: the profile's, else poisson."
    ),
]
ToRate: TypeAlias = Annotated[str, typer.Option(help="Rate at the end of a ramp.")]
FlowFile: TypeAlias = Annotated[
    Path | None, typer.Option(help="Recorded flow (CSV) to take the arrival times from.")
]
Speed: TypeAlias = Annotated[str, typer.Option(help="Times the recorded speed, 1 by default.")]
Connections: TypeAlias = Annotated[
    int,
    typer.Option(
        min=1, max=10_000, help="Connections; over REST each carries a request at a time."
    ),
]
Sources: TypeAlias = Annotated[
    int | None,
    typer.Option(help="Loopback addresses to send from, 0: none. Default: those of the key file."),
]
PreparedSources: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Loopback addresses that runs with these keys send from.")
]
Processes: TypeAlias = Annotated[
    int, typer.Option(min=1, max=256, help="Processes that send; each needs a core of its own.")
]
InstanceShare: TypeAlias = Annotated[
    str, typer.Option("--instance", help="Send one machine's share of the schedule, such as 2/3.")
]
StartAt: TypeAlias = Annotated[
    str, typer.Option(help="Begin at this UTC time, such as 2026-11-21T12:00:00Z.")
]
Timeout: TypeAlias = Annotated[str, typer.Option(help="Give up on an answer after this.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Seed of arrivals and content.")]
Repeats: TypeAlias = Annotated[
    int, typer.Option("--repeat", min=1, help="Make the run so often, each with its own seed.")
]
StepCount: TypeAlias = Annotated[
    int, typer.Option("--steps", min=0, help="At most so many runs of rising rate, to the knee.")
]
StepFactor: TypeAlias = Annotated[str, typer.Option(help="From one step's rate to the next.")]
KneeP99: TypeAlias = Annotated[
    str, typer.Option(help="With steps: a target with a higher p99 does not keep up.")
]
LateBound: TypeAlias = Annotated[
    str, typer.Option(help="Bound of the tester's lateness, beyond which a run is not valid.")
]
Assertions: TypeAlias = Annotated[
    list[str] | None, typer.Option("--assert", help="Such as p99<5ms; may be repeated.")
]
Data: TypeAlias = Annotated[
    Path | None, typer.Option(help="The gate's data directory: its record is audited afterwards.")
]
Spin: TypeAlias = Annotated[
    bool, typer.Option(help="Wait for the last 2 ms before a request without sleeping, or not.")
]
KeepOrders: TypeAlias = Annotated[
    bool, typer.Option("--keep-orders", help="Leave the orders open that a run did not cancel.")
]
Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", help="File for the results.")
]
OwnVenue: TypeAlias = Annotated[
    bool, typer.Option("--i-own-this-venue", help="Needed for a target beyond this machine.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Results as JSON.")]

PreparedDirectory: TypeAlias = Annotated[Path, typer.Argument(help="Directory to write into.")]
AccountCount: TypeAlias = Annotated[
    int, typer.Option(min=1, help="Accounts with a key each; with --admin: keys.")
]
RestPort: TypeAlias = Annotated[
    int, typer.Option(min=0, max=65_535, help="REST port of the configuration.")
]
AdminPort: TypeAlias = Annotated[
    int, typer.Option(min=0, max=65_535, help="Admin port of the configuration.")
]
PreparedGrpcPort: TypeAlias = Annotated[
    int, typer.Option(min=-1, max=65_535, help="gRPC port of the configuration; -1: none.")
]
KeyKind: TypeAlias = Annotated[
    str, typer.Option(help="What the keys sign with: hmac, ed25519 or rsa.")
]
Admin: TypeAlias = Annotated[str, typer.Option(help="URL of a running gate's admin port.")]
TokenFile: TypeAlias = Annotated[Path, typer.Option(help="File with its admin token.")]
FundedAccounts: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="With --admin: whose keys are made; may be repeated.")
]
ResultFile: TypeAlias = Annotated[Path, typer.Argument(help="Result file of `load run`.")]
ResultFiles: TypeAlias = Annotated[
    list[Path], typer.Argument(help="A result file of each machine.")
]
HtmlFile: TypeAlias = Annotated[Path | None, typer.Option(help="File for the page.")]
Sides: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        help="Two result files or directories of them; with --run-a: options of `load run`.",
        metavar="A B",
    ),
]
RunSide: TypeAlias = Annotated[
    str, typer.Option(help="Make the runs of this side against this target, in turn.")
]
Pairs: TypeAlias = Annotated[
    int, typer.Option("--repeats", min=1, help="With --run-a: pairs of runs to be made.")
]
OnlySide: TypeAlias = Annotated[
    str, typer.Option(help="Options of `load run` for this side alone, such as '--keys b.json'.")
]
Runs: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="With --run-a: new directory to keep the results in."),
]
