"""What is wrong with a file, and where: the dotted path, the file and the line."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeAlias

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and array indexes from the top of a file down to a field."""

_BARE_KEY: Final = re.compile("[A-Za-z0-9_-]+")
_TOML_PLACE: Final = re.compile(r"\(at line ([0-9]+), column [0-9]+\)")
_STATEMENT_LINES_MAX: Final = 500
"""A longer statement ends the search for lines, which takes quadratic time within one."""


class Fault(NamedTuple):
    """One thing that is wrong."""

    message: str
    path: FieldPath = ()
    file: str = ""
    line: int = 0
    """Counted from 1; 0 when it is not known."""

    def __str__(self) -> str:
        """Return `file:line: path: message`, leaving out what is not known."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, path_text(self.path), self.message) if part)


def path_text(path: FieldPath) -> str:
    """Return a path as TOML writes it, with array indexes from 0: `accounts[2].funds.BTC`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if _BARE_KEY.fullmatch(step) else f'"{step}"'
            text += f".{key}" if text else key
    return text


def syntax_fault(error: tomllib.TOMLDecodeError, file: str, text: str) -> Fault:
    """Return the fault of a text that is no TOML; one at its end stands in its last line."""
    message = str(error)
    place = _TOML_PLACE.search(message)
    line = int(place[1]) if place else len(text.splitlines())
    return Fault(f"not TOML: {message[:1].lower()}{message[1:]}", (), file, line)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return what to say about a name that is not among `names`: the nearest one, else all."""
    known = sorted(names)
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there are {', '.join(known)}" if known else "there are none"


class TomlLines:
    """The lines on which the tables and keys of a TOML text begin.

    The text must be valid TOML. A statement is the shortest run of lines that is valid by itself.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[FieldPath, int] = {}
        self._table: FieldPath = ()
        self._lengths: dict[FieldPath, int] = {}
        """Elements of each array of tables so far."""
        self._index(text.splitlines())

    def find(self, path: FieldPath) -> tuple[int, int]:
        """Return (line, depth) of the longest part of `path` that has a line; (0, 0) for none."""
        for depth in range(len(path), 0, -1):
            line = self._lines.get(path[:depth])
            if line is not None:
                return line, depth
        return 0, 0

    def _index(self, lines: Sequence[str]) -> None:
        start = 0
        while start < len(lines):
            end = start + 1
            statement = _parsed(lines[start:end])
            while statement is None and end < len(lines) and end - start < _STATEMENT_LINES_MAX:
                end += 1
                statement = _parsed(lines[start:end])
            if statement is None:
                return
            if statement:
                header = lines[start].lstrip().startswith("[")
                self._enter(statement, start + 1, header)
            start = end

    def _enter(self, statement: dict[str, Any], line: int, header: bool) -> None:
        """Note the paths that a table's header or a key and its value give a line to."""
        if not header:
            self._note(statement, self._table, line)
            return
        path: FieldPath = ()
        value: Any = statement
        while isinstance(value, dict) and value:
            ((key, value),) = value.items()
            path = (*path, key)
            self._lines.setdefault(path, line)
            if value == [{}]:
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
                self._lines.setdefault(path, line)
        self._table = path

    def _note(self, value: Any, path: FieldPath, line: int) -> None:
        self._lines.setdefault(path, line)
        if isinstance(value, dict):
            for key, item in value.items():
                self._note(item, (*path, key), line)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._note(item, (*path, index), line)


def _parsed(lines: Sequence[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def located(faults: Iterable[Fault], texts: Sequence[tuple[str, str]]) -> list[Fault]:
    """Return faults with file and line, in their order.

    `texts` are (file, valid TOML), the one that counts first. A field stands where it is written
    first; one that is not written stands where the nearest table above it is.
    """
    found = list(faults)
    # Most files are good, and finding the lines of a long one takes time.
    indexes = [(file, TomlLines(text)) for file, text in texts] if found else []
    placed = []
    for fault in found:
        best = (0, 0, 0)
        for position, (_, index) in enumerate(indexes):
            line, depth = index.find(fault.path)
            if depth > best[2]:
                best = (position, line, depth)
        placed.append((best[0], best[1], fault))
    placed.sort(key=lambda one: one[:2])
    return [
        fault if fault.file else fault._replace(file=texts[position][0], line=line)
        for position, line, fault in placed
    ]
