"""SQL over the record answers exactly, and reaches nothing but the record."""

import json
import tempfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.commands import log

from .record_world import OTHER, OWNER, World, record


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a record that has one of everything."""
    return record(tmp_path_factory.mktemp("record") / "data")


def sql(world: World, query: str, *more: str) -> Result:
    """Run `ordergate log sql`."""
    app = typer.Typer()
    app.command("nothing")(lambda: None)
    log.register(app)
    return CliRunner().invoke(app, ["log", "sql", query, "--data", str(world.data), *more])


def rows(result: Result) -> list[dict[str, object]]:
    """Return the rows a query printed as JSON lines."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_exact_answers(world: World) -> None:
    """Amounts are exact decimals and times keep their nanoseconds."""
    query = (
        "SELECT owner, sum(quote) AS quote FROM trades WHERE kind = 'fill' GROUP BY 1 ORDER BY 1"
    )
    assert rows(sql(world, query, "--json")) == [
        {"owner": OTHER, "quote": "6780.86419725"},
        {"owner": OWNER, "quote": "6780.86419725"},
    ]
    (first,) = rows(sql(world, "SELECT min(time) AS time FROM decisions", "--json"))
    assert first == {"time": "2025-10-09T08:53:20.124456790Z"}
    (hour,) = rows(sql(world, "SELECT DISTINCT hour(time) AS h FROM decisions", "--json"))
    assert hour == {"h": 8}


def test_joins_and_tables_for_people(world: World) -> None:
    """Tables join by order, and people get a table."""
    query = (
        "SELECT d.event, o.status FROM orders o JOIN decisions d USING (order_id) "
        "WHERE order_id = 1 AND d.event = 'order_trade'"
    )
    done = sql(world, query)
    assert done.exit_code == 0
    assert "order_trade" in done.stdout
    assert "CANCELED" in done.stdout


def test_filters_and_masks_apply(world: World) -> None:
    """A query sees only what the filters and the mask leave."""
    count = "SELECT count(*) AS n FROM decisions"
    assert rows(sql(world, count, "--json", "--verdict", "deferred")) == [{"n": 1}]
    masked = sql(world, "SELECT owner FROM orders", "--json", "--mask", "owner=erase")
    assert {row["owner"] for row in rows(masked)} == {None}


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{0}/out.csv'",
        "SELECT * FROM read_csv('{0}/secret.csv')",
        "SELECT * FROM '{0}/secret.csv'",
        "ATTACH '{0}/other.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT * FROM nothing",
        "SELEC",
        "",
    ],
)
def test_nothing_else_is_reached(world: World, tmp_path: Path, query: str) -> None:
    """Files, other databases and settings are out of reach; the database's own words say why."""
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    done = sql(world, query.format(tmp_path))
    assert done.exit_code == 2, done.output
    assert "ordergate:" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_no_copy_stays(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables made for a query are gone when it is answered, also when it fails."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert sql(world, "SELECT 1").exit_code == 0
    assert sql(world, "SELEC").exit_code == 2
    assert list(tmp_path.iterdir()) == []
