"""Planting a fault: one line of a function is replaced, and put back afterwards."""

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def planted(owner: Any, name: str, line: str, faulty: str) -> Iterator[None]:
    """Have `faulty` in the place of `line` in the function `name` of a class or module.

    Raises AssertionError when the line is not there exactly once.
    """
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    lines = source.splitlines()
    places = [place for place, text in enumerate(lines) if text.strip() == line]
    assert len(places) == 1, f"`{line}` is {len(places)} times in {function.__qualname__}"
    indent = lines[places[0]][: -len(lines[places[0]].lstrip())]
    lines[places[0]] = indent + faulty
    made: dict[str, Any] = {}
    exec(compile("\n".join(lines), inspect.getfile(function), "exec"), function.__globals__, made)
    with mock.patch.object(owner, name, made[name]):
        yield
