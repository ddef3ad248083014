"""What `ordergate simulate --against` prints: two rulebooks on one recording."""

from typing import Any, Final

from rich.table import Table

from gateway.commands.common import cell, console
from gateway.simulate_against import COMPARED
from rules.values import NS_PER_SECOND

_SHOWN: Final = 20
"""Accounts and symbols in the tables of what differs."""


def print_against(figures: dict[str, Any]) -> None:
    """Print the figures under both rulebooks side by side, then what differs."""
    one, other, differs = figures["one"], figures["other"], figures["differs"]
    span_seconds = figures["span_ns"] / NS_PER_SECOND
    table = Table(title=cell(f"{figures['flow']}, {span_seconds:,.0f} s"), title_justify="left")
    table.add_column("figure")
    for book in (one, other):
        table.add_column(f"{book['rulebook']}\n{book['revision']}", justify="right")
    for name in COMPARED:
        values = (book[name] for book in (one, other))
        share = name.startswith("share")
        shown = (
            "none" if value is None else f"{value:.2f} %" if share else f"{value:,}"
            for value in values
        )
        table.add_row(name.replace("_", " "), *shown)
    for kind in ("refused", "shadowed"):
        for rule in dict.fromkeys((*one[kind], *other[kind])):
            counts = (f"{book[kind].get(rule, 0):,}" for book in (one, other))
            table.add_row(f"  {kind} by {rule}", *counts)
    console.print(table)
    console.print(
        f"{differs['changed']:,} of {differs['messages']:,} verdicts differ: "
        f"{differs['newly_refused']:,} refused only by the second, "
        f"{differs['newly_accepted']:,} only by the first, "
        f"{differs['refused_otherwise']:,} by both for other reasons, "
        f"{differs['other']:,} otherwise",
        soft_wrap=True,
    )
    if differs["rules"]:
        table = Table("rule", "refuses only under the first", "only under the second")
        for rule, counts in differs["rules"].items():
            table.add_row(rule, f"{counts['only_one']:,}", f"{counts['only_other']:,}")
        console.print(table)
    for title, counts in (("account", differs["accounts"]), ("symbol", differs["symbols"])):
        if counts:
            table = Table(title, "changed")
            for name, count in list(counts.items())[:_SHOWN]:
                table.add_row(cell(name), f"{count:,}")
            console.print(table)
    if differs["examples"]:
        table = Table("line", "time", "event", "order", "account", "first", "second")
        for example in differs["examples"]:
            texts = (
                example["order_id"],
                example["account"],
                f"{example['one']} {example['one_because']}",
                f"{example['other']} {example['other_because']}",
            )
            table.add_row(
                str(example["line"]), example["time"], example["event"], *map(cell, texts)
            )
        console.print(table)
