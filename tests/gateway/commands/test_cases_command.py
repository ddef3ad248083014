"""`ordergate cases` against a running gate: what an operator sees, says and decides of a case."""

import asyncio
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gateway.__main__ import build
from gateway.app import Gate
from tests.gateway.gate_world import Client
from tests.gateway.test_conduct_disclosure import flee, venue


class Operator:
    """Runs the command against a gate, beside its loop."""

    def __init__(self, gate: Gate, data: Path) -> None:
        url = f"http://127.0.0.1:{gate.ports['admin']}"
        self._where = ["--admin", url, "--token-file", str(data / "admin.token")]

    async def run(self, *arguments: str, code: int = 0) -> str:
        """Return what `ordergate cases …` prints, on standard error where it fails."""
        words = ["cases", *arguments, *self._where]
        runner = CliRunner(env={"COLUMNS": "200"})
        done = await asyncio.to_thread(runner.invoke, build(), words)
        assert done.exit_code == code, done.output
        return done.stderr if code else done.stdout

    async def json(self, *arguments: str) -> Any:
        """Return the answer as JSON."""
        return json.loads(await self.run(*arguments, "--json"))


async def measures(client: Client) -> list[Any]:
    """Return what the client is told of its measures."""
    found: list[Any] = (await client.ask("GET", "/ordergate/v1/conduct")).body["measures"]
    return found


def test_a_case_from_its_opening_to_a_dismissal(tmp_path: Path) -> None:
    """The client's id leads to it; explained, confirmed, appealed once, dismissed: measures end."""

    async def story() -> None:
        async with venue(tmp_path) as gate:
            alice, operator = Client(gate), Operator(gate, tmp_path / "data")
            assert (await operator.json("list"))["cases"] == []
            for name in ("17", "9" * 19, "9" * 4_301, "x"):
                assert "there is no case" in await operator.run("show", name, code=2)
            await flee(alice)
            (measure,) = await measures(alice)
            case = measure["caseId"]
            (line,) = (await operator.json("list", "--owner", "alice"))["cases"]
            assert (line["case"], line["state"], line["step"]) == (case, "OPEN", "notice")
            assert (await operator.json("list", "--state", "dismissed"))["cases"] == []
            shown = await operator.run("show", case)
            assert "fictitious_bids" in shown
            assert "share cancelled │ 1 │" in " ".join(shown.split())
            assert "possible now │ explain, confirm, dismiss, clear" in " ".join(shown.split())
            number = (await operator.json("show", case))["evidence"][0]
            assert f"ordergate log query --decision {number}" in shown
            for act, state in (
                ("explain", "EXPLAINED"),
                ("confirm", "CONFIRMED"),
                ("appeal", "OPEN"),
            ):
                await operator.run(act, case, "--note", f"to {act}", "--actor", "officer")
                assert (await operator.json("show", case))["line"]["state"] == state
            again = await operator.run("appeal", case, "--note", "again", code=2)
            assert "is OPEN after an appeal: no appeal; possible: explain, confirm" in again
            assert await measures(alice) == [measure]
            await operator.run("dismiss", case, "--note", "a test", "--actor", "officer")
            assert await measures(alice) == []
            notes = (await operator.json("show", str(line["number"])))["notes"]
            assert [note["act"] for note in notes] == ["explain", "confirm", "appeal", "dismiss"]
            assert {note["actor"] for note in notes} == {"officer"}

    asyncio.run(story())


def test_measures_are_lifted_without_a_decision(tmp_path: Path) -> None:
    """Cleared, the case stays open."""

    async def story() -> None:
        async with venue(tmp_path) as gate:
            alice, operator = Client(gate), Operator(gate, tmp_path / "data")
            await flee(alice)
            (measure,) = await measures(alice)
            await operator.run("clear", measure["caseId"], "--note", "let him work")
            assert await measures(alice) == []
            shown = await operator.json("show", measure["caseId"])
            assert (shown["line"]["state"], shown["measures"]) == ("OPEN", [])

    asyncio.run(story())


def test_owners_are_linked_and_stand_alone_again(tmp_path: Path) -> None:
    """From then on they are judged together; names and cases nobody knows are told so."""

    async def story() -> None:
        async with venue(tmp_path) as gate:
            operator = Operator(gate, tmp_path / "data")
            for owner in ("alice", "bob"):
                await operator.run("link", owner, "ring", "--note", "one address")
            assert (await operator.json("groups"))["groups"] == {"ring": ["alice", "bob"]}
            await flee(Client(gate))
            assert len(await measures(Client(gate, "bob"))) == 1
            await operator.run("link", "bob", "--note", "moved")
            assert (await operator.json("groups"))["groups"] == {"ring": ["alice"]}
            assert await measures(Client(gate, "bob")) == []
            for words, fault in (
                (("link", "carol", "ring", "--note", "x"), "carol"),
                (("show", "nonsense"), "nonsense"),
                (("list", "--state", "lost"), "lost"),
                (("list", "--owner", "carol"), "carol"),
                (("list", "--rule", "layring"), "no rule is called `layring`"),
                (("link", "bob", "a\nb", "--note", "x"), "is no group; 1 to 64 printable"),
                (("link", "bob", "x" * 65, "--note", "x"), "is no group; 1 to 64 printable"),
                (("show", "a b/c"), "there is no case `a b/c`"),
                (("dismiss", "999", "--note", " "), "`note` is empty"),
                (("dismiss", "999", "--note", "x" * 1_025), "`note` has 1025 characters"),
            ):
                assert fault in await operator.run(*words, code=2)

    asyncio.run(story())
