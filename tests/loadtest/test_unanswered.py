"""What is said of a target that does not answer, or not as the tester's dialect does."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest.commands import load
from loadtest.market import read_markets
from loadtest.units import LoadTestError
from tests.loadtest.venue import INFO, TICKERS


@contextmanager
def server_of(status: int, body: bytes) -> Iterator[str]:
    """Answer everything alike; yield host and port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said_of(target: str, directory: Path) -> str:
    """Return what `load run` says of a target it can't measure."""
    keys = directory / "keys.json"
    keys.write_text('{"keys":[{"name":"k","secret":"s"}]}')
    done = CliRunner().invoke(
        load, ["run", "--target", target, "--keys", str(keys), "--rate", "10", "--duration", "1s"]
    )
    assert done.exit_code == 2
    return done.stderr.replace("\n", " ").strip()


def test_nobody_listens(tmp_path: Path) -> None:
    """The address and the system's word for it, and nothing of the library's."""
    for scheme in ("http", "ws"):
        said = said_of(f"{scheme}://127.0.0.1:1", tmp_path)
        assert said.startswith(f"ordergate: {scheme}://127.0.0.1:1")
        assert said.endswith(": can't connect: Connection refused")


def test_a_server_that_is_no_gateway(tmp_path: Path) -> None:
    """What it did instead of answering is told in words."""
    with server_of(404, b"none") as address:
        said = said_of(f"http://{address}", tmp_path)
        assert said.endswith("/api/v3/exchangeInfo answers 404")
        said = said_of(f"ws://{address}", tmp_path)
        assert said.endswith("it answers the WebSocket's handshake with HTTP 404")
    with server_of(200, b'{"a":1}') as address:
        said = said_of(f"http://{address}", tmp_path)
        assert "read as Binance's exchangeInfo" in said
    with server_of(200, b"<html>") as address:
        assert "is no JSON" in said_of(f"http://{address}", tmp_path)


@pytest.mark.parametrize(
    ("info", "tickers", "message"),
    [
        ({"a": 1}, TICKERS, "lacks `symbols`"),
        (INFO, [{"symbol": "BTCUSDT", "bidPrice": "1"}], "lacks `askPrice`"),
        (INFO, [{"symbol": "BTCUSDT", "bidPrice": "1", "askPrice": "x"}], "a number that is none"),
        (INFO, {"a": 1}, "can't be read as Binance's"),
        ([], TICKERS, "can't be read as Binance's"),
    ],
)
def test_a_market_that_can_not_be_read(info: Any, tickers: Any, message: str) -> None:
    """The message names what is missing."""
    with pytest.raises(LoadTestError, match=message):
        read_markets(info, tickers, ())
