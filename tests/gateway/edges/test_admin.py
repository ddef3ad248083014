"""The admin port over real sockets: who may speak, what it does, what it shows."""

import stat
from pathlib import Path

import pytest

from gateway.edges.admin import ADVANCE_SECONDS_MAX, make_token, url_of
from rules.events import ClearBan, RecordRead, SetState, SetSymbolState
from rules.values import (
    NS_PER_SECOND,
    SCOPE_ACCOUNT,
    SCOPE_KEY,
    SCOPE_OWNER,
    SCOPE_SYMBOL,
    SCOPE_VENUE,
    STATE_ACTIVE,
    STATE_CANCEL_ONLY,
    STATE_KILLED,
    SYMBOL_HALT,
)
from tests.gateway.edges.admin_world import START_NS, TOKEN, run, serving

WHY = {"reason": "drill", "actor": "operator"}
PATHS = (
    ("GET", "/admin/v1/status"),
    ("GET", "/admin/v1/limits"),
    ("GET", "/admin/v1/scope"),
    ("GET", "/admin/v1/keys"),
    ("GET", "/admin/v1/decisions/x"),
    ("POST", "/admin/v1/kill"),
    ("POST", "/admin/v1/release"),
    ("POST", "/admin/v1/symbol-state"),
    ("POST", "/admin/v1/record/reads"),
    ("POST", "/admin/v1/ban"),
    ("POST", "/admin/v1/keys"),
    ("POST", "/admin/v1/keys/revoke"),
    ("POST", "/admin/v1/clock/advance"),
    ("GET", "/admin/v1/nothing"),
)


def test_every_path_needs_the_token(tmp_path: Path) -> None:
    """Without the token, or with another, nothing is told and nothing is done."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            before = world.core.seq
            for method, path in PATHS:
                for given in ({}, *({"Authorization": text} for text in _wrong())):
                    answer = await world.send(method, path, None, given)
                    assert answer.status == 401, (path, given)
                    assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert world.core.seq == before

    run(scenario())


def _wrong() -> tuple[str, ...]:
    return (
        "Bearer",
        "Bearer x",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
    )


def test_foreign_origin_is_refused(tmp_path: Path) -> None:
    """A web page of another origin is refused, token or not; the port's own is let in."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            own = (f"http://127.0.0.1:{world.port}", f"http://localhost:{world.port}")
            foreign = (
                "http://evil.example",
                "null",
                "",
                f"https://127.0.0.1:{world.port}",
                f"http://127.0.0.1:{world.port + 1}",
                f"http://127.0.0.1:{world.port}.evil.example",
            )
            for origin in own:
                answer = await world.ask("GET", "/admin/v1/status", Origin=origin)
                assert answer.status == 200
            for origin in foreign:
                for path in ("/admin/v1/status", "/healthz", "/metrics"):
                    answer = await world.ask("GET", path, Origin=origin)
                    assert answer.status == 403, (origin, path)
            kill = {"scope": "venue", **WHY}
            answer = await world.ask("POST", "/admin/v1/kill", kill, Origin=foreign[0])
            assert answer.status == 403
            assert world.core.book.states == {}

    run(scenario())


def test_token_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600, also when an older file was readable by all; each start has a new token."""
    path = tmp_path / "admin.token"
    path.write_text("old")
    path.chmod(0o644)
    first = make_token(tmp_path)
    assert path.read_text() == first + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_token(tmp_path) != first
    assert [entry.name for entry in tmp_path.iterdir()] == ["admin.token"]
    with pytest.raises(OSError, match="missing"):
        make_token(tmp_path / "missing")


@pytest.mark.parametrize(
    ("scope", "subject", "number", "open_orders"),
    [
        ("venue", "", (SCOPE_VENUE, 0), 5),
        ("symbol", "BTCUSDT", (SCOPE_SYMBOL, 1), 5),
        ("owner", "alice ltd", (SCOPE_OWNER, 1), 4),
        ("account", "alice-1", (SCOPE_ACCOUNT, 1), 3),
        ("key", "A" * 64, (SCOPE_KEY, 1), 5),
    ],
)
def test_kill_and_release(
    tmp_path: Path, scope: str, subject: str, number: tuple[int, int], open_orders: int
) -> None:
    """A kill of each scope says what it reaches, shows in the status, and holds until released."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            where = {"scope": scope, "subject": subject}
            preview = await world.ask("GET", f"/admin/v1/scope?scope={scope}&subject={subject}")
            assert preview.body["open_orders"] == open_orders
            assert preview.body["state"] == "ACTIVE"
            killed = await world.ask("POST", "/admin/v1/kill", where | WHY)
            assert killed.status == 200
            assert killed.body["open_orders"] == open_orders
            assert killed.body["remaining"] == open_orders - 2
            assert world.decision_ids.decode(killed.body["decision_id"]) == world.core.seq
            event = world.core.events[-1]
            assert event == SetState(*number, STATE_KILLED, "drill", "operator")
            (stop,) = (await world.ask("GET", "/admin/v1/status")).body["stops"]
            assert stop == where | {"state": "KILLED", "since_ns": START_NS} | WHY
            released = await world.ask("POST", "/admin/v1/release", where | WHY)
            assert released.status == 200
            assert world.core.events[-1] == SetState(*number, STATE_ACTIVE, "drill", "operator")
            again = await world.ask("POST", "/admin/v1/release", where | WHY)
            assert again.status == 400
            assert "ACTIVE already" in again.body["error"]

    run(scenario())


