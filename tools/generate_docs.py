"""Generate the tables in docs/ that come from code, or check that they are current.

Run as `python tools/generate_docs.py` (what `make docs` does) or with `--check`, which writes
nothing and exits with 1 when a committed page differs from what would be generated.
"""

import inspect
import sys
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.dialects.binance.errors import table_markdown  # noqa: E402
from gateway.rulebooks import DEFAULT_RULEBOOK, load_rulebook, shipped_rulebooks  # noqa: E402
from rules.registry import RULES, mode_of  # noqa: E402
from rules.rule import STAGE_NAMES, Rule  # noqa: E402
from rules.rulebook import Rulebook  # noqa: E402

_OWN: Final = ("mode", "note")
_INTRODUCTION: Final = """\
# Rules and rulebooks

Made by `make docs` from the rules' own code and the shipped rulebooks; a check keeps them equal.

The pipeline asks the rules in the order of this page.
*Access* ends at the first breach, *gate* too.
Then every *limit* is asked, every breach is recorded, and the client is told the first of them.
Each rule is in one of three modes: `enforce` refuses, `shadow` counts and records what it would
have refused, `off` does not look.

## Rulebooks
"""


def rules_page() -> str:
    """Return the page `docs/rules.md`: every rule, and what the shipped rulebooks say of it."""
    books = [load_rulebook(name) for name in shipped_rulebooks()]
    default = load_rulebook(DEFAULT_RULEBOOK)
    lines = [
        _INTRODUCTION,
        "| rulebook | what it is |",
        "| --- | --- |",
        *(f"| `{book.name}` | {book.description} |" for book in books),
        "",
        "## Modes",
        "",
        "| rule | stage | " + " | ".join(f"`{book.name}`" for book in books) + " |",
        "| --- | --- | " + " | ".join("---" for _ in books) + " |",
    ]
    for kind in RULES:
        modes = " | ".join(mode_of(book, kind.name) for book in books)
        lines.append(f"| [{kind.name}](#{kind.name}) | {STAGE_NAMES[kind.stage]} | {modes} |")
    for kind in RULES:
        lines += ["", *_section(kind, default)]
    return "\n".join(lines) + "\n"


def _section(kind: type[Rule], default: Rulebook) -> list[str]:
    """Return the section of one rule, with its parameters as the default rulebook has them."""
    clause = getattr(default.clauses, kind.name)
    description = inspect.cleandoc(kind.__doc__ or "")
    lines = [f"## {kind.name}", "", description, ""]
    if "Source:" not in description:
        lines.append(f"Source: {kind.source}.")
    lines.append(f"Reasons: {', '.join(f'`{reason.name}`' for reason in kind.reasons)}.")
    if not kind.discloses:
        lines.append("Limit and observed value are not shown to the client.")
    if clause.note:
        lines.append(f"The default rulebook notes: {clause.note}")
    parameters = [field for field in clause.__struct_fields__ if field not in _OWN]
    if parameters:
        lines += ["", f"| parameter | in `{default.name}` |", "| --- | --- |"]
        for field in parameters:
            value = msgspec.json.encode(msgspec.to_builtins(getattr(clause, field))).decode()
            lines.append(f"| `{field}` | `{value}` |")
    return lines


def generate() -> dict[Path, str]:
    """Return every generated page with its content."""
    return {
        ROOT / "docs" / "binance-errors.md": table_markdown(),
        ROOT / "docs" / "rules.md": rules_page(),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` only compare; return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"generate_docs: unknown {' '.join(arguments)}; only --check is known\n")
        return 2
    stale = 0
    for path, content in generate().items():
        if not arguments:
            path.write_text(content, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != content:
            stale = 1
            sys.stderr.write(
                f"generate_docs: {path.relative_to(ROOT)} is not current; run `make docs`\n"
            )
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
