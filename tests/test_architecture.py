"""What the code may not contain: the contracts of imports, and the purity of rules/.

Imports between modules are held by the contracts in pyproject.toml; the syntax trees show the rest.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rules.displayed import DisplayedRule
from rules.indicators import IndicatorRule
from rules.registry import RULES
from rules.rule import Rule

ROOT: Final = Path(__file__).resolve().parent.parent
FILE_LINES_MAX: Final = 450
FUNCTION_LINES_MAX: Final = 60
LONG_FILES: Final = {"rules/events.py": 650}
"""Closed lists that are read as one: everything that may enter the gate."""

PURE_MODULES: Final = {
    "collections",
    "collections.abc",
    "datetime",
    "difflib",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "msgspec",
    "mypy_extensions",
    "re",
    "tomllib",
    "typing",
}
"""What rules/ may import besides itself."""
IMPURE_CALLS: Final = {
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "float",
    "globals",
    "hash",
    "id",
    "input",
    "open",
    "print",
    "vars",
}
CLOCK_CALLS: Final = {"now", "utcnow", "today"}
"""Methods of datetime that read a clock."""
ORDER_TAKERS: Final = {
    "enumerate",
    "filter",
    "iter",
    "list",
    "map",
    "next",
    "reversed",
    "tuple",
    "zip",
}
"""Built-ins that hand on the order of what they are given."""
SET_TYPES: Final = {"set", "frozenset", "AbstractSet", "MutableSet"}
CLOCK_DOORS: Final = {"gateway/clock.py", "loadtest/clock.py"}
CLOCKS: Final = {"time", "time_ns", "monotonic", "monotonic_ns", "gmtime", "localtime"}
NETWORK: Final = {"aiohttp", "grpc", "grpc_health", "grpc_reflection", "google.rpc"}
NETWORK_USERS: Final = (
    "gateway/edges/",
    "gateway/engine/remote.py",
    "gateway/engine/server.py",
    "gateway/play.py",
    "gateway/wire/",
)
UNFINISHED: Final = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
STRUCT_MODULES: Final = {
    "rules/events.py",
    "rules/decisions.py",
    "rules/clause_base.py",
    "rules/clauses.py",
    "rules/conduct_clauses.py",
    "rules/surveillance_clauses.py",
    "rules/ratio_clauses.py",
    "rules/resting_clauses.py",
    "rules/fee_clauses.py",
}


def sources(*folders: str) -> list[Path]:
    """Return the Python files below `folders` that people write."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "wire/ordergate" not in path.as_posix()
    ]


def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def place(path: Path, node: ast.AST) -> str:
    """Return `file:line` of a node."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def imports(module: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield every imported module with the node that imports it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def names_within(name: str, modules: set[str]) -> bool:
    """Tell whether `name` is one of `modules` or below one."""
    return any(name == module or name.startswith(module + ".") for module in modules)


def test_contracts_of_imports() -> None:
    """Every contract of pyproject.toml is kept."""
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- rules/ is pure -------------------------------------------------------------------------------

RULE_SOURCES: Final = sources("rules")


@pytest.mark.parametrize("path", RULE_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_are_pure(path: Path) -> None:
    """No floats, true division, hashes, output, clocks or undeclared modules in rules/."""
    found = []
    module = tree(path)
    for node, name in imports(module):
        if name not in PURE_MODULES and not names_within(name, {"rules"}):
            found.append(f"{place(path, node)}: imports {name}")
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            found.append(f"{place(path, node)}: the float {node.value}")
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            found.append(f"{place(path, node)}: true division")
        elif isinstance(node, (ast.AsyncFunctionDef, ast.Await, ast.Global)):
            found.append(f"{place(path, node)}: {type(node).__name__}")
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in IMPURE_CALLS:
                found.append(f"{place(path, node)}: {function.id}()")
            elif isinstance(function, ast.Attribute) and function.attr in CLOCK_CALLS:
                found.append(f"{place(path, node)}: .{function.attr}()")
    assert not found, "\n".join(found)


def set_names(modules: list[ast.Module]) -> set[str]:
    """Return the names and attributes that are annotated as sets or assigned one."""
    found = set()
    for module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.AnnAssign) and _is_set_type(node.annotation):
                found.add(_last_name(node.target))
            elif isinstance(node, ast.arg) and _is_set_type(node.annotation):
                found.add(node.arg)
            elif isinstance(node, ast.Assign) and _makes_a_set(node.value, set()):
                found.update(_last_name(target) for target in node.targets)
    return found - {""}


def _is_set_type(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    return _last_name(getattr(annotation, "value", annotation)) in SET_TYPES


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _makes_a_set(node: ast.AST, names: set[str]) -> bool:
    """Tell whether an expression is a set: a display, a call of set, or one of `names`."""
    if isinstance(node, (ast.Set, ast.SetComp)):
        return True
    if isinstance(node, ast.Call):
        return _last_name(node.func) in {"set", "frozenset"}
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd, ast.Sub)):
        return _makes_a_set(node.left, names) or _makes_a_set(node.right, names)
    return _last_name(node) in names


def unordered_uses(module: ast.Module, names: set[str]) -> Iterator[ast.AST]:
    """Yield every place where the order of a set would reach the outside."""
    for node in ast.walk(module):
        iterated: list[ast.expr] = []
        if isinstance(node, (ast.For, ast.comprehension)):
            iterated = [node.iter]
        elif isinstance(node, ast.Starred):
            iterated = [node.value]
        elif isinstance(node, ast.Call):
            called = _last_name(node.func)
            if called in ORDER_TAKERS or called == "join":
                iterated = node.args
            elif called == "pop" and not node.args and isinstance(node.func, ast.Attribute):
                iterated = [node.func.value]
        if any(_makes_a_set(item, names) for item in iterated):
            yield node.iter if isinstance(node, ast.comprehension) else node


@pytest.mark.parametrize("path", RULE_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_set_is_iterated(path: Path) -> None:
    """The order of a set differs from run to run, so rules/ may only look things up in one."""
    module = tree(path)
    names = set_names([module])
    found = [place(path, node) for node in unordered_uses(module, names)]
    assert not found, f"a set is iterated in {', '.join(found)}"


def test_iterated_sets_are_seen() -> None:
    """The test above sees each way in which a set's order gets out."""
    for line in (
        "for x in {1, 2}: pass",
        "for x in frozenset(y): pass",
        "s: set[int] = set()\nfor x in s: pass",
        "self.s = set()\n[x for x in self.s]",
        "s = {1}\nlist(s)",
        "s = {1}\ntuple(s | t)",
        "s = {1}\ns.pop()",
        "s = {1}\nf(*s)",
        "def f(s: frozenset[int]): return next(iter(s))",
    ):
        module = ast.parse(line)
        assert list(unordered_uses(module, set_names([module]))), line
    for line in ("sorted({1, 2})", "x in {1}", "d = {}\nd.pop(1)", "len({1})", "s = {1}\nt - s"):
        module = ast.parse(line)
        assert not list(unordered_uses(module, set_names([module]))), line