def test_milder_stop_states(tmp_path: Path) -> None:
    """A scope can be set to a milder state, but a kill can't mean ACTIVE."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            kill = {"scope": "account", "subject": "bob", "state": "CANCEL_ONLY", **WHY}
            answer = await world.ask("POST", "/admin/v1/kill", kill)
            assert answer.body["state"] == "CANCEL_ONLY"
            assert answer.body["remaining"] == 1
            assert world.core.book.states == {(SCOPE_ACCOUNT, 3): STATE_CANCEL_ONLY}
            answer = await world.ask("POST", "/admin/v1/kill", kill | {"state": "ACTIVE"})
            assert answer.status == 400

    run(scenario())


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"scope": "account", "subject": "nobody", **WHY}, 404, "there is no account `nobody`"),
        ({"scope": "symbol", "subject": "", **WHY}, 404, "there is no symbol"),
        ({"scope": "venue", "subject": "x", **WHY}, 400, "the venue has no subject"),
        ({"scope": "galaxy", **WHY}, 400, "galaxy"),
        ({"scope": "venue", "reason": " ", "actor": "x"}, 400, "`reason`"),
        ({"scope": "venue", "reason": "x", "actor": ""}, 400, "`actor`"),
        ({"scope": "venue", "reason": "x" * 257, "actor": "x"}, 400, "`reason`"),
        ({"scope": "venue", "actor": "x"}, 400, "reason"),
        ({"scope": "venue", "subjet": "x", **WHY}, 400, "subjet"),
        (b"not json", 400, "body"),
        (b"", 400, "body"),
        (b"[" * 100_000, 413, "large"),
    ],
)
def test_bad_kill_stops_nothing(tmp_path: Path, body: object, status: int, said: str) -> None:
    """A request that is not understood wholly is refused, with what is at fault."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            answer = await world.ask("POST", "/admin/v1/kill", body)
            assert answer.status == status
            assert said in answer.body["error"].lower() or said in answer.body["error"]
            assert world.core.book.states == {}

    run(scenario())


def test_symbol_state(tmp_path: Path) -> None:
    """A symbol is halted by name."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            halt = {"symbol": "BTCUSDT", "state": "HALT", **WHY}
            assert (await world.ask("POST", "/admin/v1/symbol-state", halt)).status == 200
            assert world.core.events[-1] == SetSymbolState(1, SYMBOL_HALT, "drill", "operator")
            status = (await world.ask("GET", "/admin/v1/status")).body
            assert status["symbols"][0]["state"] == "HALT"
            answer = await world.ask("POST", "/admin/v1/symbol-state", halt | {"symbol": "X"})
            assert answer.status == 404

    run(scenario())


def test_reads_are_recorded(tmp_path: Path) -> None:
    """Whoever reads the record is in it, or in its reserve; nobody is told so when both are lost."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            read = {"actor": "auditor", "query": "log query --owner x"}
            assert (await world.ask("POST", "/admin/v1/record/reads", read)).status == 200
            assert world.core.events[-1] == RecordRead("auditor", "log query --owner x")
            for wrong in ({"actor": ""}, {"query": " "}, {"query": "x" * 4_097}):
                answer = await world.ask("POST", "/admin/v1/record/reads", read | wrong)
                assert answer.status == 400
            longest = read | {"query": "x" * 4_096}
            assert (await world.ask("POST", "/admin/v1/record/reads", longest)).status == 200
            world.core.journal.fault = "no room"
            assert (await world.ask("POST", "/admin/v1/record/reads", read)).status == 200
            world.core.recorded = False
            answer = await world.ask("POST", "/admin/v1/record/reads", read)
            assert answer.status == 400
            assert "nothing is recorded any more" in answer.body["error"]

    run(scenario())


