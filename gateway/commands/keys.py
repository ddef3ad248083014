"""`ordergate keys create|list|revoke`: the keys of a running gate."""

import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from gateway.admin.client import (
    DEFAULT_TOKEN_FILE,
    DEFAULT_URL,
    AdminOption,
    JsonOption,
    TokenFileOption,
    connect,
    get_or_fail,
    post_or_fail,
)
from gateway.admin.messages import (
    CreatedKeyAnswer,
    CreateKeyRequest,
    KeyLine,
    KeysAnswer,
    RevokeKeyRequest,
)
from gateway.commands.common import PIPED_WIDTH, cell, console, fail, print_json
from gateway.logview.times import clock_text
from rules.values import NS_PER_DAY

KINDS: Final = ("hmac", "rsa", "ed25519")
PERMISSIONS: Final = ("read", "trade", "margin", "futures")


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    keys = typer.Typer(help="Make, list and revoke keys of a running gate.", no_args_is_help=True)
    keys.command("create")(create_command)
    keys.command("list")(list_command)
    keys.command("revoke")(revoke_command)
    app.add_typer(keys, name="keys")


def create_command(
    account: Annotated[str, typer.Argument(help="Account; opened when it does not exist.")],
    owner: Annotated[
        str, typer.Option(help="Owner of an account that is opened. Default: named alike.")
    ] = "",
    tier: Annotated[str, typer.Option(help="Tier of an account that is opened.")] = "",
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "hmac",
    public_key: Annotated[
        Path | None, typer.Option(help="PEM file with the public key (rsa, ed25519).")
    ] = None,
    permission: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(PERMISSIONS)}; may be repeated. Default: read."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(help="Address it may be used from; may be repeated. Default: any."),
    ] = None,
    expires: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD (UTC). Default: never.")] = "",
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """Make a key; a shared secret is made by the gate and shown this once."""
    if kind not in KINDS:
        fail(f"`{kind}` is not a kind of key; use one of {', '.join(KINDS)}")
    permissions = tuple(permission or ("read",))
    for name in permissions:
        if name not in PERMISSIONS:
            fail(f"`{name}` is not a permission; use {', '.join(PERMISSIONS)}")
    if (public_key is None) != (kind == "hmac"):
        fail(f"--public-key goes with kind rsa or ed25519, and is needed there; kind is {kind}")
    message = CreateKeyRequest(
        account=account,
        owner=owner,
        tier=tier,
        kind=kind,  # type: ignore[arg-type]  # checked above
        public_key=_pem(public_key),
        permissions=permissions,  # type: ignore[arg-type]
        addresses=tuple(address or ()),
        expires_ns=_end_of_day_ns(expires),
    )
    client = connect(admin, token_file)
    answer = post_or_fail(client, "/admin/v1/keys", message, CreatedKeyAnswer)
    if json:
        print_json(answer)
        return
    if answer.account_opened:
        console.print(f"opened account {account} of {answer.key.owner}", markup=False)
    console.print(f"key     {answer.key.name}", markup=False, soft_wrap=True)
    if answer.secret:
        console.print(f"secret  {answer.secret}", markup=False, soft_wrap=True)
        console.print("The secret is not shown again.")


def list_command(
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """List all keys, without their secrets."""
    client = connect(admin, token_file)
    answer = get_or_fail(client, "/admin/v1/keys", KeysAnswer)
    if json:
        print_json(answer)
        return
    table = Table()
    # A key id has 64 characters and is not broken in two where there is room for it.
    wide = console.width >= PIPED_WIDTH
    table.add_column("key", overflow="fold", no_wrap=wide)
    table.add_column("kind", no_wrap=wide)
    for heading in ("account", "owner", "permissions", "addresses"):
        table.add_column(heading, overflow="fold")
    for heading in ("expires", "state"):
        table.add_column(heading, no_wrap=wide)
    for key in answer.keys:
        table.add_row(
            cell(key.name),
            key.kind,
            cell(key.account),
            cell(key.owner),
            ", ".join(key.permissions),
            ", ".join(key.addresses) or "any",
            _expiry(key),
            "enabled" if key.enabled else "revoked",
        )
    console.print(table)


def revoke_command(
    key: Annotated[str, typer.Argument(help="Key id.")],
    admin: AdminOption = DEFAULT_URL,
    token_file: TokenFileOption = DEFAULT_TOKEN_FILE,
    json: JsonOption = False,
) -> None:
    """End a key for good. Its open orders stay; `ordergate kill key` cancels them."""
    client = connect(admin, token_file)
    answer = post_or_fail(client, "/admin/v1/keys/revoke", RevokeKeyRequest(name=key), KeyLine)
    if json:
        print_json(answer)
        return
    console.print(f"key {answer.name} is revoked", markup=False, soft_wrap=True)


def _pem(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except ValueError:
        fail(f"{path}: not a PEM file")


def _end_of_day_ns(text: str) -> int:
    """Return the end of a day in ns since the epoch, 0 for no day."""
    if not text:
        return 0
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        fail(f"`{text}` is not a day; write it as 2030-12-31")
    days = day.toordinal() + 1 - datetime.date(1970, 1, 1).toordinal()
    return days * NS_PER_DAY


def _expiry(key: KeyLine) -> str:
    if not key.expires_ns:
        return "never"
    return clock_text(key.expires_ns, "minutes")
