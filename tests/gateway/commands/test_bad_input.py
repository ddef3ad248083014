"""Bad input to commands ends with one line that names it and exit code 2, never in a traceback."""

import os
import pwd
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.__main__ import build, main
from gateway.admin.client import AdminClient, AdminError, path_with
from gateway.admin.messages import StatusAnswer
from gateway.commands.common import login_name

TOO_LONG = "x" * 5_000
BACKWARDS = ("--from", "2026-01-02", "--to", "2026-01-01")


@contextmanager
def answering(reply: bytes) -> Iterator[str]:
    """Give the URL of something that answers one connection with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "words",
    [
        ("check", TOO_LONG),
        ("log", "tail", "--data", TOO_LONG),
        ("log", "query", "--data", ".", "--run", TOO_LONG),
        ("log", "verify", "--data", TOO_LONG),
        ("rulebook", "suggest", TOO_LONG),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_path_that_cannot_be_looked_at(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever command meets it, the path and what is wrong with it are told."""
    monkeypatch.setattr(sys, "argv", ["ordergate", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("ordergate: ")
    assert TOO_LONG in said
    assert said.endswith(": File name too long\n")


@pytest.mark.parametrize(
    "url",
    [
        *("", "127.0.0.1:8081", "ftp://host", "http://", "http://[::1", "http://[red]x"),
        *("http://h:0x1", "http://h:99999", "http://h:0", f"http://h:{'9' * 5_000}"),
    ],
    ids=lambda url: url[:20],
)
def test_what_is_no_url_of_an_admin_port(url: str) -> None:
    """It is named, with one that is."""
    with pytest.raises(AdminError, match=r"is not a URL such as http://127\.0\.0\.1:8081"):
        AdminClient(url, "token")


@pytest.mark.parametrize("url", ["http://a b", "http://a\n", "http://127.0.0.1:1/a b"])
def test_a_url_that_nothing_can_be_sent_to(url: str) -> None:
    """A host with a blank is nowhere."""
    with pytest.raises(AdminError, match="no answer from"):
        AdminClient(url, "token").get("/admin/v1/status", StatusAnswer)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"\xff"',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n",
    ],
)
def test_something_else_that_answers(reply: bytes) -> None:
    """What is no answer of a gate is told as none."""
    with answering(reply) as url, pytest.raises(AdminError, match="is the gate running there"):
        AdminClient(url, "token").get("/admin/v1/status", StatusAnswer)


def test_an_error_that_is_no_answer_of_a_gate() -> None:
    """Its status is told."""
    reply = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\n\xff[]"
    with answering(reply) as url, pytest.raises(AdminError, match="answered 502 Bad Gateway"):
        AdminClient(url, "token").get("/admin/v1/status", StatusAnswer)


def test_an_error_steers_no_terminal(tmp_path: Path) -> None:
    """What others chose of a message is shown as text."""
    token = tmp_path / "token"
    token.write_text("token")
    body = b'{"error": "\\u001b[31mred [/b]"}'
    reply = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with answering(reply) as url:
        words = ["status", "--admin", url, "--token-file", str(token)]
        done = CliRunner().invoke(build(), words)
    assert done.stderr == "ordergate: \\x1b[31mred [/b]\n"


def test_a_name_in_a_path_stays_one_part() -> None:
    """Blanks, slashes and question marks of what was typed ask for nothing else."""
    assert path_with("/admin/v1/cases", "../a b?c#d") == "/admin/v1/cases/..%2Fa%20b%3Fc%23d"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rulebook", "suggest", "x.csv", "--hit-share", "0.04"), "hit share 0.04 is not whole"),
        (("log", "query", "--from", "202601"), "`202601` is not a time"),
        (("log", "query", "--reason", "9" * 5_000), "no reason is called"),
        (("log", "tail", "-n", "1000001"), "'--lines' / '-n'"),
        (("log", "query", *BACKWARDS), "ends, `2026-01-01`, before it begins, `2026-01-02`"),
        (("log", "case", "bob", "--json", *BACKWARDS), "before it begins"),
        (("record", "hold", "add", "--reason", "x", "--data", "DATA", *BACKWARDS), "before it"),
        (("log", "query", "--from", "2026-01-01", "--to", "2026-01-01"), "before it begins"),
        (
            ("rulebook", "suggest", "DATA", "--owners", "one"),
            "--owners `one` is for a recorded flow",
        ),
        (("demo", "--host", ""), "listen.host: `` is not an address or a host's name"),
        (("demo", "--admin-port", "8080"), "listen.admin_port: 8080 is rest_port already"),
        (("demo", "--engine", "nonsense"), "engine.address: `nonsense` is not host:port"),
        (("demo", "--port", "0", "--data", "FLOW"), "can't be made a data directory: File exists"),
        (
            ("play", "FLOW", "--target", "http://127.0.0.1:1", "--notional", "0"),
            "notional `0` is not above 0",
        ),
    ],
)
def test_values_that_mean_nothing(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """They are refused by name and not taken for something else."""
    flow = tmp_path / "flow.csv"
    flow.write_text(
        "ts_ns,event,order_id,side,price,qty,flag,symbol\n1,new,a,buy,1,1,,ABC\n", encoding="utf-8"
    )
    places = {"FLOW": str(flow), "DATA": str(tmp_path)}
    given = [places.get(word, word) for word in words]
    done = CliRunner().invoke(build(), given)
    assert (done.exit_code, type(done.exception)) == (2, SystemExit)
    assert said in done.stderr


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user often has none; then it is the number that is recorded."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert login_name() == f"uid {os.getuid()}"
    monkeypatch.setenv("LOGNAME", "officer")
    assert login_name() == "officer"
