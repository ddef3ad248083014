"""What a client's script saw, step by step, printed as one JSON document at its end.

The scripts run in the environments of the clients, so this file needs nothing but Python itself.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import ROUND_DOWN, Decimal
from typing import Any, NamedTuple
from unittest.mock import patch

SYMBOL = "BTCUSDT"
TICK = Decimal("0.01")


class Key(NamedTuple):
    """An API key and what signs for it: a secret, or the PEM text of a private key."""

    name: str
    secret: str


class Arguments(NamedTuple):
    """What every script is started with."""

    base_url: str
    free: Key
    """Free to trade."""
    stopped: Key
    """Of an account that the operator has stopped."""
    rsa: Key
    ed25519: Key
    """Of the same account as `free`, signed with a private key."""


def arguments() -> Arguments:
    """Return what the command line says, as one JSON document."""
    given = json.loads(sys.argv[1])
    base_url = given.pop("base_url")
    return Arguments(base_url, **{name: Key(**key) for name, key in given.items()})


class Journal:
    """Notes the result or the error of every step.

    `describe` tells of an exception what the client shows its user, beside class and message;
    `headers` returns the headers of the latest answer, as far as the client exposes them.
    """

    def __init__(
        self,
        describe: Callable[[Exception], dict[str, Any]],
        headers: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self._describe = describe
        self._headers = headers
        self.steps: dict[str, dict[str, Any]] = {}

    def step(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call and note what came of it; returns its result, None if it was refused."""
        noted: dict[str, Any] = {}
        result = None
        try:
            result = call()
            noted["result"] = result
        except Exception as error:
            noted["error"] = {
                "class": type(error).__name__,
                "bases": [base.__name__ for base in type(error).__mro__[1:]],
                "message": str(error),
                **self._describe(error),
            }
        if self._headers is not None:
            noted["headers"] = {key.lower(): text for key, text in self._headers().items()}
        self.steps[name] = noted
        return result

    def until_refused(self, name: str, call: Callable[[], Any], attempts: int) -> int:
        """Make the same call until it is refused; the step notes that, with what passed before."""
        for accepted in range(attempts):
            self.step(name, call)
            if "error" in self.steps[name]:
                self.steps[name]["accepted"] = accepted
                return accepted
        raise SystemExit(f"{name}: not refused in {attempts} calls")

    def until(self, name: str, done: Callable[[], bool], call: Callable[[], Any]) -> None:
        """Make the same call until `done`, and note how many of the calls were refused."""
        refused = 0
        for _ in range(1_000):
            self.step(name, call)
            refused += "error" in self.steps[name]
            self.steps[name]["refused"] = refused
            if done():
                return
        raise SystemExit(f"{name}: not what was waited for after {refused} refusals")

    def until_something(self, name: str, call: Callable[[], Any]) -> None:
        """Make the same call for some seconds, until its result is not empty."""
        until = time.monotonic() + 10
        while not self.step(name, call) and time.monotonic() < until:
            time.sleep(0.1)

    def error(self, name: str) -> dict[str, Any]:
        """Return what was noted of a refusal, nothing if there was none."""
        found: dict[str, Any] = self.steps[name].get("error", {})
        return found

    def note(self, name: str, value: Any) -> None:
        """Note a value that is no answer."""
        self.steps[name] = {"result": value}

    def print(self) -> None:
        """Print the document."""
        json.dump(self.steps, sys.stdout, default=str)


@contextmanager
def wrong_clock(seconds: float) -> Iterator[None]:
    """Let this machine's clock be wrong: the client itself stays as it is."""
    real = time.time
    with patch("time.time", lambda: real() + seconds):
        yield


def far_below(price: Any) -> str:
    """Return a price a tenth below, on the tick: an order to buy that rests."""
    return str((Decimal(str(price)) * Decimal("0.9")).quantize(TICK, ROUND_DOWN))


def off_tick(price: str) -> str:
    """Return a price between two ticks."""
    return str(Decimal(price) + TICK / 2)


def near_above(price: Any) -> str:
    """Return a price a hundredth above, on the tick: an order to sell that rests."""
    return str((Decimal(str(price)) * Decimal("1.01")).quantize(TICK, ROUND_DOWN))
