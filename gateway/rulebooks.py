"""Finding rulebooks: the shipped ones by name, one's own by path."""

from importlib import resources
from pathlib import Path

from rules.rulebook import Rulebook, RulebookError, parse_rulebook

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
    every fault.
    """
    texts = shipped_rulebooks()
    if name_or_path in texts:
        return parse_rulebook(name_or_path, texts)
    path = Path(name_or_path)
    if path.suffix != ".toml":
        raise RulebookError(
            [
                f"no rulebook `{name_or_path}`; there are {', '.join(texts)}, "
                "or give the path of a .toml file"
            ]
        )
    try:
        for beside in sorted(path.parent.glob("*.toml")):
            if beside.stem not in texts or beside == path:
                texts[beside.stem] = beside.read_text(encoding="utf-8")
        texts[path.stem] = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RulebookError([f"{path}: {error}"]) from None
    return parse_rulebook(path.stem, texts)
