"""`ordergate check`: what is good, and every fault of what is not."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import check, rulebook
from gateway.config import Config
from gateway.config_file import config_digest
from gateway.rulebooks import shipped_rulebooks

ROOT = Path(__file__).resolve().parents[3]

BAD_RULEBOOK = """
extends = "eu-conduct"
[rules.resting_time]
minimum = "half a second"
[rules.order_count]
windows = [{ interval = "500ms", limit = 1 }, { interval = "10s", limit = 1 },
           { interval = "10s", limit = 2 }]
[rules.order_to_trade]
session_starts = "24:00"
[endpoints.order_plac]
"""


def run(*words: str) -> Result:
    """Run `ordergate check …`."""
    app = typer.Typer()
    check.register(app)
    rulebook.register(app)
    return CliRunner().invoke(app, ["check", *words])


def write(folder: Path, name: str, text: str) -> str:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", sorted(shipped_rulebooks()))
def test_shipped_rulebooks_are_good(name: str) -> None:
    """Each is found by its name and has nothing wrong."""
    result = run(name)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{name}: good rulebook: {name}, revision ")


def test_the_example_is_good() -> None:
    """The shipped configuration is, with its bulk files."""
    result = run(str(ROOT / "examples" / "exchange.toml"))
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith(
        "good configuration: rulebook binance-spot-2026, 2 instruments, 5 accounts, 5 keys"
    )


def test_the_digest_of_a_configuration_is_told(tmp_path: Path) -> None:
    """As the manifest of a run with it states it; a rulebook has its revision."""
    path = write(tmp_path, "gate.toml", "seed = 3\n")
    assert json.loads(run(path, "--json").output)["config_digest"] == config_digest(Config(seed=3))
    assert json.loads(run("bench", "--json").output)["config_digest"] == ""


def test_a_rulebook_file_is_checked_whole(tmp_path: Path) -> None:
    """Structure, meaning and what only the rules' constructors find come together."""
    file = write(tmp_path, "mine.toml", BAD_RULEBOOK)
    result = run(file)
    assert result.exit_code == 2
    assert result.stderr.replace(str(tmp_path) + "/", "").splitlines() == [
        (
            "mine.toml:4: rules.resting_time.minimum: `half a second` is not a duration; write a whole "
            "number and ns, us, ms, s, m, h or d"
        ),
        "mine.toml:5: rules.order_count: interval `10s` is limited twice; write one limit for it",
        (
            "mine.toml:6: rules.order_count.windows: interval `500ms` is not a number of whole "
            "seconds; write 1s or longer"
        ),
        (
            "mine.toml:8: rules.order_to_trade: `24:00` is not a time of day such as 00:00 or 15:00 "
            "(UTC)"
        ),
        "mine.toml:10: endpoints.order_plac: unknown endpoint; did you mean `order_place`?",
        "ordergate: mine.toml: 5 faults",
    ]


def test_faults_as_json(tmp_path: Path) -> None:
    """Programs get file, line, path and message apart."""
    file = write(tmp_path, "gate.toml", 'seed = "x"\n')
    result = run(file, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "file": file,
        "kind": "configuration",
        "good": False,
        "faults": [
            {
                "file": file,
                "line": 1,
                "path": "seed",
                "message": "text `x` where a whole number is expected",
            }
        ],
        "summary": "",
        "config_digest": "",
    }


def test_a_good_file_as_json() -> None:
    """There is a summary and no fault."""
    report = json.loads(run("bench", "--json").stdout)
    assert (report["good"], report["kind"], report["faults"]) == (True, "rulebook", [])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "configuration"),
        ("seed = 1", "configuration"),
        ('name = "x"\n[listen]\n[engine]\n', "configuration"),
        ("[[instruments]]", "configuration"),
        ("[rules.balance]", "rulebook"),
        ('extends = "bench"', "rulebook"),
        ("[instruments.BTCUSDT]", "rulebook"),
        ("not toml", "configuration"),
    ],
)
def test_what_a_file_is_meant_to_be(tmp_path: Path, text: str, kind: str) -> None:
    """The tables that only one of the two has tell."""
    assert check.kind_of(write(tmp_path, "any.toml", text)) == kind


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("binance", "no rulebook `binance`; there are age-cost, bench, binance-spot-2023"),
        ("none/of/this.toml", "none/of/this.toml: No such file or directory"),
    ],
)
def test_what_is_not_there_is_told(name: str, message: str) -> None:
    """Neither a file nor a shipped rulebook."""
    result = run(name)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_rulebook_extends_files_beside_it(tmp_path: Path) -> None:
    """Faults of an extended file are told under its own name."""
    write(tmp_path, "middle.toml", 'extends = "bench"\n[rules.balance]\nmode = "on"\n')
    file = write(tmp_path, "top.toml", 'extends = "middle"\n')
    result = run(file)
    assert result.stderr.splitlines()[0] == (
        f"{tmp_path}/middle.toml:3: rules.balance.mode: text `on` where one of enforce, off, "
        "shadow is expected"
    )
    write(tmp_path, "middle.toml", 'extends = "bench"\n')
    assert run(file).exit_code == 0


def test_a_file_may_have_the_name_of_a_shipped_rulebook(tmp_path: Path) -> None:
    """The file that is named counts, and is not taken for its own parent."""
    file = write(tmp_path, "bench.toml", 'extends = "eu-conduct"\n')
    assert run(file).exit_code == 0
    file = write(tmp_path, "bench.toml", 'extends = "bench"\n')
    assert "runs in a circle: bench → bench" in run(file).stderr


def test_a_name_in_a_file_must_be_the_file_s(tmp_path: Path) -> None:
    """Records name a rulebook, and it must be found again by that."""
    file = write(tmp_path, "mine.toml", 'extends = "bench"\nname = "other"\n')
    result = run(file)
    assert result.exit_code == 2
    assert "mine.toml:2: name: `other` is not the file's name; write `mine`" in result.stderr
