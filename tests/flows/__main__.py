"""Show who is found in the mixed flow: `python -m tests.flows [FILE.csv]`, or `make manipulation`.

With a path the flow is written there as well. Exits with 1 when a manipulator is missed or an
innocent accused.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.flows.caught import Report, report
from tests.flows.manipulation import write_manipulation


def table_of(found: Report) -> Table:
    """Return the table of who was found."""
    table = Table(title="fss-conduct on the mixed flow", title_justify="left")
    for heading in ("participant", "pattern", "symbol"):
        table.add_column(heading, no_wrap=True)
    for heading in ("found after", "severity", "evidence", "alerts", "refused"):
        table.add_column(heading, justify="right")
    for one in found.caught:
        table.add_row(
            one.participant,
            one.rule,
            one.symbol,
            f"{one.after_ms / 1_000:.1f} s",
            str(one.severity),
            str(one.evidence),
            str(one.alerts),
            str(found.refused[one.rule].get(one.participant, 0)),
        )
    for participant, rule in found.missed:
        table.add_row(participant, rule, "", "NEVER", "", "", "", "")
    return table


def main() -> int:
    """Print the table; return the exit code."""
    if len(sys.argv) > 1:
        write_manipulation(Path(sys.argv[1]))
    with TemporaryDirectory() as folder:
        found = report(Path(folder))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table_of(found))
    refused_innocents = {
        name: count
        for rule, counts in found.refused.items()
        for name, count in counts.items()
        if (name, rule) not in {(one.participant, one.rule) for one in found.caught}
    }
    console.print(
        f"{found.innocents} other participants: {len(found.accused)} accused, "
        f"{len(refused_innocents)} refused for conduct"
    )
    return 1 if found.missed or found.accused or refused_innocents else 0


if __name__ == "__main__":
    sys.exit(main())