def test_where_the_port_is(tmp_path: Path) -> None:
    """While the port listens, a file beside the token says where; afterwards it is gone."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            place = tmp_path / "admin.url"
            assert place.read_text() == f"http://127.0.0.1:{world.port}\n"
        assert not place.exists()

    run(scenario())
    assert url_of("0.0.0.0", 9) == "http://127.0.0.1:9"
    assert url_of("::", 9) == "http://[::1]:9"


def test_ban_and_lift(tmp_path: Path) -> None:
    """An address is banned for so many seconds, shown with its end, and let go with 0."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            ban = {"address": "192.0.2.7", "seconds": 60, "actor": "operator"}
            assert (await world.ask("POST", "/admin/v1/ban", ban)).status == 200
            until_ns = START_NS + 60 * NS_PER_SECOND
            assert world.core.events[-1] == ClearBan(2, until_ns, "operator")
            status = (await world.ask("GET", "/admin/v1/status")).body
            assert status["bans"] == [{"address": "192.0.2.7", "until_ns": until_ns}]
            limits = (await world.ask("GET", "/admin/v1/limits?address=192.0.2.7")).body["limits"]
            assert [(line["rule"], line["label"]) for line in limits] == [("ban_ladder", "ban")]
            assert limits[0]["subject"] == "192.0.2.7"
            await world.ask("POST", "/admin/v1/ban", ban | {"seconds": 0})
            assert (await world.ask("GET", "/admin/v1/status")).body["bans"] == []
            for wrong, status_code in (
                ({"seconds": -1}, 400),
                ({"seconds": 366 * 86_400 + 1}, 400),
                ({"address": "nowhere"}, 400),
                ({"address": "192.0.2.99", "seconds": 0}, 404),
                ({"actor": ""}, 400),
            ):
                answer = await world.ask("POST", "/admin/v1/ban", ban | wrong)
                assert answer.status == status_code, wrong

    run(scenario())


def test_limits_of_key_account_and_everybody(tmp_path: Path) -> None:
    """Limits are asked for by name; unknown names and parameters are errors."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            for query in ("", f"?key={'A' * 64}", "?account=bob", "?address=127.0.0.1"):
                answer = await world.ask("GET", f"/admin/v1/limits{query}")
                assert answer.status == 200
                assert answer.body["now_ns"] == START_NS
            for query, status in (("?key=x", 404), ("?account=x", 404), ("?ip=127.0.0.1", 400)):
                assert (await world.ask("GET", f"/admin/v1/limits{query}")).status == status

    run(scenario())


def test_decisions_by_id(tmp_path: Path) -> None:
    """A decision is looked up by its opaque id only."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            name = world.decision_ids.encode(3)
            answer = await world.ask("GET", f"/admin/v1/decisions/{name}")
            assert answer.body == {"seq": 3}
            for unknown in ("3", world.decision_ids.encode(10**9)):
                answer = await world.ask("GET", f"/admin/v1/decisions/{unknown}")
                assert answer.status == 404

    run(scenario())


def test_manual_clock(tmp_path: Path) -> None:
    """A manual clock moves forward, by at least a second and at most a year."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            answer = await world.ask("POST", "/admin/v1/clock/advance", {"seconds": 120})
            assert answer.body == {"now_ns": START_NS + 120 * NS_PER_SECOND}
            for seconds in (0, -1, ADVANCE_SECONDS_MAX + 1):
                answer = await world.ask("POST", "/admin/v1/clock/advance", {"seconds": seconds})
                assert answer.status == 400

    run(scenario())


def test_real_clock_is_not_moved(tmp_path: Path) -> None:
    """Where time is real, advancing is refused."""

    async def scenario() -> None:
        async with serving(tmp_path, manual_clock=False) as world:
            answer = await world.ask("POST", "/admin/v1/clock/advance", {"seconds": 1})
            assert answer.status == 409

    run(scenario())


def test_health_follows_record_and_engine(tmp_path: Path) -> None:
    """Healthy means that new orders can be taken; no token is needed to ask."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            assert (await world.send("GET", "/healthz", None, {})).status == 200
            world.core.book.engine_connected = False
            assert (await world.send("GET", "/healthz", None, {})).status == 503
            world.core.book.engine_connected = True
            world.core.journal.fault = "no space left"
            assert (await world.send("GET", "/healthz", None, {})).status == 503
            status = (await world.ask("GET", "/admin/v1/status")).body
            assert status["journal_fault"] == "no space left"

    run(scenario())


def test_metrics(tmp_path: Path) -> None:
    """Prometheus can scrape without a token."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            world.telemetry.answered(10, 200, 1)
            answer = await world.send("GET", "/metrics", None, {})
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert 'ordergate_answers_total{endpoint="ping",status="200"} 1.0' in answer.body

    run(scenario())


def test_unknown_path_and_method(tmp_path: Path) -> None:
    """What does not exist is answered as JSON, too."""

    async def scenario() -> None:
        async with serving(tmp_path) as world:
            answer = await world.ask("GET", "/admin/v1/nothing")
            assert (answer.status, answer.body) == (404, {"error": "Not Found"})
            answer = await world.ask("DELETE", "/admin/v1/status")
            assert answer.status == 405

    run(scenario())
