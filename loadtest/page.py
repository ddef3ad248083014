"""One HTML page about one result file: self-contained, no script, nothing loaded."""

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, log10
from typing import Final

import msgspec

from loadtest.charts import Axis, Line, chart
from loadtest.recorder import ALL, PERCENTILES, percentile_ns
from loadtest.results import Latency, Machine, Results, Run
from loadtest.samples import OUTCOMES
from loadtest.units import NS_PER_SECOND, duration_text

_STYLE: Final = """
body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border:1px solid #ddd}
td{text-align:right;font-variant-numeric:tabular-nums}td:first-child,th{text-align:left}
.facts td{text-align:left}.facts th{font-weight:normal;color:#555}
.bad{background:#fde8e8;border:1px solid #c81e1e;padding:.5em 1em}
.good{background:#e7f6ec;border:1px solid #15803d;padding:.5em 1em}
svg{width:100%;height:auto}pre{background:#f5f5f5;padding:1em;overflow:auto}
"""
_CURVE: Final = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999)
_RUNS_MAX: Final = 6
"""Curves of one chart; of more runs the first and the last ones are drawn."""


def page(results: Results) -> str:
    """Return the page."""
    load = results.load
    title = f"Load test of {load.target}"
    summary = (
        f"{load.way}, profile {load.profile.name}, arrivals: {load.arrivals}, "
        f"{load.connections} connections, "
        f"{load.keys} keys, {', '.join(load.symbols)}. Latencies are from the intended time of a "
        "request to its answer."
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(summary)}</p>",
        _verdict(results),
        "<h2>Latency by percentile</h2>",
        _percentile_chart(results.runs),
        "<h2>Latency over time</h2>",
        _time_chart(results.runs),
        "<h2>Throughput against offered load</h2>",
        _throughput_chart(results),
        "<h2>Figures</h2>",
        *(_figures(number, run) for number, run in enumerate(results.runs, 1)),
        *_machines(results),
        "<h2>Profile</h2><pre>",
        escape(msgspec.json.format(msgspec.json.encode(load), indent=2).decode()),
        "</pre></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _verdict(results: Results) -> str:
    lines = [
        f"run {number} is not valid: {fault}"
        for number, run in enumerate(results.runs, 1)
        for fault in run.faults
    ]
    lines += [
        f"assertion {text} {'holds' if holds else 'fails'} (observed {observed})"
        for text, holds, observed in results.assertions
    ]
    if results.broken_off:
        lines.append(f"broken off: {results.broken_off}")
    if results.left_open:
        lines.append(f"open orders could not be cancelled: {results.left_open}")
    if results.knee_text:
        lines.append(results.knee_text)
    if results.audit is not None:
        lines.append(f"audit: {results.audit.answers:,} answers with a decision id")
        lines += [f"audit fails: {text}" for text in results.audit.faults]
        lines += [f"not audited: {text}" for text in results.audit.not_audited]
        if results.audit.counted:
            lines.append(f"audit: {results.audit.counted:,} refusals are recorded as counts")
        if results.audit.records:
            lines.append(f"audit: {results.audit.records:,} records decided again")
    kind, word = ("good", "Good.") if results.good else ("bad", "Not good.")
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="{kind}"><strong>{word}</strong><ul>{items}</ul></div>'


def _percentile_chart(runs: Sequence[Run]) -> str:
    """Curves over 1 / (1 - p), so that each nine has the same width."""
    lines = []
    for number, run in _some(runs):
        lines.append(Line(_name(number, run), percentile_curve(run.latency[ALL])))
    most = max((at for line in lines for at, _ in line.points), default=1.0)
    nines = max(ceil(log10(most) - 1e-9), 1)
    return chart(
        "Latency by percentile",
        Axis("percentile", _nines, [10.0**power for power in range(nines + 1)], log=True),
        Axis("latency", duration_text, log=True),
        lines,
    )


def percentile_curve(latency: Latency) -> list[tuple[float, float]]:
    """Return points (1 / (1 - p), ns); the last one is the longest time, above all the others."""
    points: list[tuple[float, float]] = [
        (1 / (1 - share / 100), percentile_ns(latency, share))
        for share in _CURVE
        if latency.count * (1 - share / 100) >= 1
    ]
    return [*points, (latency.count, latency.max_ns)] if latency.count else []


def _nines(value: float) -> str:
    return f"{100 - 100 / value:.6g} %"


def _time_chart(runs: Sequence[Run]) -> str:
    """The last run's seconds; with repeated runs or steps it stands for the hardest one."""
    run = runs[-1]
    seconds = [second for second in run.seconds if second.latency.count]
    # The maximum is drawn first: where it is the p99 as well, both can be seen.
    lines = [Line("max", [(second.second, second.latency.max_ns) for second in seconds])]
    lines += [
        Line(
            f"p{name}",
            [(second.second, second.latency.percentiles_ns[name]) for second in seconds],
            dashed=name == "99",
        )
        for name in ("99", "50")
    ]
    return chart(
        f"Latency over time, run {len(runs)}",
        Axis(f"second of run {len(runs)}", _plain),
        Axis("latency", duration_text, log=True),
        lines,
    )


