"""`ordergate simulate`: a recorded flow through the pipeline, offline."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from gateway.commands.against_text import print_against
from gateway.commands.common import cell, console, fail, print_json
from gateway.commands.progress import records_progress
from gateway.commands.suggest import rules_table
from gateway.flows.participants import OWNERS_FLOW, OWNERS_ONE, Participants
from gateway.flows.reader import FlowError, read_flow
from gateway.logview.times import time_text
from gateway.rulebooks import load_rulebook
from gateway.simulate import simulate
from gateway.simulate_against import simulate_against
from rules.rulebook import RulebookError
from rules.values import NS_PER_SECOND

ALERTS_SHOWN: Final = 40
MS_PER_SECOND: Final = 1_000


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("simulate")(simulate_command)


def simulate_command(
    flow: Annotated[Path, typer.Argument(help="Recorded flow: CSV, plain or gzipped.")],
    rulebook: Annotated[
        str, typer.Option(help="Name of a shipped rulebook, or path of a file.")
    ] = "binance-spot-2026",
    owners: Annotated[
        str,
        typer.Option(
            help="Whose orders they are: `one`, `hash:N`, or `flow` (its columns). "
            "Default: `flow` where it has a column `account`, else `one`."
        ),
    ] = "",
    against: Annotated[
        str, typer.Option(help="A second rulebook: show on which messages the verdicts differ.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Run a recorded flow through the pipeline and count what it would have decided.

    The recorded course is fact: an order lives from its recorded submission to its recorded end
    whatever the verdict. See docs/simulate.md for what each figure counts.
    """
    try:
        rules = load_rulebook(rulebook)
        other = load_rulebook(against) if against else None
        recorded = read_flow(flow)
        chosen = owners or (OWNERS_FLOW if "account" in recorded.columns else OWNERS_ONE)
        passes = 1 if other is None else 2
        with records_progress("simulating", passes * len(recorded.rows), quiet=json) as progress:
            if other is None:
                figures = simulate(recorded, rules, Participants(chosen), progress)
            else:
                figures = simulate_against(
                    recorded, rules, other, lambda: Participants(chosen), progress
                )
    except RulebookError as error:
        fail(*error.errors)
    except (FlowError, ValueError) as error:
        fail(str(error))
    if json:
        print_json(figures)
    elif other is None:
        _print_figures(figures)
    else:
        print_against(figures)


def _print_figures(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    span_seconds = figures["span_ns"] / NS_PER_SECOND
    table = Table(title=cell(f"{figures['flow']}, {span_seconds:,.0f} s"), title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_row("rulebook", f"{figures['rulebook']} ({figures['revision']})")
    table.add_row("accounts assigned", figures["owners"])
    for name in ("events", "orders", "cancels", "amends", "reduces", "trades"):
        table.add_row(name, f"{figures[name]:,}")
    table.add_section()
    for name in ("accepted", "deferred", "refused_messages"):
        table.add_row(name.replace("_", " "), f"{figures[name]:,}")
    for rule, count in figures["refused"].items():
        table.add_row(f"  refused by {rule}", f"{count:,}")
    for rule, count in figures["shadowed"].items():
        table.add_row(f"  shadowed by {rule}", f"{count:,}")
    for tariff, amount in figures["charged"].items():
        table.add_row(f"  charged by {tariff}", amount)
    table.add_section()
    table.add_row("known cancels", f"{figures['cancels_known']:,}")
    table.add_row("  refused by resting time", f"{figures['cancels_refused_resting_time']:,}")
    share = figures["share_refused_resting_time"]
    table.add_row("  share", "none" if share is None else f"{share:.2f} %")
    table.add_section()
    for name, label in (
        ("otr_number_simple", "orders / trades - 1"),
        ("otr_number_rts9", "RTS 9 ratio by number"),
        ("otr_volume_rts9", "RTS 9 ratio by volume"),
    ):
        table.add_row(label, _ratio_text(figures[name]))
    takers = figures["takers"]
    table.add_row("rebuilt incoming orders", f"{takers['orders']:,}")
    for rule, count in takers["refused"].items():
        table.add_row(f"  refused by {rule}", f"{count:,}")
    console.print(table)
    if figures["shadow_rules"]:
        names = ", ".join(figures["shadow_rules"])
        console.print(f"One account carries the whole market, so in shadow: {names}.")
    if figures["rules"]:
        console.print(rules_table(figures["rules"]))
    if figures["alerts"]:
        console.print(_alerts_table(figures["alerts"]))
    if len(figures["accounts"]) > 1:
        console.print(_accounts_table(figures))


def _alerts_table(alerts: list[dict[str, Any]]) -> Table:
    table = Table(title="what conduct rules told", title_justify="left")
    for name in ("time", "rule", "who", "symbol"):
        table.add_column(name, no_wrap=True)
    for name in ("severity", "seconds since it began", "evidence"):
        table.add_column(name, justify="right")
    for alert in alerts[:ALERTS_SHOWN]:
        table.add_row(
            time_text(alert["at_ns"]),
            alert["rule"],
            cell(alert["who"]),
            cell(alert["symbol"] or "several"),
            f"{alert['severity']}{' (shadow)' if alert['shadow'] else ''}",
            f"{alert['took_ms'] / MS_PER_SECOND:,.1f}",
            str(alert["evidence"]),
        )
    if len(alerts) > ALERTS_SHOWN:
        table.caption = f"the first {ALERTS_SHOWN} of {len(alerts):,}; --json has all"
    return table


def _accounts_table(figures: dict[str, Any]) -> Table:
    title = f"busiest accounts (assigned: {figures['owners']}), RTS 9 counts"
    table = Table(title=title, title_justify="left")
    for name in ("account", "symbol"):
        table.add_column(name, no_wrap=True)
    for name in ("messages", "trades", "by number", "by volume"):
        table.add_column(name, justify="right", no_wrap=True)
    for account in figures["accounts"]:
        table.add_row(
            cell(account["account"]),
            cell(account["symbol"]),
            f"{account['number']:,}",
            f"{account['transactions']:,}",
            _ratio_text(account["otr_number_rts9"], "-"),
            _ratio_text(account["otr_volume_rts9"], "-"),
        )
    return table


def _ratio_text(ratio: float | None, undefined: str = "undefined (no trade)") -> str:
    return undefined if ratio is None else f"{ratio:,.2f}"
