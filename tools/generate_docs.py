"""Generate the reference pages of docs/ from the code, or check that they are current.

Made are the pages named in `PAGES`. What they say stands in the code:
documentation of classes and fields, defaults, types, tables of codes, and the command line itself.

Run as `python tools/generate_docs.py` (what `make docs` does) or with `--check`, which writes
nothing and exits with 1 when a committed page differs from what would be generated.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import typer

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from doc_tables import (  # noqa: E402
    field_docs,
    field_table,
    nested_tables,
    own_fields,
    prose,
    row,
)

from gateway import bulk, config  # noqa: E402
from gateway.__main__ import build  # noqa: E402
from gateway.dialects.binance import error_table  # noqa: E402
from gateway.dialects.binance.errors import table_markdown  # noqa: E402
from gateway.dialects.native import refusal_table  # noqa: E402
from gateway.rulebooks import load_rulebook, shipped_rulebooks  # noqa: E402
from rules import clauses  # noqa: E402
from rules.endpoints import Endpoint  # noqa: E402
from rules.reasons import Reason  # noqa: E402
from rules.registry import RULES, mode_of  # noqa: E402
from rules.rule import STAGE_NAMES, Rule  # noqa: E402

__all__ = ["field_docs", "main", "own_fields", "pages"]

DOCS: Final = ROOT / "docs"
GENERATED: Final = "Made from the code by `tools/generate_docs.py`; `make docs` makes it anew."
FAMILIES: Final = {
    1: "The request could not be understood",
    2: "Access",
    3: "Standing of key, account, owner, symbol and venue",
    4: "Order counts and filters",
    5: "Exposure",
    6: "Conduct",
    7: "The engine's own refusals",
    9: "Faults of the gate",
}
STAGES: Final = {
    "access": "Who may speak. Evaluation ends at the first breach.",
    "gate": "Standing of key, account, owner, symbol and venue. Ends at the first breach.",
    "limit": "What is asked. All are evaluated and every breach is recorded; the client is told "
    "the first.",
}
TEXT_KINDS: Final = (
    ("duration", "A whole number and `ns`, `us`, `ms`, `s`, `m`, `h` or `d`: `500ms`, `10s`."),
    ("duration above 0", "As duration; not `0s`."),
    ("decimal", 'A decimal number as text, so that it is exact: `"0.05"`; at most 8 places.'),
    ("decimal or empty", "As decimal; an empty text switches it off."),
    ("whole number", "A TOML integer; bounds are given where there are any."),
)

RULES_INTRODUCTION: Final = (
    "A rulebook sets each rule to `enforce` (refuse), `shadow` (record what would have been "
    "refused) or `off`. Rules stand here in the order of precedence in which their breaches "
    "are told to the client."
)
REASONS_INTRODUCTION: Final = (
    "Why something was refused, as records and `X-OrderGate-Rule` name it. Codes never change "
    "their meaning. Why a code of Binance was chosen stands in "
    "[binance-errors.md](binance-errors.md)."
)
SETTINGS_INTRODUCTION: Final = (
    "Files are TOML and strict: an unknown setting, a wrong type or a value that can't be "
    "used is an error, and `ordergate check FILE` tells all of them at once with file and "
    "line."
)
RULEBOOK_INTRODUCTION: Final = (
    "A rulebook is a TOML file, known by the file's name; a `name` in it must be the same. What "
    "it does not say comes from the rulebook it extends; tables are merged key by key, arrays are replaced. "
    "`ordergate rulebook show NAME` tells what is in force."
)
COMMANDS_INTRODUCTION: Final = (
    "Exit codes: 0 good, 1 a difference or a failed check, 2 bad input, with a message that "
    "names what is at fault."
)


# --- Pages ----------------------------------------------------------------------------------------


def rules_page() -> str:
    """Return docs/rules.md: every rule, what it does, and its parameters."""
    rulebooks = {name: load_rulebook(name) for name in shipped_rulebooks()}
    lines = [
        "# Rules",
        "",
        GENERATED,
        "",
        RULES_INTRODUCTION,
        "",
        row("rule", "stage", *rulebooks),
        row(*["---"] * (2 + len(rulebooks))),
    ]
    for kind in RULES:
        modes = [mode_of(rulebook, kind.name) for rulebook in rulebooks.values()]
        lines.append(row(f"[{kind.name}](#{kind.name})", STAGE_NAMES[kind.stage], *modes))
    lines.append("")
    stage = ""
    for kind in RULES:
        if STAGE_NAMES[kind.stage] != stage:
            stage = STAGE_NAMES[kind.stage]
            lines += [f"## Stage {stage}", "", STAGES[stage], ""]
        lines += rule_section(kind)
    return "\n".join(lines)


def rule_section(kind: type[Rule]) -> list[str]:
    """Return one rule's part of rules.md."""
    clause = type(getattr(clauses.RuleClauses(), kind.name))
    events = ", ".join(event.__name__ for event in kind.wants)
    shown = "limit and observed value" if kind.discloses else "a case id only"
    reasons = ", ".join(f"[{reason.name}](reasons.md)" for reason in kind.reasons)
    return [
        f"### {kind.name}",
        "",
        prose(kind),
        "",
        f"- Source: {kind.source}",
        f"- Looks at: {events or 'nothing'}",
        f"- Refuses for: {reasons or 'nothing; it never refuses'}",
        f"- Shows a refused client: {shown}",
        "",
        *field_table(clause),
        *nested_tables(clause),
    ]


