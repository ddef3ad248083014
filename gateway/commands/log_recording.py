"""Who reads the record is itself recorded, before anything is read."""

import getpass
import os
import shlex
import sys
from typing import Annotated, TypeAlias

import typer

from gateway.admin.client import AdminClient, AdminError
from gateway.admin.messages import ActAnswer, RecordReadRequest
from gateway.admin.surface import (
    NOTE_CHARACTERS_MAX,
    READ_QUERY_CHARACTERS_MAX,
    TOKEN_FILE,
    URL_FILE,
)
from gateway.clock import SystemClock
from gateway.commands.common import fail
from gateway.logview.reads import ReadsError, append_read
from gateway.logview.sources import Source

ActorOption: TypeAlias = Annotated[
    str, typer.Option(help="Who reads, or for whom; recorded beside the user of this machine.")
]


def record_read(context: typer.Context, source: Source, actor: str) -> None:
    """Record the command that is about to read a source, and who gave it.

    A gate that runs on the data directory writes it into its record; without one it goes into the
    journal of reads. Ends the command when neither is possible.
    """
    who = _shortened(_who(actor), NOTE_CHARACTERS_MAX)
    asked = _shortened(_asked(context), READ_QUERY_CHARACTERS_MAX)
    if _told_the_gate(source, who, asked):
        return
    try:
        append_read(source.data, SystemClock().now_ns(), who, asked)
    except ReadsError as error:
        fail(str(error))


def _told_the_gate(source: Source, actor: str, query: str) -> bool:
    """Tell the gate that runs on the data directory; False when none does.

    The token is made anew at each start, so what answers to it is the gate of this directory.
    """
    try:
        url = (source.data / URL_FILE).read_text(encoding="ascii").strip()
        token = (source.data / TOKEN_FILE).read_text(encoding="ascii").strip()
        request = RecordReadRequest(actor=actor, query=query)
        AdminClient(url, token).post("/admin/v1/record/reads", request, ActAnswer)
    except (OSError, ValueError, AdminError):
        return False
    return True


def _who(actor: str) -> str:
    """Return who reads: the user of this machine, and the name that was given."""
    user = _user()
    return f"{actor} ({user})" if actor and actor != user else user


def _user() -> str:
    """Return the user the process runs as; not what the environment says, which anybody sets."""
    if sys.platform == "win32":
        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _asked(context: typer.Context) -> str:
    """Return the command as it could be given: with the arguments and options that were given."""
    path = context.command_path
    told = [path.partition(" -m gateway ")[2] or path.partition(" ")[2] or path]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name == "DEFAULT":
            continue
        value = context.params.get(name)
        values = value if isinstance(value, (list, tuple)) else (value,)
        if parameter.param_type_name == "argument":
            told += (shlex.quote(str(one)) for one in values)
        elif isinstance(value, bool):
            told.append(parameter.opts[0] if value else (parameter.secondary_opts or [""])[0])
        else:
            told += (f"{parameter.opts[0]} {shlex.quote(str(one))}" for one in values)
    return " ".join(told)


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    end = f" … ({len(text)} characters)"
    return text[: longest - len(end)] + end
