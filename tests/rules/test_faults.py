"""Places of faults: paths as text, nearest names, and the lines of a TOML text."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.faults import Fault, FieldPath, TomlLines, located, nearest, path_text

TEXT = '''# a comment
top = 1
[table]
plain = "x"   # line 4
dotted.key = 2
inline = { one = 1, two = { three = 3 } }
array = [
  { first = 1 },
  2,
]
long = """
[not.a.table]
fake = 1
"""
after = true

[[things]]
name = "a"
[things.part]
size = 1
[[things]]
name = "b"
[things.part]
size = 2
  [["quoted key".inner]]
  deep = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("table",), 3),
        (("table", "plain"), 4),
        (("table", "dotted", "key"), 5),
        (("table", "inline", "two", "three"), 6),
        (("table", "array", 1), 7),
        (("table", "long"), 11),
        (("table", "after"), 15),
        (("things",), 17),
        (("things", 0, "name"), 18),
        (("things", 0, "part"), 19),
        (("things", 0, "part", "size"), 20),
        (("things", 1), 21),
        (("things", 1, "name"), 22),
        (("things", 1, "part", "size"), 24),
        (("quoted key", "inner", 0, "deep"), 26),
    ],
)
def test_lines_of_toml(path: FieldPath, line: int) -> None:
    """Tables, keys, elements and inline tables are found where they begin."""
    assert TomlLines(TEXT).find(path) == (line, len(path))


def test_what_is_not_written_stands_at_the_nearest_table() -> None:
    """A missing key is reported at its table; what has no table above has no line."""
    lines = TomlLines(TEXT)
    assert lines.find(("things", 1, "missing")) == (21, 2)
    assert lines.find(("nowhere", "at", "all")) == (0, 0)


def leaves(tree: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Yield the path of everything that is neither a table nor an array."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from leaves(value, (*path, index))
    else:
        yield path


def test_every_leaf_has_a_line_of_its_own_depth() -> None:
    """Nothing that is written is reported at something above it."""
    lines = TomlLines(TEXT)
    for path in leaves(tomllib.loads(TEXT)):
        line, depth = lines.find(path)
        assert (depth, line > 0) == (len(path), True), path


@given(st.lists(st.sampled_from(TEXT.splitlines()), max_size=12))
def test_lines_of_any_toml(chosen: list[str]) -> None:
    """Whatever valid text is made of the same lines, every leaf is found in it."""
    text = "\n".join(chosen)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = TomlLines(text)
    for path in leaves(tree):
        line, depth = lines.find(path)
        assert depth == len(path)
        assert 1 <= line <= len(chosen)


def test_a_very_long_statement_ends_the_search() -> None:
    """An array of more lines than are looked at leaves later keys without a line."""
    text = "first = 1\narray = [\n" + "1,\n" * 600 + "]\nlast = 1\n"
    tomllib.loads(text)
    lines = TomlLines(text)
    assert lines.find(("first",)) == (1, 1)
    assert lines.find(("last",)) == (0, 0)


def test_faults_stand_in_the_file_that_says_most_of_them() -> None:
    """The first file wins where both have the field; faults come in the order of files, lines."""
    faults = [Fault("one", ("a", "x")), Fault("two", ("a", "y")), Fault("three", ("b",))]
    texts = [("over", "[b]\n[a]\ny = 1\n"), ("base", "[a]\nx = 1\ny = 1\n")]
    assert [(fault.file, fault.line, fault.message) for fault in located(faults, texts)] == [
        ("over", 1, "three"),
        ("over", 3, "two"),
        ("base", 2, "one"),
    ]


def test_text_of_a_fault() -> None:
    """What is not known is left out."""
    assert str(Fault("bad")) == "bad"
    assert str(Fault("bad", file="f")) == "f: bad"
    assert str(Fault("bad", ("a", 0, "b c"), "f", 3)) == 'f:3: a[0]."b c": bad'


def test_paths_as_text() -> None:
    """Keys are quoted where TOML needs it; indexes count from 0."""
    assert path_text(("accounts", 2, "funds", "BTC")) == "accounts[2].funds.BTC"
    assert path_text((0,)) == "[0]"
    assert path_text(()) == ""


def test_nearest_names() -> None:
    """A near name is proposed, else all are told."""
    assert nearest("wieght", ["weight", "orders"]) == "did you mean `weight`?"
    assert nearest("zzz", ["weight", "orders"]) == "there are orders, weight"
    assert nearest("zzz", []) == "there are none"
