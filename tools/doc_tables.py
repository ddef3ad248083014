"""Tables of settings from the Structs that declare them: names, types, defaults, documentation."""

import ast
import inspect
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from rules import clauses
from rules.texts import KIND


@cache
def class_bodies(module_file: str) -> dict[str, ast.ClassDef]:
    """Return the classes of a source file by name."""
    tree = ast.parse(Path(module_file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def field_docs(struct: type) -> dict[str, str]:
    """Return the documentation of a Struct's own fields: the text that stands below each."""
    body = class_bodies(inspect.getfile(struct))[struct.__name__].body
    found = {}
    for node, below in pairwise(body):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[node.target.id] = " ".join(inspect.cleandoc(below.value.value).split())
    return found


def own_fields(struct: type) -> list[msgspec.inspect.Field]:
    """Return the fields a Struct declares itself, in order."""
    declared = set(inspect.get_annotations(struct))
    return [field for field in msgspec.inspect.type_info(struct).fields if field.name in declared]


def type_text(kind: msgspec.inspect.Type) -> str:
    """Return a type in words."""
    match kind:
        case msgspec.inspect.Metadata():
            return str((kind.extra or {}).get(KIND, "text"))
        case msgspec.inspect.UnionType():
            return " or ".join(
                type_text(one)
                for one in kind.types
                if not isinstance(one, msgspec.inspect.NoneType)
            )
        case msgspec.inspect.LiteralType():
            return "one of " + ", ".join(
                f"`{value}`" if value else "empty" for value in kind.values
            )
        case msgspec.inspect.VarTupleType():
            items = type_text(kind.item_type).removeprefix("one of ")
            return f"array of {plural(items)}"
        case msgspec.inspect.TupleType():
            return "pairs" if len(kind.item_types) == 2 else f"arrays of {len(kind.item_types)}"
        case msgspec.inspect.DictType():
            return f"table of {plural(type_text(kind.value_type))}"
        case msgspec.inspect.StructType():
            return "table"
        case msgspec.inspect.IntType():
            return integer_text(kind)
        case msgspec.inspect.BoolType():
            return "`true` or `false`"
        case msgspec.inspect.CustomType():
            return "path"
    return "text"


def integer_text(kind: msgspec.inspect.IntType) -> str:
    """Return a whole number with its bounds."""
    if kind.ge is None:
        return "whole number"
    return f"whole number, {kind.ge} " + ("or more" if kind.le is None else f"to {kind.le}")


def plural(text: str) -> str:
    """Return the name of a type where there are several."""
    first, comma, rest = text.partition(",")
    return first + comma + rest if first.endswith(("]", "`", "s")) else f"{first}s{comma}{rest}"


def default_text(field: msgspec.inspect.Field) -> str:
    """Return a field's default as TOML would have it."""
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else ()
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, int):
        return f"`{value}`"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    if isinstance(value, msgspec.Struct):
        return "its defaults"
    if isinstance(value, dict):
        return "`{}`"
    return "`[" + ", ".join(map(_item_text, value)) + "]`"


def _item_text(item: Any) -> str:
    """Return one item of an array as TOML would have it; of a table what is not its default."""
    if not isinstance(item, msgspec.Struct):
        return f'"{item}"'
    cells = [
        f"{field.name} = {_quoted(getattr(item, field.name))}"
        for field in msgspec.structs.fields(item)
        if getattr(item, field.name) != field.default
    ]
    return "{ " + ", ".join(cells) + " }"


def _quoted(value: Any) -> str:
    """Return a number, or a text in quotes."""
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def field_table(struct: type, skip: Iterable[str] = ()) -> list[str]:
    """Return a table of a Struct's own fields, nothing when there are none."""
    docs = field_docs(struct)
    fields = [field for field in own_fields(struct) if field.name not in skip]
    if not fields:
        return []
    lines = ["| setting | type | default | meaning |", "| --- | --- | --- | --- |"]
    lines += [
        row(f"`{field.name}`", type_text(field.type), default_text(field), docs.get(field.name, ""))
        for field in fields
    ]
    return [*lines, ""]


def nested_tables(struct: type) -> list[str]:
    """Return a table for each kind of table that stands in a Struct's fields.

    Windows, which many rules have, are left to settings.md.
    """
    lines = []
    for field in own_fields(struct):
        kind: Any = field.type
        while not isinstance(kind, msgspec.inspect.StructType):
            kind = getattr(kind, "item_type", None) or getattr(kind, "value_type", None)
            if kind is None:
                break
        else:
            if kind.cls is not clauses.WindowClause:
                lines += [f"Each of `{field.name}`:", "", *field_table(kind.cls)]
    return lines


def row(*cells: str) -> str:
    """Return a line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def prose(thing: Any) -> str:
    """Return the documentation of a class or function as paragraphs."""
    return inspect.getdoc(thing) or ""
