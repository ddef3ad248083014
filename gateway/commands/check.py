"""`ordergate check FILE`: is a configuration or a rulebook good, before anything starts?"""

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn, TypeAlias

import msgspec
import typer

from gateway.commands.common import EXIT_BAD_INPUT, console, errors, print_json
from gateway.config import Config
from gateway.config_file import ConfigError, config_digest, load_config
from gateway.rulebooks import load_rulebook, shipped_rulebooks
from rules.clauses import RulebookFile
from rules.faults import Fault, path_text
from rules.rulebook import Rulebook, RulebookError

FileKind: TypeAlias = Literal["configuration", "rulebook"]

_RULEBOOK_KEYS: Final = frozenset(RulebookFile.__struct_fields__)
_CONFIG_KEYS: Final = frozenset(Config.__struct_fields__)


class FaultLine(msgspec.Struct, frozen=True):
    """A fault as `--json` gives it; `line` is 0 and texts are empty where not known."""

    file: str
    line: int
    path: str
    message: str


class CheckReport(msgspec.Struct, frozen=True):
    """What `ordergate check --json` prints."""

    file: str
    kind: FileKind
    good: bool
    faults: tuple[FaultLine, ...] = ()
    summary: str = ""
    config_digest: str = ""
    """What the manifest of a run with this configuration states; empty for a rulebook."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    file: Annotated[
        str, typer.Argument(help="Configuration or rulebook (TOML), or name of a shipped rulebook.")
    ],
    json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Check a configuration or a rulebook and tell every fault at once.

    A configuration is checked with its rulebook and its files of accounts and keys. Ends with exit
    code 2 when anything is wrong.
    """
    kind = kind_of(file)
    digest = ""
    try:
        if kind == "configuration":
            config = load_config(Path(file))
            summary, digest = _configuration(config), config_digest(config)
        else:
            summary = _rulebook(file)
    except (ConfigError, RulebookError) as error:
        _fail(file, kind, error.faults, json)
    if json:
        print_json(CheckReport(file, kind, True, (), summary, digest))
    else:
        console.print(f"{file}: good {kind}: {summary}", markup=False, soft_wrap=True)


def kind_of(file: str) -> FileKind:
    """Tell what a file is meant to be, by the tables only one of the two has.

    What can't be told is taken for a configuration.
    """
    path = Path(file)
    if file in shipped_rulebooks() or (path.suffix != ".toml" and not path.exists()):
        return "rulebook"
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return "configuration"
    rulebook = len(tree.keys() & (_RULEBOOK_KEYS - _CONFIG_KEYS))
    configuration = len(tree.keys() & (_CONFIG_KEYS - _RULEBOOK_KEYS))
    rulebook += isinstance(tree.get("instruments"), dict)
    return "rulebook" if rulebook > configuration else "configuration"


def _configuration(config: Config) -> str:
    rulebook = load_rulebook(config.rulebook)
    return (
        f"rulebook {rulebook.name}, {len(config.instruments)} instruments, "
        f"{len(config.accounts)} accounts, {len(config.keys)} keys"
    )


def _rulebook(file: str) -> str:
    rulebook = load_rulebook(file)
    return f"{rulebook.name}, revision {rulebook.revision}, {_modes(rulebook)}"


def _modes(rulebook: Rulebook) -> str:
    modes = [getattr(rulebook.clauses, name).mode for name in rulebook.clauses.__struct_fields__]
    return (
        f"{modes.count('enforce')} rules enforced, {modes.count('shadow')} in shadow, "
        f"{modes.count('off')} off"
    )


def _fail(file: str, kind: FileKind, faults: list[Fault], json: bool) -> NoReturn:
    if json:
        lines = tuple(
            FaultLine(fault.file or file, fault.line, path_text(fault.path), fault.message)
            for fault in faults
        )
        print_json(CheckReport(file, kind, False, lines))
    else:
        for fault in faults:
            errors.print(str(fault), markup=False, soft_wrap=True)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        errors.print(f"ordergate: {file}: {count}", markup=False, soft_wrap=True)
    raise typer.Exit(EXIT_BAD_INPUT)
