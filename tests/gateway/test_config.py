"""Configuration files: defaults, paths, and one test for each kind of error."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.config import Config
from gateway.config_file import ConfigError, config_digest, load_config
from gateway.rulebooks import shipped_rulebooks
from tests.gateway.config_world import ALICE, KEY, OTHER_KEY, SECRET, faults_of, write

SHIPPED = ", ".join(sorted(shipped_rulebooks()))


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    """Nothing has to be said."""
    assert load_config(write(tmp_path, "")) == Config()


def test_a_digest_of_what_is_configured(tmp_path: Path) -> None:
    """Defaults, bulk files and the place of the files make none; secrets don't, settings do."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write(folder, 'extends = "eu-conduct"\n', "mine.toml")
    key = f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = "{SECRET}"\n'
    write(there, ALICE, "more.toml")
    whole = write(here, f'rulebook = "mine.toml"\nseed = 1\n{ALICE}{key}')
    parts = write(
        there, f'rulebook = "mine.toml"\nbulk = ["more.toml"]\n{key.replace(SECRET, "x")}'
    )
    digest = config_digest(load_config(whole))
    assert len(bytes.fromhex(digest)) == 32
    assert config_digest(load_config(parts)) == digest
    for other in (
        f'rulebook = "mine.toml"\nseed = 2\n{ALICE}{key}',
        f"{ALICE}{key}",
        f'rulebook = "mine.toml"\n{ALICE}{key}permissions = ["read", "trade"]\n',
    ):
        assert config_digest(load_config(write(here, other))) != digest


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Editors of Windows write one."""
    assert load_config(write(tmp_path, "\ufeffseed = 3\n")).seed == 3


def test_everything_can_be_set(tmp_path: Path) -> None:
    """Values arrive; rulebook and bulk files are found beside the file, data is left alone."""
    write(tmp_path, 'extends = "eu-conduct"\n', "mine.toml")
    write(tmp_path, "account\ncarol\n", "more.csv")
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    text = f"""
rulebook = "mine.toml"
bulk = ["more.csv"]
clock = "manual"
[listen]
host = "::1"
rest_port = 0
grpc_port = 0
admin_port = -1
proxies = ["10.0.0.0/8", "::1"]
[engine]
address = "[::1]:50052"
deadline = "999999us"
[record]
data = "somewhere"
segment_bytes = 1024
[telemetry]
otlp_endpoint = "http://127.0.0.1:4318/v1/metrics"
[[instruments]]
name = "BTCUSDT"
base = "BTC"
quote = "USDT"
maker_commission = "0"
taker_commission = "0.999999"
[[accounts]]
name = "alice"
tier = "market_maker"
[accounts.funds]
BTC = "0.00000001"
[[keys]]
name = "{KEY}"
account = "carol"
kind = "ed25519"
secret = '''{pem}'''
addresses = ["::ffff:10.0.0.1", "2001:db8::1"]
expires = "2027-01-01T00:00:00+01:00"
"""
    config = load_config(write(tmp_path, text))
    assert config.rulebook == str(tmp_path / "mine.toml")
    assert config.bulk == (tmp_path / "more.csv",)
    assert config.record.data == Path("somewhere")
    assert [account.name for account in config.accounts] == ["alice", "carol"]
    assert config.keys[0].addresses == ("10.0.0.1", "2001:db8::/64")
    assert config.instruments[0].taker_commission == "0.999999"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sed = 1", "gate.toml:1: sed: unknown field; did you mean `seed`?"),
        (
            "[listen]\nrest_port = 65536",
            "gate.toml:2: listen.rest_port: 65536 is too large; write 65535 or less",
        ),
        (
            "[listen]\nadmin_port = -2",
            "gate.toml:2: listen.admin_port: -2 is too small; write -1 or more",
        ),
        (
            '[listen]\nedges = 2\nrest_edge = "aiohttp"',
            "gate.toml:2: listen.edges: `2` processes serve `httptools` only, not `aiohttp`",
        ),
        (
            "[telemetry]\nstages = true\n[listen]\nedges = 1",
            (
                "gate.toml:2: telemetry.stages: stages are measured where one process does it all, "
                "not with edge processes"
            ),
        ),
        (
            "[listen]\nedges = 65",
            "gate.toml:2: listen.edges: 65 is too large; write 64 or less",
        ),
        (
            "[listen]\ngrpc_port = 8080",
            "gate.toml:2: listen.grpc_port: 8080 is rest_port already; give each its own",
        ),
        (
            '[listen]\nhost = "a b"',
            "gate.toml:2: listen.host: `a b` is not an address or a host's name such as 127.0.0.1",
        ),
        (
            '[listen]\nproxies = ["10.0.0.1/8"]',
            "gate.toml:2: listen.proxies[0]: `10.0.0.1/8` is not an address or a network such as 10.0.0.0/8",
        ),
        (
            '[engine]\naddress = "localhost"',
            "gate.toml:2: engine.address: `localhost` is not host:port such as 127.0.0.1:50052",
        ),
        (
            '[engine]\naddress = "localhost:0"',
            "gate.toml:2: engine.address: `localhost:0` is not host:port such as 127.0.0.1:50052",
        ),
        (
            '[engine]\naddress = "localhost:65536"',
            "gate.toml:2: engine.address: `localhost:65536` is not host:port such as 127.0.0.1:50052",
        ),
        (
            '[engine]\ndeadline = "1s"',
            "gate.toml:2: engine.deadline: `1s` is not between 0 and 1s; write less than a second",
        ),
        (
            '[engine]\ndeadline = "0s"',
            "gate.toml:2: engine.deadline: `0s` is not between 0 and 1s; write less than a second",
        ),
        (
            "[record]\nsegment_bytes = 1023",
            "gate.toml:2: record.segment_bytes: 1023 is too small; write 1024 or more",
        ),
        ("[record]\ndata = 1", "gate.toml:2: record.data: number 1 where text is expected"),
        (
            '[overload]\norders = "50ms"',
            (
                "gate.toml:1: overload.queries: `75ms` is longer than orders may wait, which are "
                "more urgent"
            ),
        ),
        (
            '[overload]\nmarket_data = "0s"',
            (
                "gate.toml:2: overload.market_data: `0s` is longer than queries may wait, which are "
                "more urgent"
            ),
        ),
        (
            '[overload]\nturn = "0ms"',
            "gate.toml:2: overload.turn: `0ms` is no time to work; write 1ms",
        ),
        ('[record]\ndata = ""', "gate.toml:2: record.data: `` is not a path"),
        (
            '[record]\ndurability = "tape"',
            (
                "gate.toml:2: record.durability: text `tape` where one of auto, disk, process is "
                "expected"
            ),
        ),
        (
            "[record]\nreserve_bytes = 1048575",
            "gate.toml:2: record.reserve_bytes: 1048575 is too small; write 1048576 or more",
        ),
        ('[record]\nstall = "0s"', "gate.toml:2: record.stall: `0s` is no time to wait; write 2s"),
        (
            '[record]\ndata = "d"\nreserve = "./d"',
            (
                "gate.toml:3: record.reserve: `./d` is the data directory; give the reserve a path of "
                "its own"
            ),
        ),
        (
            '[telemetry]\notlp_endpoint = "localhost:4318"',
            "gate.toml:2: telemetry.otlp_endpoint: `localhost:4318` is not a URL such as http://127.0.0.1:4318/v1/metrics",
        ),
        (
            '[telemetry]\notlp_endpoint = "http://[x"',
            "gate.toml:2: telemetry.otlp_endpoint: `http://[x` is not a URL such as http://127.0.0.1:4318/v1/metrics",
        ),
        (
            '[[instruments]]\nname = "X"\nbase = "B"',
            "gate.toml:1: instruments[0].quote: missing",
        ),
        (
            '[[instruments]]\nname = "btc"\nbase = "B"\nquote = "Q"',
            "gate.toml:2: instruments[0].name: `btc` is not a symbol such as BTCUSDT",
        ),
        (
            '[[instruments]]\nname = "BB"\nbase = "B"\nquote = "B"',
            "gate.toml:4: instruments[0].quote: `B` is the base asset too",
        ),
        (
            '[[instruments]]\nname = "BQ"\nbase = "B"\nquote = "Q"\nmaker_commission = "1"',
            "gate.toml:5: instruments[0].maker_commission: `1` is not a share below 1 with at most 6 places, such as 0.001",
        ),
        (
            '[[instruments]]\nname = "BQ"\nbase = "B"\nquote = "Q"\ntaker_commission = "0.0000001"',
            "gate.toml:5: instruments[0].taker_commission: `0.0000001` is not a share below 1 with at most 6 places, such as 0.001",
        ),
        (
            '[[accounts]]\nname = ""',
            "gate.toml:2: accounts[0].name: `` is no name; 1 to 64 printable characters are taken",
        ),
        (
            '[[accounts]]\nname = "a"\nowner = "a\\tb"',
            "gate.toml:3: accounts[0].owner: `a\tb` is no name; 1 to 64 printable characters are taken",
        ),
        (
            '[[accounts]]\nname = "a"\nfunds = { btc = "1" }',
            "gate.toml:3: accounts[0].funds.btc: `btc` is not an asset such as BTC",
        ),
        (
            '[[accounts]]\nname = "a"\nfunds = { BTC = "-1" }',
            "gate.toml:3: accounts[0].funds.BTC: `-1` is not a decimal number such as 12 or 0.05",
        ),
        (
            '[[accounts]]\nname = "a"\ntier = "market_makr"',
            "gate.toml:3: accounts[0].tier: rulebook binance-spot-2026 has no tier `market_makr`; did you mean `market_maker`?",
        ),
        (
            ALICE + ALICE,
            "gate.toml:4: accounts[1].name: account `alice` is given twice, first in gate.toml",
        ),
        (
            ALICE + f'[[keys]]\nname = "short"\naccount = "alice"\nsecret = "{SECRET}"',
            "gate.toml:4: keys[0].name: `short` is not a key id; 64 letters and digits are needed",
        ),
        (
            ALICE + f'[[keys]]\nname = "{KEY}"\naccount = "alise"\nsecret = "{SECRET}"',
            "gate.toml:5: keys[0].account: no account `alise`; did you mean `alice`?",
        ),
        (
            ALICE + f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = ""',
            "gate.toml:6: keys[0].secret: the shared secret is empty; kind is hmac",
        ),
        (
            ALICE + f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = 12',
            "gate.toml:6: keys[0].secret: the secret is not text; write it in quotes",
        ),
        (
            ALICE
            + f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nkind = "rsa"\nsecret = "{SECRET}"',
            "gate.toml:7: keys[0].secret: the public key can't be read; a PEM `PUBLIC KEY` is needed; kind is rsa",
        ),
        (
            ALICE
            + f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = "x"\npermissions = ["trad"]',
            "gate.toml:7: keys[0].permissions[0]: text `trad` where one of futures, margin, read, trade is expected",
        ),
        (
            ALICE
            + f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = "x"\naddresses = ["10.0.0"]',
            "gate.toml:7: keys[0].addresses[0]: `10.0.0` is not an IPv4 or IPv6 address",
        ),
        (
            ALICE
            + f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = "x"\nexpires = "2027-01-01"',
            "gate.toml:7: keys[0].expires: `2027-01-01` is not a time with its offset, such as 2027-01-01T00:00:00Z",
        ),
        (
            ALICE
            + f'[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = "x"\n'
            + 'expires = "9999-12-31T00:00:00Z"',
            "gate.toml:7: keys[0].expires: `9999-12-31T00:00:00Z` is not between 1970-01-01 and 2262-04-11; leave it out for a key that never expires",
        ),
        (
            'rulebook = "binance"',
            f"gate.toml:1: rulebook: no rulebook `binance`; there are {SHIPPED}, or give a path to a .toml file",
        ),
        ('rulebook = "nowhere.toml"', "nowhere.toml: No such file or directory"),
        ('bulk = ["nowhere.csv"]', "nowhere.csv: No such file or directory"),
        (
            'bulk = ["accounts.json"]',
            "accounts.json: not a file of accounts and keys; give .toml or .csv",
        ),
        ("seed = 1\n= 2\n", "gate.toml:2: not TOML: invalid statement (at line 2, column 1)"),
        (
            "seed = 1\nseed = 2",
            "gate.toml:2: not TOML: cannot overwrite a value (at end of document)",
        ),
    ],
)
def test_one_fault(tmp_path: Path, text: str, fault: str) -> None:
    """Each kind of error is told with file, line, path, value and what would be accepted."""
    assert faults_of(tmp_path, text) == [fault]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    """64 characters are a name, 65 are not."""
    load_config(write(tmp_path, f'[[accounts]]\nname = "{"a" * 64}"'))
    (fault,) = faults_of(tmp_path, f'[[accounts]]\nname = "{"a" * 65}"')
    assert "1 to 64 printable characters" in fault


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(ConfigError, match=r"none\.toml: No such file or directory"):
        load_config(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are not guessed at."""
    path = tmp_path / "gate.toml"
    path.write_bytes(b"seed = 1 # \xff")
    with pytest.raises(ConfigError, match=r"gate\.toml: not UTF-8 text"):
        load_config(path)