def test_structs_live_where_they_are_not_compiled() -> None:
    """Structs are defined in the few modules that compiled wheels leave alone."""
    for path in RULE_SOURCES:
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base) for base in node.bases}
                assert "msgspec.Struct" not in bases or name in STRUCT_MODULES, place(path, node)


# --- Rules and their tests ------------------------------------------------------------------------

BASES_OF_RULES: Final = {
    "Rule": Rule,
    "IndicatorRule": IndicatorRule,
    "DisplayedRule": DisplayedRule,
}
"""What a rule derives from, by name: the base of all, and those of rules that are alike."""


def test_bases_of_rules_are_rules() -> None:
    """A base of several rules derives from the base of all, and is no rule itself."""
    for name, base in BASES_OF_RULES.items():
        assert (base.__name__, issubclass(base, Rule), base.name) == (name, True, "")
        assert base not in RULES


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.name)
def test_a_rule_is_one_file_with_one_test_file(kind: type) -> None:
    """The file is named like the rule, holds one rule, and its test stands at the same place."""
    path = ROOT / (kind.__module__.replace(".", "/") + ".py")
    assert path.stem == kind.name
    classes = [node for node in tree(path).body if isinstance(node, ast.ClassDef)]
    rules = [
        node for node in classes if any(ast.unparse(base) in BASES_OF_RULES for base in node.bases)
    ]
    assert [node.name for node in rules] == [kind.__name__]
    folder = path.parent.relative_to(ROOT)
    tests = sorted(ROOT.glob(f"tests/**/test_{kind.name}.py"))
    assert tests == [ROOT / "tests" / folder / f"test_{kind.name}.py"]


def test_every_rule_is_registered() -> None:
    """A file in a folder of rules holds a registered rule."""
    folders = ("access", "rates", "filters", "exposure", "conduct", "halts")
    found = {
        path.stem
        for path in sources(*(f"rules/{folder}" for folder in folders))
        if path.stem != "__init__"
    }
    assert found == {kind.name for kind in RULES}


# --- Doors ----------------------------------------------------------------------------------------


def test_one_door_to_the_clock() -> None:
    """One module of a program asks what time it is; stopwatches are free."""
    found = []
    for path in sources("rules", "gateway", "loadtest"):
        if path.relative_to(ROOT).as_posix() in CLOCK_DOORS:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute):
                whose = _last_name(node.value)
                if (whose == "time" and node.attr in CLOCKS) or (
                    whose in {"datetime", "date"} and node.attr in CLOCK_CALLS
                ):
                    found.append(place(path, node))
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                found.append(place(path, node))
    assert not found, f"the clock is read in {', '.join(found)}"


def test_only_edges_and_clients_know_the_network() -> None:
    """aiohttp and grpc are imported where bytes are moved, and nowhere else."""
    found = []
    for path in sources("rules", "gateway"):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(NETWORK_USERS):
            found += [
                f"{place(path, node)}: {module}"
                for node, module in imports(tree(path))
                if names_within(module, NETWORK)
            ]
    assert not found, "\n".join(found)


# --- Size and leftovers ---------------------------------------------------------------------------


def test_files_and_functions_are_short() -> None:
    """A file is one subject, a function fits a screen."""
    found = []
    for path in sources("rules", "gateway", "loadtest", "tools"):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LONG_FILES.get(path.relative_to(ROOT).as_posix(), FILE_LINES_MAX):
            found.append(f"{path.relative_to(ROOT)} has {lines} lines")
        for node in ast.walk(tree(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    found.append(f"{place(path, node)}: {node.name} has {length} lines")
    assert not found, "\n".join(found)


def test_nothing_is_left_unfinished() -> None:
    """No mark for work put off stays in the tree."""
    names = ("*.py", "*.md", "*.toml", "*.proto", "Makefile")
    folders = ("rules", "gateway", "loadtest", "tools", "tests", "docs", "proto")
    paths = [path for name in names for path in ROOT.glob(name)]
    paths += [path for folder in folders for name in names for path in (ROOT / folder).rglob(name)]
    found = [
        f"{path.relative_to(ROOT)}: {mark}"
        for path in paths
        for mark in UNFINISHED
        if mark in path.read_text(encoding="utf-8")
    ]
    assert not found, "\n".join(found)