def _throughput_chart(results: Results) -> str:
    runs = results.runs
    if results.steps:
        points = [(run.offered * NS_PER_SECOND / run.duration_ns, run.throughput) for run in runs]
        most = max(offered for offered, _ in points)
        lines = [Line("answered", points), Line("offered", [(0, 0), (most, most)], dashed=True)]
        axis = Axis("offered per second", _plain)
    else:
        seconds = runs[-1].seconds
        lines = [
            Line("answered", [(second.second, second.answered) for second in seconds]),
            Line("offered", [(second.second, second.offered) for second in seconds], dashed=True),
        ]
        axis = Axis(f"second of run {len(runs)}", _plain)
    return chart("Throughput against offered load", axis, Axis("per second", _plain), lines)


def _plain(value: float) -> str:
    return f"{value:,.6g}"


def _figures(number: int, run: Run) -> str:
    rows = [_row(name, run.latency[name]) for name in (ALL, *OUTCOMES) if run.latency[name].count]
    rows += [
        _row("wait for a connection", run.wait),
        _row("tester's lateness", run.lateness),
        _row("tester's pauses", run.pauses),
    ]
    head = "".join(
        f"<th>{text}</th>"
        for text in ("", "count", "mean", *(f"p{name}" for name in PERCENTILES), "max")
    )
    outcomes = _table((label, f"{count:,}") for label, count in run.outcomes.items())
    return (
        f"<h3>Run {escape(_name(number, run))}</h3>"
        f"<p>{run.throughput:,.1f} answered per second; the tester used "
        f"{run.tester_cpu_share:.0%} of a core and opened {run.reconnects} connections again.</p>"
        f"<table><tr>{head}</tr>{''.join(rows)}</table>{outcomes}"
    )


def _row(name: str, latency: Latency) -> str:
    times: Iterable[float] = ()
    if latency.count:
        percentiles = (latency.percentiles_ns[share] for share in PERCENTILES)
        times = (latency.mean_ns, *percentiles, latency.max_ns)
    cells = "".join(f"<td>{duration_text(value)}</td>" for value in times)
    return f"<tr><td>{escape(name)}</td><td>{latency.count:,}</td>{cells}</tr>"


def _machines(results: Results) -> list[str]:
    """Return the facts of the machine, or of each one that took part."""
    version = ("ordergate", results.version)
    if not results.parts:
        return ["<h2>Machine</h2>", _table((*_facts(results.machine), version))]
    shown = [f"<h2>Machines</h2><p>{len(results.parts)} machines sent together.</p>"]
    for part in results.parts:
        took = (
            ("share", f"instance {part.instance}" if part.instance else f"seed {part.seed}"),
            ("requests", f"{part.offered:,}"),
            ("connections, keys", f"{part.connections}, {part.keys}"),
            ("sender processes", str(part.processes)),
            ("tester's lateness, p99", duration_text(part.lateness_p99_ns)),
            ("tester's pauses, p99", duration_text(part.pauses_p99_ns)),
            ("tester's cores in use", f"{part.tester_cpu_share:.0%} of one"),
            ("clock ahead of the target's", duration_text(-part.target_minus_utc_ns)),
        )
        rows = (*took, *_facts(part.machine), version)
        shown.append(f"<h3>{escape(part.name)}</h3>{_table(rows)}")
    return shown


def _facts(facts: Machine) -> tuple[tuple[str, str], ...]:
    return (
        ("processor", facts.processor or "not told"),
        ("cores", f"{facts.cores}; the tester was {_pinning(facts)}"),
        ("governor", ", ".join(facts.governors) or "not told by the machine"),
        ("memory", f"{facts.memory_kib / 2**20:.1f} GiB"),
        ("system", facts.system),
        ("Python", f"{facts.python}, {facts.event_loop}"),
        ("load average before", f"{facts.load_average:.2f}"),
    )


def _pinning(facts: Machine) -> str:
    if len(facts.usable_cores) == facts.cores:
        return "free to use all of them"
    return f"pinned to {', '.join(map(str, facts.usable_cores))}"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="facts">{cells}</table>' if cells else ""


def _some(runs: Sequence[Run]) -> list[tuple[int, Run]]:
    numbered = list(enumerate(runs, 1))
    if len(numbered) <= _RUNS_MAX:
        return numbered
    return numbered[: _RUNS_MAX // 2] + numbered[-_RUNS_MAX // 2 :]


def _name(number: int, run: Run) -> str:
    offered = run.offered * NS_PER_SECOND / run.duration_ns
    return f"{number}: {offered:,.1f}/s offered{', not valid' if run.faults else ''}"
