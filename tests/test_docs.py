"""The reference pages are what the code says, and links between pages lead somewhere."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from gateway import config
from gateway.config_file import load_config
from rules import clauses

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FILE = re.compile(r"`([\w./*]+(?:\.py|\.toml|\.sh|/))`")
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that makes the pages."""
    path = ROOT / "tools" / "generate_docs.py"
    spec = importlib.util.spec_from_file_location("generate_docs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def test_reference_pages_are_current(generator: ModuleType) -> None:
    """Every generated page is what would be generated now."""
    stale = [
        path.name
        for path, text in generator.pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == []


def test_check_writes_nothing(
    generator: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--check` names missing pages and leaves them missing; without it they are written."""
    monkeypatch.setattr(generator, "DOCS", tmp_path)
    monkeypatch.setattr(generator, "ROOT", tmp_path.parent)
    assert generator.main(["--check"]) == 1
    assert "settings.md is not current" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert generator.main([]) == 0
    assert {page.name for page in tmp_path.iterdir()} == set(generator.PAGES)
    assert generator.main(["--check"]) == 0
    assert generator.main(["--chek"]) == 2


@pytest.mark.parametrize("module", [config, clauses], ids=lambda module: module.__name__)
def test_every_setting_is_explained(generator: ModuleType, module: ModuleType) -> None:
    """Each field a person may set has a text below it."""
    unexplained = [
        f"{struct.__name__}.{field.name}"
        for struct in vars(module).values()
        if isinstance(struct, type)
        and issubclass(struct, msgspec.Struct)
        and struct.__module__ == module.__name__
        and struct is not clauses.RuleClauses
        for field in generator.own_fields(struct)
        if not generator.field_docs(struct).get(field.name)
    ]
    assert unexplained == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that is there."""
    broken = [
        target
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not target.startswith(("http://", "https://", "#", "mailto:"))
        and not (page.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_heading(page: Path) -> None:
    """What stands behind a # is a heading of the page that is named."""
    links = [target.partition("#") for target in LINK.findall(page.read_text(encoding="utf-8"))]
    broken = [
        f"{name}#{anchor}"
        for name, _, anchor in links
        if anchor and (not name or (name.endswith(".md") and "://" not in name))
        if anchor not in anchors(page.parent / name if name else page)
    ]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_of_files_name_files_that_are_there(page: Path) -> None:
    """A name without a folder is in a folder that its cell has named before."""
    _, _, table = page.read_text(encoding="utf-8").partition("## Where it is built and tested\n")
    missing = []
    for cell in table.partition("\n## ")[0].split("|"):
        folders = []
        for name in FILE.findall(cell):
            where = [ROOT] if "/" in name or name == "setup.py" else folders
            if not any(list(folder.glob(name)) for folder in where):
                missing.append(name)
            folders.append(ROOT / name.rpartition("/")[0])
    assert missing == []


def test_example_configuration_is_good() -> None:
    """The example loads, with the accounts and keys of its bulk files."""
    example = load_config(ROOT / "examples" / "exchange.toml")
    assert [instrument.name for instrument in example.instruments] == ["BTCUSDT", "ETHUSDT"]
    assert {account.name for account in example.accounts} >= {"alice", "carol", "dave"}
    assert len(example.keys) == 5
