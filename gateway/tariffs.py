"""Finding tariffs: the shipped ones by name, one's own by path."""

from importlib import resources
from pathlib import Path

from rules.faults import Fault, nearest
from rules.fees.tariff import Tariff, TariffError, read_tariff


def shipped_tariffs() -> dict[str, str]:
    """Return the text of every shipped tariff by its name."""
    folder = resources.files("rules") / "tariffs"
    return {
        Path(entry.name).stem: entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def load_tariff(name_or_path: str) -> Tariff:
    """Return a shipped tariff by name, or one's own from a `.toml` file.

    Raises TariffError with every fault.
    """
    texts = shipped_tariffs()
    if name_or_path in texts:
        return read_tariff(name_or_path, texts[name_or_path])
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = nearest(name_or_path, texts)
        message = f"no tariff `{name_or_path}`; {known}, or give a path to a .toml file"
        raise TariffError([Fault(message)])
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TariffError([Fault(error.strerror or str(error), file=str(path))]) from None
    except UnicodeDecodeError as error:
        raise TariffError([Fault(f"not UTF-8 text: {error}", file=str(path))]) from None
    return read_tariff(path.stem, text, str(path))
