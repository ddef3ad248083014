"""`ordergate record key|sign`: keys of the record, and the signatures of closed segments."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.common import console, counted, print_json
from gateway.commands.record_options import (
    DataOption,
    JsonOption,
    data_directory,
    end_with,
    record_errors,
)
from gateway.journal.encryption import KEY_FILE_VARIABLE, make_key_file
from gateway.journal.manifest import DATA_DIRECTORY
from gateway.journal.seal import make_key_files, read_seal_key
from gateway.journal.upkeep import sign


def add_to(record: typer.Typer) -> None:
    """Add the commands."""
    key = typer.Typer(help="Make keys that sign or encrypt the record.", no_args_is_help=True)
    key.command("seal")(make_seal_key)
    key.command("encryption")(make_encryption_key)
    record.add_typer(key, name="key")
    record.command("sign")(sign_command)


def make_seal_key(
    file: Annotated[Path, typer.Argument(help="New file of the private key, as PEM.")],
    as_json: JsonOption = False,
) -> None:
    """Make an Ed25519 key pair: FILE for the gate, FILE.pub for whoever verifies."""
    with record_errors():
        made = make_key_files(file)
    if as_json:
        print_json({"key_id": made.public.key_id, "private": str(file), "public": f"{file}.pub"})
        return
    console.print(f"key {made.public.key_id}: {file} signs, {file}.pub verifies", markup=False)
    console.print("Keep the public key where whoever changes the record can't change it.")


def make_encryption_key(
    file: Annotated[Path, typer.Argument(help="New file of the key.")],
    as_json: JsonOption = False,
) -> None:
    """Make an AES-256 key that encrypts closed segments."""
    with record_errors():
        made = make_key_file(file)
    if as_json:
        print_json({"key_id": made.key_id, "file": str(file)})
        return
    console.print(f"key {made.key_id}: {file}", markup=False, soft_wrap=True)
    console.print(
        f"Set {KEY_FILE_VARIABLE}={file} for whoever reads. Keep a copy elsewhere: what is "
        "encrypted with it can't be read without it.",
        markup=False,
        soft_wrap=True,
    )


def sign_command(
    key: Annotated[Path, typer.Option("--key", help="PEM file of the private key.")],
    data: DataOption = Path(DATA_DIRECTORY),
    as_json: JsonOption = False,
) -> None:
    """Sign every closed segment that is not signed, after checking that it is what it was."""
    with record_errors():
        done = sign(data_directory(data), read_seal_key(key))
    if as_json:
        print_json(done)
    else:
        console.print(
            f"{counted(len(done.signed), 'segment')} signed with key {done.key_id}",
            markup=False,
            soft_wrap=True,
        )
    end_with(done.problems)
