"""Bulk files of a configuration: accounts and keys from CSV and TOML, with their errors."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.config import AccountConfig
from gateway.config_file import load_config
from tests.gateway.config_world import ALICE, KEY, OTHER_KEY, faults_of, write

ACCOUNTS_CSV = """account,owner,tier,market_maker,high_frequency,funds
alice, alice-and-bob ,market_maker,TRUE,false,USDT=1000; BTC=0.5
"bob",alice-and-bob,,,,

carol,,,,true,ETH=1
"""


def test_accounts_from_csv(tmp_path: Path) -> None:
    """Cells are stripped, empty ones take the default, blank lines are passed over."""
    write(tmp_path, ACCOUNTS_CSV, "accounts.csv")
    config = load_config(write(tmp_path, 'bulk = ["accounts.csv"]'))
    assert config.accounts == (
        AccountConfig(
            name="alice",
            owner="alice-and-bob",
            tier="market_maker",
            market_maker=True,
            funds={"USDT": "1000", "BTC": "0.5"},
        ),
        AccountConfig(name="bob", owner="alice-and-bob"),
        AccountConfig(name="carol", high_frequency=True, funds={"ETH": "1"}),
    )


def test_keys_from_csv(tmp_path: Path) -> None:
    """Columns come in any order; a quoted cell may hold lines, as a PEM does."""
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    rows = f'secret,key,kind,account,permissions,addresses\n"{pem}",{KEY},ed25519,alice,,\ns,{OTHER_KEY},,alice,read trade,10.0.0.1;10.0.0.2\n'
    write(tmp_path, rows, "keys.csv")
    config = load_config(write(tmp_path, f'bulk = ["keys.csv"]\n{ALICE}'))
    first, second = config.keys
    assert (first.kind, first.secret, first.permissions) == ("ed25519", pem.strip(), ("read",))
    assert (second.kind, second.permissions) == ("hmac", ("read", "trade"))
    assert second.addresses == ("10.0.0.1", "10.0.0.2")


def test_keys_and_accounts_from_toml(tmp_path: Path) -> None:
    """A further TOML file has the configuration's own tables."""
    text = f'{ALICE}[[keys]]\nname = "{KEY}"\naccount = "alice"\nsecret = "s"\n'
    write(tmp_path, text, "more.toml")
    config = load_config(write(tmp_path, 'bulk = ["more.toml"]'))
    assert (config.accounts[0].name, config.keys[0].name) == ("alice", KEY)


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        ("", ["1: the header has no column `account`"]),
        (
            "acount\nx\n",
            [
                "1: the header has no column `account`",
                "1: acount: unknown column; did you mean `account`?",
            ],
        ),
        ("account,account\na,b\n", ["1: account: the header has the column twice"]),
        ("key,secret\nx,y\n", ["1: the header has no column `account`"]),
        ("account,teir\na,yes\n", ["1: teir: unknown column; did you mean `tier`?"]),
        (
            "account,owner\na\nb,b,b\n",
            ["2: the row has 1 cells and the header 2", "3: the row has 3 cells and the header 2"],
        ),
        (
            "account,market_maker\na,1\n",
            ["2: market_maker: text `1` where true or false is expected"],
        ),
        (
            "account,funds\na,USDT\n",
            ["2: funds: `USDT` is not one amount of an asset such as USDT=1000"],
        ),
        (
            "account,funds\na,USDT=1;USDT=2\n",
            ["2: funds: `USDT=2` is not one amount of an asset such as USDT=1000"],
        ),
        (
            "account,funds\na,USDT=x\n",
            ["2: funds.USDT: `x` is not a decimal number such as 12 or 0.05"],
        ),
        (
            'account,owner\n"a\nb",c\n',
            ["2: account: `a\nb` is no name; 1 to 64 printable characters are taken"],
        ),
        ('account\n"a\n', ["2: unexpected end of data"]),
        ("account,owner\n,b\n", ["2: account: missing"]),
    ],
)
def test_faults_of_csv(tmp_path: Path, rows: str, faults: list[str]) -> None:
    """Each is told with file, line and column."""
    write(tmp_path, rows, "accounts.csv")
    found = faults_of(tmp_path, 'bulk = ["accounts.csv"]')
    assert [fault.removeprefix("accounts.csv:") for fault in found] == faults


def test_many_accounts_and_faults(tmp_path: Path) -> None:
    """Every row is checked, and the ones at fault are told with their own lines."""
    rows = "account,owner\n" + "".join(
        f"a{number},{'' if number % 1000 else 'x' * 65}\n" for number in range(1, 5001)
    )
    write(tmp_path, rows, "accounts.csv")
    found = faults_of(tmp_path, 'bulk = ["accounts.csv"]')
    assert [fault.split(":")[1] for fault in found] == ["1001", "2001", "3001", "4001", "5001"]
