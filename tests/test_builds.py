"""Both builds of the rules: what may be compiled, what must not be, and the switch between them."""

import ast
import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

import rules
import rules.pipeline  # by which `is_compiled` tells
from gateway.builds import SWITCH, BuildError, check, chosen, is_compiled
from rules.decisions import Breach, Decision
from rules.endpoints import Endpoint
from rules.events import AnyEvent, Place
from rules.reasons import Reason

ROOT = Path(__file__).parent.parent
RULES = Path(str(rules.__file__)).parent
INTERPRETED = frozenset(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ordergate"][
        "interpreted"
    ]
)
MODULES = sorted(
    path.relative_to(RULES.parent).as_posix()
    for path in RULES.rglob("*.py")
    if path.name != "__init__.py"
)

PLACE_HEX = "dc001ba150280102020304050601000007010101080900a17800000000000000"
"""One order as the record has always had it."""


def loaded_from(module: str) -> str:
    """Return the file a module of `rules` was loaded from."""
    return str(importlib.import_module(module.removesuffix(".py").replace("/", ".")).__file__)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_runs_as_listed(module: str) -> None:
    """A compiled build compiles every module but the listed ones; a plain one compiles none."""
    interpreted = loaded_from(module).endswith(".py")
    assert interpreted == (module in INTERPRETED or not is_compiled())


@pytest.mark.parametrize("module", MODULES)
def test_no_integer_is_a_machines(module: str) -> None:
    """A price times a quantity passes 64 bits: `i64` and the like would wrap or raise."""
    tree = ast.parse((RULES.parent / module).read_text(encoding="utf-8"))
    taken = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "mypy_extensions"
        for alias in node.names
    }
    assert taken <= {"mypyc_attr", "trait"}
    whole = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    assert not any(alias.name == "mypy_extensions" for node in whole for alias in node.names)


def test_every_struct_is_in_a_listed_module() -> None:
    """Compiled, a Struct would lose what makes its encoding: it must never be."""
    listed = {(ROOT / "tests" / name).stem for name in INTERPRETED}
    for module in MODULES:
        names = {
            name
            for node in ast.walk(ast.parse((RULES.parent / module).read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef)
            for base in node.bases
            if (name := ast.unparse(base).rpartition(".")[2]) in ("Struct", "Event", "Strict")
        }
        assert not names or Path(module).stem in listed, module
    assert not INTERPRETED.difference(MODULES)


@pytest.mark.parametrize("kind", AnyEvent.__args__, ids=lambda kind: kind.__name__)
def test_an_event_is_a_frozen_tagged_array(kind: type[msgspec.Struct]) -> None:
    """What the record's format depends on is in force in this build."""
    config = kind.__struct_config__
    assert (config.frozen, config.array_like, config.gc) == (True, True, False)
    assert isinstance(config.tag, str)


def test_encoded_bytes() -> None:
    """An event and a decision are the same bytes in both builds."""
    event = Place(
        endpoint=Endpoint.ORDER_PLACE, ip=1, key=2, auth=2, received_ns=3, timestamp_ns=4,
        recv_window_ns=5, size=6, channel=1, session=0, agent=0, symbol=7, side=1, order_type=1,
        time_in_force=1, price_e8=8, quantity_e8=9, quote_quantity_e8=0, client_order_id="x",
    )  # fmt: skip
    encode = msgspec.msgpack.encode
    assert encode(event).hex() == PLACE_HEX
    decision = Decision(2, (Breach("r", Reason.RULE_FAULT, "1", "2"),))
    verdict, ((rule, reason, *_),) = msgspec.msgpack.decode(encode(decision))[:2]
    assert (verdict, rule, reason) == (2, "r", int(Reason.RULE_FAULT))
    assert msgspec.msgpack.decode(encode(decision), type=Decision) == decision


def in_a_process(choice: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the switch set."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, SWITCH: choice},
        capture_output=True,
        text=True,
        check=False,
        cwd=RULES.parent,
    )


def test_python_files_can_be_chosen() -> None:
    """With `never` every module of the rules is the Python file, in any build."""
    code = (
        "import gateway, sys, rules.pipeline\n"
        "from gateway.builds import is_compiled\n"
        "files = [m.__file__ for n, m in sys.modules.items() if n.startswith('rules.')]\n"
        "print(len(files), all(f.endswith('.py') for f in files), is_compiled())"
    )
    ran = in_a_process("never", code)
    assert ran.returncode == 0, ran.stderr
    count, sources, compiled = ran.stdout.split()
    assert int(count) > 50
    assert (sources, compiled) == ("True", "False")


def test_compiled_modules_can_be_demanded() -> None:
    """With `always` what is not compiled does not start, and says what would help."""
    code = "import rules.pipeline\nfrom gateway.builds import check, chosen\ncheck(chosen())"
    ran = in_a_process("always", code)
    assert (ran.returncode == 0) == is_compiled()
    if ran.returncode:
        assert "are not compiled; install a compiled wheel" in ran.stderr


def test_an_unknown_choice() -> None:
    """A switch that says something else is named with what it may say."""
    with pytest.raises(BuildError, match="`perhaps`; give one of auto, always, never"):
        check("perhaps")


def test_an_empty_choice_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is as good as none, as scripts set it."""
    monkeypatch.setenv(SWITCH, "")
    assert chosen() == "auto"