def test_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    """Configuration, bulk files and rulebook are told together, each under its own name."""
    write(tmp_path, '[rules.balance]\nmode = "on"\n', "mine.toml")
    write(tmp_path, '[[accounts]]\nname = "alice"\nfund = {}\n', "more.toml")
    write(
        tmp_path,
        f"key,account,secret\n{KEY},bob,\n{OTHER_KEY},alice,s\n{OTHER_KEY},alice,s\n",
        "keys.csv",
    )
    text = f'rulebook = "mine.toml"\nbulk = ["more.toml", "keys.csv"]\n{ALICE}clock = 1\n[lisen]\n'
    assert faults_of(tmp_path, text) == [
        (
            "gate.toml:5: accounts[0].clock: unknown field; there are funds, high_frequency, "
            "market_maker, name, owner, tier"
        ),
        "gate.toml:6: lisen: unknown field; did you mean `listen`?",
        "more.toml:2: accounts[0].name: account `alice` is given twice, first in gate.toml",
        "more.toml:3: accounts[0].fund: unknown field; did you mean `funds`?",
        "keys.csv:2: secret: missing",
        f"keys.csv:4: key: key `{OTHER_KEY}` is given twice, first in keys.csv",
        "mine.toml:2: rules.balance.mode: text `on` where one of enforce, off, shadow is expected",
    ]


def test_a_rule_that_can_not_be_built_is_told(tmp_path: Path) -> None:
    """A policy whose tariff is missing is told with file and line before the gate starts."""
    text = 'extends = "eu-conduct"\n[rules.resting_time]\npolicy = "CHARGE"\ntariff = "none"\n'
    write(tmp_path, text, "mine.toml")
    (fault,) = faults_of(tmp_path, 'rulebook = "mine.toml"')
    assert "policy CHARGE needs a tariff with an age_curve, `none` is none" in fault
