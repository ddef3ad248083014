"""Finding rulebooks: the shipped ones by name, one's own by path; and checking them whole."""

import tomllib
from importlib import resources
from pathlib import Path

from gateway.tariffs import shipped_tariffs
from rules.clauses import WindowClause
from rules.faults import Fault, FieldPath, located
from rules.registry import RULES
from rules.rulebook import Rulebook, RulebookError, RulebookReading, read_rulebook
from rules.units import duration_ns
from rules.values import NS_PER_SECOND

DEFAULT_RULEBOOK = "binance-spot-2026"


def shipped_rulebooks() -> dict[str, str]:
    """Return the text of every shipped rulebook by its name."""
    folder = resources.files("rules") / "rulebooks"
    return {
        Path(entry.name).stem: entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def load_rulebook(name_or_path: str = DEFAULT_RULEBOOK) -> Rulebook:
    """Return a shipped rulebook by name, or one's own from a `.toml` file.

    A file may extend a shipped rulebook or another file beside it. Raises RulebookError with
    every fault, in structure, in meaning and in what the rules' constructors refuse.
    """
    reading = _read(name_or_path)
    faults = [*reading.faults, *check_rulebook(reading.rulebook)]
    if faults:
        raise RulebookError(located(faults, reading.sources))
    return reading.rulebook


def check_rulebook(rulebook: Rulebook) -> list[Fault]:
    """Return what the rules' constructors find wrong, also of rules that are off, and windows
    that can't be told to clients."""
    faults = _window_faults(rulebook)
    for kind in RULES:
        try:
            kind(rulebook)
        except ValueError as error:
            faults.append(Fault(str(error), ("rules", kind.name)))
    return faults


def _window_faults(rulebook: Rulebook) -> list[Fault]:
    """Return a fault for each window that is not whole seconds, which headers could not name."""
    clauses = rulebook.clauses
    windows: list[tuple[FieldPath, tuple[WindowClause, ...]]] = [
        (("raw_requests", "windows"), clauses.raw_requests.windows),
        (("request_weight", "windows"), clauses.request_weight.windows),
        (("request_weight", "gate_windows"), clauses.request_weight.gate_windows),
        (("order_count", "windows"), clauses.order_count.windows),
    ]
    for tier, tier_windows in clauses.order_count.tiers.items():
        windows.append((("order_count", "tiers", tier), tier_windows))
    return [
        Fault(
            f"interval `{window.interval}` is not a number of whole seconds; write 1s or longer",
            ("rules", *path),
        )
        for path, group in windows
        for window in group
        if duration_ns(window.interval) % NS_PER_SECOND
    ]


def _read(name_or_path: str) -> RulebookReading:
    texts = shipped_rulebooks()
    if name_or_path in texts:
        return read_rulebook(name_or_path, texts, tariffs=shipped_tariffs())
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = ", ".join(texts)
        message = f"no rulebook `{name_or_path}`; there are {known}, or give a path to a .toml file"
        raise RulebookError([message])
    files: dict[str, str] = {}
    wanted = path.stem
    # A file may have the name of a shipped rulebook; what it extends is then looked for beside it
    # only where no shipped one has that name.
    while wanted == path.stem or wanted not in texts:
        file = path.with_name(f"{wanted}.toml")
        if wanted in files or (files and not file.is_file()):
            break
        texts[wanted] = _text(file)
        files[wanted] = str(file)
        wanted = _extended(texts[wanted])
    reading = read_rulebook(path.stem, texts, files, shipped_tariffs())
    return reading._replace(faults=[*_name_faults(path, texts[path.stem]), *reading.faults])


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RulebookError([Fault(error.strerror or str(error), file=str(file))]) from None
    except UnicodeDecodeError as error:
        raise RulebookError([Fault(f"not UTF-8 text: {error}", file=str(file))]) from None


def _extended(text: str) -> str:
    """Return the name a text extends, empty for none and where `read_rulebook` will complain."""
    try:
        extended = tomllib.loads(text).get("extends", "")
    except tomllib.TOMLDecodeError:
        return ""
    return extended if isinstance(extended, str) else ""


def _name_faults(path: Path, text: str) -> list[Fault]:
    """Return a fault when the name in a file is not the file's, by which it would be known."""
    name = tomllib.loads(text).get("name", path.stem)
    if name == path.stem:
        return []
    message = f"`{name}` is not the file's name; write `{path.stem}` or leave it out"
    return [Fault(message, ("name",))]