def reasons_page() -> str:
    """Return docs/reasons.md: every reason, who gives it, and how clients are told."""
    givers: dict[Reason, list[str]] = {}
    for kind in RULES:
        for reason in kind.reasons:
            givers.setdefault(reason, []).append(kind.name)
    lines = [
        "# Reasons",
        "",
        GENERATED,
        "",
        REASONS_INTRODUCTION,
        "",
    ]
    family = 0
    for reason in Reason:
        if reason // 1000 != family:
            family = reason // 1000
            lines += [
                *([""] if lines[-1] else []),
                f"## {family}xxx: {FAMILIES[family]}",
                "",
                row("code", "reason", "given by", "HTTP", "Binance", "gRPC"),
                row(*["---"] * 6),
            ]
        binance = error_table.ENTRIES[reason]
        native = refusal_table.ENTRIES[reason]
        given_by = ", ".join(f"[{name}](rules.md#{name})" for name in givers.get(reason, ()))
        lines.append(
            row(
                str(int(reason)),
                reason.name,
                given_by,
                str(binance.status),
                f"{binance.code} {binance.text}",
                f"{native.code.name}: {native.text}",
            )
        )
    return "\n".join([*lines, ""])


def settings_page() -> str:
    """Return docs/settings.md: the configuration file, bulk files and rulebook files."""
    lines = [
        "# Settings",
        "",
        GENERATED,
        "",
        SETTINGS_INTRODUCTION,
        "",
        row("type", "is written as"),
        row("---", "---"),
        *(row(kind, meaning) for kind, meaning in TEXT_KINDS),
        "",
        "## Configuration",
        "",
        "What `ordergate serve -c FILE` reads; `examples/exchange.toml` is one.",
        "",
        *field_table(config.Config),
    ]
    for title, struct in (
        ("[listen]", config.ListenConfig),
        ("[overload]", config.OverloadConfig),
        ("[engine]", config.EngineConfig),
        ("[record]", config.RecordConfig),
        ("[telemetry]", config.TelemetryConfig),
        ("[[instruments]]", config.InstrumentConfig),
        ("[[accounts]]", config.AccountConfig),
        ("[[keys]]", config.KeyConfig),
    ):
        lines += [f"### `{title}`", "", prose(struct), "", *field_table(struct)]
    lines += ["### Bulk files", "", prose(bulk), "", *rulebook_settings()]
    return "\n".join(lines)


def rulebook_settings() -> Iterator[str]:
    """Yield the part of settings.md on rulebook files."""
    yield from (
        "## Rulebook",
        "",
        RULEBOOK_INTRODUCTION,
        "",
        *field_table(clauses.RulebookFile, skip=("name",)),
        "### `[rules.<name>]`",
        "",
        prose(clauses.RuleClauses) + " Every clause has:",
        "",
        *field_table(clauses.Clause),
        "The parameters of each rule stand in [rules.md](rules.md).",
        "",
        'A window, as in `windows = [{ interval = "10s", limit = 100 }]`, is whole seconds long:',
        "",
        *field_table(clauses.WindowClause),
        "### `[endpoints.<name>]`",
        "",
        prose(clauses.EndpointClause),
        "",
        *field_table(clauses.EndpointClause),
        "Endpoints: " + ", ".join(f"`{endpoint.name.lower()}`" for endpoint in Endpoint) + ".",
        "",
        "### `[instruments.<symbol>]`",
        "",
        prose(clauses.InstrumentClause),
        "",
        *field_table(clauses.InstrumentClause),
    )


def commands_page() -> str:
    """Return docs/commands.md: every command with its arguments and options."""
    lines = [
        "# Commands",
        "",
        GENERATED,
        "",
        COMMANDS_INTRODUCTION,
        "",
    ]
    root = typer.main.get_command(build())
    for words, command in walk(root, "ordergate"):
        lines += [f"## `{words}`", "", inspect.cleandoc(command.help or ""), ""]
        parameters = [one for one in command.params if one.name != "help" and not one.hidden]
        if parameters:
            lines += ["| parameter | default | meaning |", "| --- | --- | --- |"]
            lines += [parameter_row(parameter) for parameter in parameters]
            lines.append("")
    return "\n".join(lines)


def walk(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with the words it is called by."""
    children = getattr(command, "commands", None)
    if not children:
        yield words, command
        return
    for name, child in children.items():
        yield from walk(child, f"{words} {name}")


def parameter_row(parameter: Any) -> str:
    """Return the line of an argument or option."""
    if parameter.param_type_name == "argument":
        name = f"`{parameter.name.upper()}`"
    else:
        value = "" if parameter.is_flag else f" {parameter.name.upper()}"
        names = [*parameter.opts, *parameter.secondary_opts]
        name = ", ".join(f"`{option}{value}`" for option in names)
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif parameter.param_type_name == "option" and parameter.secondary_opts:
        shown = f"`{(parameter.opts if default else parameter.secondary_opts)[0]}`"
    elif isinstance(default, bool) or default in (None, "", (), []) or callable(default):
        shown = ""
    else:
        shown = f"`{default}`"
    meaning = parameter.help or ""
    if parameter.envvar:
        meaning += f" Environment: `{parameter.envvar}`."
    return row(name, shown, meaning)


PAGES: Final[dict[str, Callable[[], str]]] = {
    "rules.md": rules_page,
    "reasons.md": reasons_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "binance-errors.md": table_markdown,
}


def pages() -> dict[Path, str]:
    """Return every page's text by its path."""
    return {DOCS / name: page().rstrip("\n") + "\n" for name, page in PAGES.items()}


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that are not current; return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: generate_docs.py [--check]\n")
        return 2
    stale = {
        path: text
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        if arguments:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not current; run make docs\n")
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
