"""`ordergate stages`: where the time of requests goes."""

from typing import Annotated, Final

import typer
from rich.table import Table

from gateway.admin.client import (
    DEFAULT_TOKEN_FILE,
    DEFAULT_URL,
    AdminOption,
    TokenFileOption,
    connect,
    get_or_fail,
)
from gateway.commands.common import EXIT_DIFFERENCE, console, errors, fail, print_json
from gateway.stages import StagesAnswer

_NS_PER_MICROSECOND: Final = 1_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stages")(stages_command)


def stages_command(
    endpoint: Annotated[
        str, typer.Option(help="Of one endpoint only, such as order_place; empty: of all.")
    ] = "",
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Show where the time of requests over REST and gRPC goes, from their last byte to their answer.

    A request is in exactly one stage at any moment, so the means of the stages add up to that of
    the whole. The gate measures only when it was started with `ordergate serve --trace-stages` or
    `telemetry.stages` in its configuration; exit code 1 when it was not.
    """
    client = connect(admin, token_file)
    answer = get_or_fail(client, "/admin/v1/stages", StagesAnswer, endpoint=endpoint)
    if json:
        print_json(answer)
    elif answer.traced and endpoint and endpoint not in answer.endpoints:
        asked = ", ".join(answer.endpoints) or "none yet"
        fail(f"no request of endpoint `{endpoint}` was measured; there are some of: {asked}")
    elif answer.traced:
        console.print(stages_table(answer))
    else:
        errors.print("ordergate: nothing is measured; start the gate with --trace-stages")
    if not answer.traced:
        raise typer.Exit(EXIT_DIFFERENCE)


def stages_table(answer: StagesAnswer) -> Table:
    """Return what was measured as a table in microseconds; its means add up."""
    table = Table("stage", title=f"{answer.requests:,} requests, µs", title_justify="left")
    for heading in ("mean", "share", "p50", "p99", "p99.9"):
        table.add_column(heading, justify="right")
    whole_ns = answer.stages[-1].total_ns if answer.stages else 0
    shown_before = ran_ns = 0
    for number, line in enumerate(answer.stages):
        last = number == len(answer.stages) - 1
        # Rounded sums, not sums of rounded numbers: so what is shown adds up to what is shown.
        ran_ns = line.total_ns if last else ran_ns + line.total_ns
        shown = 10 * ran_ns // (_NS_PER_MICROSECOND * max(answer.requests, 1))
        mean = shown if last else shown - shown_before
        shown_before = shown
        table.add_row(
            line.stage,
            f"{mean // 10:,}.{mean % 10}",
            f"{100 * line.total_ns / max(whole_ns, 1):.1f} %",
            *(
                f"{-(-percentile_ns // 100) / 10:,.1f}"
                for percentile_ns in (line.p50_ns, line.p99_ns, line.p999_ns)
            ),
            end_section=number == len(answer.stages) - 2,
        )
    return table
