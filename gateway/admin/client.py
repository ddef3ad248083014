"""What the commands speak to the admin port with."""

import shlex
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import typer

from gateway.admin.messages import ErrorAnswer, Message
from gateway.commands.common import fail
from gateway.journal.manifest import DATA_VARIABLE

DEFAULT_URL: Final = "http://127.0.0.1:8081"
DEFAULT_TOKEN_FILE: Final = Path("ordergate-data/admin.token")
TIMEOUT_SECONDS: Final = 30.0

AdminOption: TypeAlias = Annotated[
    str, typer.Option("--admin", help="URL of the gate's admin port.", envvar="ORDERGATE_ADMIN")
]
TokenFileOption: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--token-file", help="File with the gate's admin token.", envvar="ORDERGATE_TOKEN_FILE"
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="The answer as JSON.")]
ActorOption: TypeAlias = Annotated[
    str, typer.Option(help="Who; it goes into the record. Default: your login name.")
]
_AnswerT = TypeVar("_AnswerT")


def settings_for(url: str, token_file: Path) -> list[str]:
    """Return the shell lines that lead commands to a gate and its record; none for the defaults.

    The token file is in the gate's data directory. Without a URL there are no operators' commands.
    """
    lines = []
    if url and url != DEFAULT_URL:
        lines.append(f"export ORDERGATE_ADMIN={shlex.quote(url)}")
    if token_file.absolute() != DEFAULT_TOKEN_FILE.absolute():
        if url:
            lines.append(f"export ORDERGATE_TOKEN_FILE={shlex.quote(str(token_file))}")
        lines.append(f"export {DATA_VARIABLE}={shlex.quote(str(token_file.parent))}")
    return lines


class AdminError(Exception):
    """The admin port could not be reached or refused; `status` is 0 when it was not reached."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class AdminClient:
    """Sends operators' requests to one gate."""

    def __init__(self, url: str, token: str) -> None:
        """Raise AdminError when `url` is not an HTTP address."""
        if not _is_base_url(url):
            raise AdminError(0, f"`{url}` is not a URL such as {DEFAULT_URL}")
        self._url = url.rstrip("/")
        self._token = token
        # No proxy of the environment: the admin port is spoken to directly.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, kind: type[_AnswerT], **query: str) -> _AnswerT:
        """Return the answer to a question; parameters that are empty are left out.

        Raises AdminError.
        """
        asked = urlencode({name: value for name, value in query.items() if value})
        return self._exchange(path + ("?" + asked if asked else ""), None, kind)

    def post(self, path: str, message: Message, kind: type[_AnswerT]) -> _AnswerT:
        """Return the answer to an act; raises AdminError."""
        return self._exchange(path, msgspec.json.encode(message), kind)

    def _exchange(self, path: str, body: bytes | None, kind: type[_AnswerT]) -> _AnswerT:
        request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
            self._url + path,
            data=body,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return msgspec.json.decode(response.read(), type=kind)
        except urllib.error.HTTPError as error:
            with error:
                raise AdminError(error.code, _error_text(error)) from None
        except (OSError, ValueError, HTTPException) as error:
            # What answers there may be no HTTP server at all.
            reason = getattr(error, "reason", error)
            raise AdminError(
                0, f"no answer from {self._url}: {reason}; is the gate running there?"
            ) from None


def _is_base_url(url: str) -> bool:
    """Tell whether a text is an address that requests can be sent to."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def path_with(path: str, name: str) -> str:
    """Return a path that ends with a name, whatever characters that has."""
    return f"{path}/{quote(name, safe='')}"


def connect(url: str, token_file: Path) -> AdminClient:
    """Return a client with the token of a file; ends the command with exit code 2 without it."""
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except OSError as error:
        fail(
            f"{token_file}: {error.strerror}; the gate writes its admin token there at its start, "
            "name another file with --token-file"
        )
    except ValueError:
        fail(f"{token_file}: not a token")
    try:
        return AdminClient(url, token)
    except AdminError as error:
        fail(str(error))


def get_or_fail(client: AdminClient, path: str, kind: type[_AnswerT], **query: str) -> _AnswerT:
    """Return the answer to a question; ends the command with exit code 2 without one."""
    try:
        return client.get(path, kind, **query)
    except AdminError as error:
        fail(str(error))


def post_or_fail(
    client: AdminClient, path: str, message: Message, kind: type[_AnswerT]
) -> _AnswerT:
    """Return the answer to an act; ends the command with exit code 2 without one."""
    try:
        return client.post(path, message, kind)
    except AdminError as error:
        fail(str(error))


def _error_text(error: urllib.error.HTTPError) -> str:
    body: Any = error.read()
    try:
        return msgspec.json.decode(body, type=ErrorAnswer).error
    except msgspec.DecodeError:
        return f"the admin port answered {error.code} {error.reason}"
