"""Accounts and keys for a load test: of a gate that is to be started, or of a running one.

A gate's accounts get their funds from its configuration when they are first opened; the admin
port can open accounts and make keys, but not deposit. So a configuration is the way to many
funded accounts, and on a running gate keys are made for accounts that have funds already.
"""

import csv
import secrets
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from loadtest.keys import write_keys
from loadtest.signing import HMAC, Key, make_key_material
from loadtest.unanswered import reason
from loadtest.units import LoadTestError

ACCOUNTS_MAX: Final = 100_000
FUNDS: Final = "USDT=10000000;BTC=100;ETH=1000"
_ADMIN_SECONDS: Final = 10.0
_CONFIG: Final = """# A gate for load tests: `ordergate serve -c {path}`.
# Every rule is enforced with limits out of reach, and {count} accounts have a key each.
rulebook = "bench"
bulk = ["accounts.csv", "keys.csv"]
demo_market = true

[listen]
rest_port = {rest_port}
grpc_port = {grpc_port}
admin_port = {admin_port}

[record]
data = "{data}"

[[instruments]]
name = "BTCUSDT"
base = "BTC"
quote = "USDT"
previous_close = "65000"

[[instruments]]
name = "ETHUSDT"
base = "ETH"
quote = "USDT"
previous_close = "3200"
"""


class _Named(msgspec.Struct):
    name: str


class _Created(msgspec.Struct):
    """The part of the admin port's answer that is read."""

    key: _Named
    secret: str


def prepare_gate(
    directory: Path,
    accounts: int,
    rest_port: int,
    admin_port: int,
    sources: tuple[str, ...] = (),
    grpc_port: int = -1,
    kind: str = HMAC,
) -> Path:
    """Write a gate's configuration with funded accounts, and the file of their keys.

    The file also names the addresses to send from. Without gRPC its port is -1.

    Returns the configuration's path; files with secrets can be read by their owner only. Raises
    LoadTestError when the number is out of range, there is no such kind of key, or the directory
    has such files already.
    """
    if not 0 < accounts <= ACCOUNTS_MAX:
        raise LoadTestError(f"{accounts} accounts are not 1 to {ACCOUNTS_MAX}")
    config = directory / "gate.toml"
    if config.exists():
        raise LoadTestError(f"{config}: exists already; name another directory")
    made = [make_key_material(kind) for _ in range(accounts)]
    keys = tuple(
        _key(secrets.token_hex(32), kind, material, f"load-{number}")
        for number, (material, _) in enumerate(made, 1)
    )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_keys(directory / "keys.json", keys, sources)
        with _private(directory / "accounts.csv").open("w", encoding="ascii", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("account", "funds"))
            rows.writerows((key.account, FUNDS) for key in keys)
        with _private(directory / "keys.csv").open("w", encoding="ascii", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("key", "account", "kind", "secret", "permissions"))
            for key, (_, told) in zip(keys, made, strict=True):
                rows.writerow((key.name, key.account, kind, told, "read trade"))
        text = _CONFIG.format(
            path=config,
            count=accounts,
            rest_port=rest_port,
            grpc_port=grpc_port,
            admin_port=admin_port,
            data=_toml_text((directory / "data").absolute()),
        )
        config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LoadTestError(f"{directory}: {error.strerror}") from None
    return config


async def prepare_running(
    admin: str, token_file: Path, accounts: tuple[str, ...], count: int, kind: str = HMAC
) -> tuple[Key, ...]:
    """Make keys through a gate's admin port, for its accounts in turn; raises LoadTestError."""
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LoadTestError(f"{token_file}: can't be read: {error}") from None
    keys = []
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"},
        timeout=aiohttp.ClientTimeout(total=_ADMIN_SECONDS),
    ) as session:
        for number in range(count):
            account = accounts[number % len(accounts)]
            asked: dict[str, Any] = {
                "account": account,
                "kind": kind,
                "permissions": ["read", "trade"],
            }
            material, told = make_key_material(kind)
            if kind != HMAC:
                asked["public_key"] = told
            try:
                async with session.post(
                    f"{admin.rstrip('/')}/admin/v1/keys", json=asked, allow_redirects=False
                ) as answer:
                    body = await answer.read()
                if answer.status != 201:
                    raise LoadTestError(f"{admin}: {_said(body, answer.status)}")
                created = msgspec.json.decode(body, type=_Created)
            except msgspec.DecodeError as error:
                raise LoadTestError(f"{admin}: its answer can't be read: {error}") from None
            except (aiohttp.ClientError, TimeoutError) as error:
                raise LoadTestError(f"{admin}: no key was made: {reason(error)}") from None
            # A shared secret is made by the gate.
            keys.append(_key(created.key.name, kind, created.secret or material, account))
    return tuple(keys)


def _key(name: str, kind: str, material: str, account: str) -> Key:
    return Key(name, material, account) if kind == HMAC else Key(name, "", account, material)


def _private(path: Path) -> Path:
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def _toml_text(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _said(body: bytes, status: int) -> str:
    try:
        answer: Any = msgspec.json.decode(body)
        return str(answer["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the admin port answered {status}"
