"""Which build of the rules runs: compiled modules, or the Python files beside them.

A compiled wheel carries both. Unless told otherwise the compiled modules run. With
`ORDERGATE_COMPILED=never` the Python files do, for a debugger or a comparison; with `always` a gate
refuses to start without compiled modules. Both decide the same, to the byte of the record.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

SWITCH: Final = "ORDERGATE_COMPILED"
CHOICES: Final = ("auto", "always", "never")
_WITNESS: Final = "rules.pipeline"
"""A module that is compiled whenever any is."""


class BuildError(RuntimeError):
    """The build that was asked for can't run here."""


class _SourceFinder:
    """Finds the Python file of a module of `rules` where there is a compiled one too."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where to load a module of `rules` from, None for all others."""
        if not name.startswith("rules."):
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is None or not isinstance(found.loader, ExtensionFileLoader):
            return found
        source = Path(str(found.origin)).parent / f"{name.rpartition('.')[2]}.py"
        return spec_from_file_location(name, source, loader=SourceFileLoader(name, str(source)))


def choose(choice: str) -> None:
    """Have the rules imported as chosen; called before any of them is."""
    if choice == "never":
        sys.meta_path.insert(0, _SourceFinder())


def is_compiled() -> bool:
    """Tell whether the rules that were imported are compiled modules."""
    module = sys.modules.get(_WITNESS)
    return module is not None and not (module.__file__ or "").endswith(".py")


def check(choice: str) -> None:
    """Raise BuildError for an unknown choice, or when not what was chosen was imported."""
    if choice not in CHOICES:
        raise BuildError(f"{SWITCH} is `{choice}`; give one of {', '.join(CHOICES)}")
    if choice == "never" and is_compiled():
        raise BuildError(f"{SWITCH} is `never`, but compiled rules were imported before gateway")
    if choice == "always" and not is_compiled():
        raise BuildError(
            f"{SWITCH} is `always`, and the rules of this installation are not compiled; install a "
            "compiled wheel (`make wheel`), or leave the variable out"
        )


def chosen() -> str:
    """Return what the environment asks for; an empty variable asks for nothing."""
    return os.environ.get(SWITCH) or "auto"
