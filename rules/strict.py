"""A tree of plain values (TOML, JSON, CSV rows) into msgspec Structs, with every fault at once.

msgspec's own conversion ends at the first fault. Here a fault is noted with its path and reading
goes on: a field that can't be used takes its default, an element or a table that can't be used is
left out. So the caller can go on to check what the rest means before it reports.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from rules.faults import Fault, FieldPath, nearest
from rules.texts import INTEGER_MAX, KIND, READERS

UNUSABLE: Final = msgspec.UNSET
"""What reading returns for a value that can't be used and has no default."""


_EXPECTED: Final = {
    "duration": "a duration such as 500ms or 10s",
    "duration above 0": "a duration such as 500ms or 10s",
    "decimal": "a decimal number as text, such as 12 or 0.05,",
    "decimal or empty": "a decimal number as text, such as 12 or 0.05,",
}


@cache
def _type_info(wanted: Any) -> inspect.Type:
    return inspect.type_info(wanted)


class StrictReader:
    """Reads trees; `faults` collects what is wrong.

    `texts` are readers of further types written as text (such as paths) by type; they may raise
    ValueError. `checks` are called with each Struct of a type that could be read, and its path:
    they return what is wrong with its meaning.
    """

    def __init__(
        self,
        texts: Mapping[type, Callable[[str], Any]] | None = None,
        checks: Mapping[type, Callable[[Any, FieldPath], list[Fault]]] | None = None,
    ) -> None:
        self.faults: list[Fault] = []
        self._texts = texts or {}
        self._checks = checks or {}

    def read(self, tree: Any, wanted: type, path: FieldPath = ()) -> Any:
        """Return `tree` as `wanted`, UNUSABLE when that can't be; faults are noted."""
        return self._read(tree, _type_info(wanted), path)

    def _read(self, value: Any, kind: inspect.Type, path: FieldPath) -> Any:
        if isinstance(kind, inspect.Metadata):
            return self._read_text(value, (kind.extra or {}).get(KIND, ""), path)
        if isinstance(kind, inspect.StructType):
            return self._read_struct(value, kind, path)
        if isinstance(kind, inspect.UnionType):
            return self._read_union(value, kind, path)
        if isinstance(kind, inspect.DictType):
            return self._read_dict(value, kind, path)
        if isinstance(kind, inspect.VarTupleType | inspect.ListType):
            return self._read_array(value, kind, path)
        if isinstance(kind, inspect.TupleType):
            return self._read_tuple(value, kind, path)
        if isinstance(kind, inspect.LiteralType):
            return self._read_choice(value, kind, path)
        if isinstance(kind, inspect.IntType):
            return self._read_integer(value, kind, path)
        if isinstance(kind, inspect.BoolType):
            return value if isinstance(value, bool) else self._misfit(value, "true or false", path)
        if isinstance(kind, inspect.CustomType):
            return self._read_custom(value, kind, path)
        if isinstance(kind, inspect.StrType):
            return self._read_text(value, "", path)
        raise TypeError(f"{kind} at {path} is not a type that can be read strictly")

    def _fault(self, message: str, path: FieldPath) -> Any:
        self.faults.append(Fault(message, path))
        return UNUSABLE

    def _misfit(self, value: Any, expected: str, path: FieldPath) -> Any:
        return self._fault(f"{_given(value)} where {expected} is expected", path)

    def _read_struct(self, value: Any, kind: inspect.StructType, path: FieldPath) -> Any:
        if not isinstance(value, Mapping):
            return self._misfit(value, "a table", path)
        fields = {field.encode_name: field for field in kind.fields}
        read: dict[str, Any] = {}
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                self._fault(f"unknown field; {nearest(key, fields)}", (*path, key))
                continue
            got = self._read(item, field.type, (*path, key))
            if got is not UNUSABLE:
                read[field.name] = got
        usable = True
        for key, field in fields.items():
            if field.required and field.name not in read:
                usable = False
                if key not in value:
                    self._fault("missing", (*path, key))
        if not usable:
            return UNUSABLE
        struct = kind.cls(**read)
        check = self._checks.get(kind.cls)
        if check is not None:
            self.faults.extend(check(struct, path))
        return struct

    def _read_union(self, value: Any, kind: inspect.UnionType, path: FieldPath) -> Any:
        """Read a type or None, the only union a schema uses."""
        if value is None:
            return None
        (present,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
        return self._read(value, present, path)

    def _read_dict(self, value: Any, kind: inspect.DictType, path: FieldPath) -> Any:
        if not isinstance(value, Mapping):
            return self._misfit(value, "a table", path)
        read = {key: self._read(item, kind.value_type, (*path, key)) for key, item in value.items()}
        return {key: item for key, item in read.items() if item is not UNUSABLE}

    def _read_array(
        self, value: Any, kind: inspect.VarTupleType | inspect.ListType, path: FieldPath
    ) -> Any:
        if not isinstance(value, list | tuple):
            return self._misfit(value, "an array", path)
        read = [
            self._read(item, kind.item_type, (*path, index)) for index, item in enumerate(value)
        ]
        return tuple(item for item in read if item is not UNUSABLE)

    def _read_tuple(self, value: Any, kind: inspect.TupleType, path: FieldPath) -> Any:
        size = len(kind.item_types)
        if not isinstance(value, list | tuple) or len(value) != size:
            return self._misfit(value, f"an array of {size}", path)
        read = [
            self._read(item, item_kind, (*path, index))
            for index, (item, item_kind) in enumerate(zip(value, kind.item_types, strict=True))
        ]
        return UNUSABLE if any(item is UNUSABLE for item in read) else tuple(read)

    def _read_choice(self, value: Any, kind: inspect.LiteralType, path: FieldPath) -> Any:
        if value in kind.values and isinstance(value, str):
            return value
        choices = ", ".join(str(choice) or "an empty text" for choice in kind.values)
        return self._misfit(value, f"one of {choices}", path)

    def _read_integer(self, value: Any, kind: inspect.IntType, path: FieldPath) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            return self._misfit(value, "a whole number", path)
        least = -INTEGER_MAX - 1 if kind.ge is None else kind.ge
        most = INTEGER_MAX if kind.le is None else kind.le
        if value < least:
            return self._fault(f"{value} is too small; write {least} or more", path)
        if value > most:
            return self._fault(f"{value} is too large; write {most} or less", path)
        return value

    def _read_custom(self, value: Any, kind: inspect.CustomType, path: FieldPath) -> Any:
        if isinstance(value, kind.cls):
            return value
        if not isinstance(value, str):
            return self._misfit(value, "text", path)
        try:
            return self._texts[kind.cls](value)
        except ValueError as error:
            return self._fault(str(error), path)

    def _read_text(self, value: Any, text_kind: str, path: FieldPath) -> Any:
        if not isinstance(value, str):
            if text_kind == "secret":
                return self._fault("the secret is not text; write it in quotes", path)
            expected = _EXPECTED.get(text_kind, "text")
            hint = f'; write "{value}"' if _is_number(value) and "decimal" in text_kind else ""
            return self._fault(f"{_given(value)} where {expected} is expected{hint}", path)
        reader = READERS.get(text_kind)
        if reader is not None:
            try:
                reader(value)
            except ValueError as error:
                return self._fault(str(error), path)
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _given(value: Any) -> str:
    """Return what a value is, and the value itself where it is a single one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"text `{value}`"
    if isinstance(value, int | float):
        return f"number {value}"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    return f"`{value}`"
