"""What a target's URL says, and what does not fit together."""

import pytest

from loadtest.asked import owned
from loadtest.target import is_loopback, parse_target
from loadtest.units import LoadTestError

CONTROL = "http://127.0.0.1:8080"


def test_urls_of_all_kinds() -> None:
    """Ports and paths have the defaults of their scheme."""
    assert parse_target("http://127.0.0.1:8080/").host_header == "127.0.0.1:8080"
    assert parse_target("http://localhost").host_header == "localhost"
    assert parse_target("https://[::1]").host_header == "[::1]"
    assert parse_target("https://[::1]:8443").host_header == "[::1]:8443"
    assert parse_target("https://[::1]").tls
    socket = parse_target("ws://127.0.0.1:9443")
    assert (socket.full_url, socket.tls) == ("ws://127.0.0.1:9443/ws-api/v3", False)
    assert parse_target("wss://a.example/other/").full_url == "wss://a.example/other"
    grpc = parse_target("grpc://127.0.0.1:50051", control=CONTROL + "/")
    assert (grpc.grpc, grpc.batch, grpc.control, grpc.tls) == ("session", 1, CONTROL, False)
    assert parse_target("grpcs://127.0.0.1:50051", "unary", control=CONTROL).tls
    engine = parse_target("engine://localhost:50052", batch=1_000)
    assert (engine.port, engine.batch) == (50_052, 1_000)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a/path",
        "http://[",
        "http://a:70000",
        "ws://a/ws-api/v3?x=1",
        "ws://user@a/ws-api/v3",
        "grpc://a",
        "engine://a",
        "engine://a:1/x",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    """The message names the URL."""
    with pytest.raises(LoadTestError, match="is not a"):
        parse_target(url, control=CONTROL if url.startswith("grpc") else "")


@pytest.mark.parametrize(
    ("url", "grpc", "batch", "control", "message"),
    [
        ("http://a", "unary", 1, "", "--grpc goes with a target grpc://"),
        ("http://a", "", 2, "", "--batch goes with"),
        ("http://a", "", 1, CONTROL, "--control is not needed"),
        ("ws://a", "", 2, "", "--batch goes with"),
        ("grpc://a:1", "", 1, "", "--control names a REST API"),
        ("grpc://a:1", "stream", 1, CONTROL, "`stream` is not unary or session"),
        ("grpc://a:1", "unary", 2, CONTROL, "--batch goes with"),
        ("grpc://a:1", "session", 0, CONTROL, "batch 0 is not 1 to 1000"),
        ("grpc://a:1", "session", 1_001, CONTROL, "batch 1001 is not 1 to 1000"),
        ("grpc://a:1", "", 1, "ws://a", "control `ws://a` is not a base URL"),
        ("engine://a:1", "session", 1, "", "--grpc goes with a target grpc://"),
    ],
)
def test_options_that_do_not_fit(
    url: str, grpc: str, batch: int, control: str, message: str
) -> None:
    """Nothing that was asked for is passed over."""
    with pytest.raises(LoadTestError, match=message):
        parse_target(url, grpc, batch, control)


@pytest.mark.parametrize("url", ["http://{}", "ws://{}", "wss://{}", "engine://{}:1"])
@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]", "localhost.example", "0.0.0.0"])
def test_another_host_needs_a_statement(url: str, host: str) -> None:
    """Whatever the scheme, real orders go to a foreign host only when it is said to be one's own."""
    target = parse_target(url.format(host))
    with pytest.raises(LoadTestError, match="needs --i-own-this-venue"):
        owned(target, stated=False)
    assert owned(target, stated=True) == target
    here = parse_target(url.format("127.3.2.1"))
    assert owned(here, stated=False) == here


def test_neither_the_target_nor_its_control_is_foreign() -> None:
    """Keys sign for the control, too."""
    for url, control in (("192.0.2.1", "127.0.0.1"), ("127.0.0.1", "192.0.2.1")):
        target = parse_target(f"grpc://{url}:1", control=f"http://{control}:1")
        with pytest.raises(LoadTestError, match=r"speaks to `192\.0\.2\.1`"):
            owned(target, stated=False)


def test_loopback() -> None:
    """A name is this machine only if it is `localhost`."""
    assert is_loopback("localhost")
    assert is_loopback("127.255.255.254")
    assert is_loopback("::1")
    assert not is_loopback("localhost.")
    assert not is_loopback("128.0.0.1")
    assert not is_loopback("")
