"""What the demo tells a newcomer: addresses, keys, and three commands that work when pasted."""

import shutil
import sys
from pathlib import Path

from gateway.admin.client import settings_for
from gateway.admin.surface import TOKEN_FILE
from gateway.app import Gate
from gateway.commands.serving import ReadyLine
from gateway.demo_keys import DEMO_KEYS

_SIGNED = """\
KEY={key}
SECRET={secret}
og() {{ # og METHOD PATH PARAMETERS: one signed request
  query="$3&timestamp=$(date +%s000)"
  signature=$(printf %s "$query" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.* //')
  curl -sS -i -X "$1" -H "X-MBX-APIKEY: $KEY" "{rest}$2?$query&signature=$signature"; echo
}}"""
_ACCEPTED = (
    "og POST /api/v3/order "
    "'symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=60000'"
)
_REFUSED = (
    "og POST /api/v3/order "
    "'symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=60000.001'"
)
_OPERATORS = """
Operators' commands (limits, kill, status and others) find this gate after

  {settings}
"""


def own_command() -> str:
    """Return how this program is called again from the same directory."""
    if shutil.which("ordergate"):
        return "ordergate"
    started_as = Path(sys.argv[0])
    return str(started_as) if started_as.stem == "ordergate" else f"{sys.executable} -m gateway"


def welcome(line: ReadyLine, gate: Gate) -> str:
    """Return the demo's greeting."""
    key = DEMO_KEYS[0]
    data = gate.config.record.data
    settings = settings_for(line.admin, data / TOKEN_FILE)
    operators = _OPERATORS.format(settings="\n  ".join(settings)) if settings else ""
    signed = _SIGNED.format(key=key.name, secret=key.secret, rest=line.rest)
    return f"""\
ordergate demo: a venue on this machine. Ctrl-C stops it.

  REST (Binance dialect)  {line.rest}/api/v3
  gRPC                    {line.grpc}
  admin                   {line.admin}   (token in {data}/admin.token)
  record                  {data}/{line.run}
  rulebook                {gate.rulebook.name}

In another terminal, from this directory, paste:

{signed}

An order that is accepted:

  {_ACCEPTED}

An order that is refused (its price is between two ticks):

  {_REFUSED}

Why was it refused? Take the answer's X-OrderGate-Decision:

  {own_command()} log explain ID --data {data}
{operators}
Any Binance client works with the base URL {line.rest}; demo keys:
{chr(10).join(f"  {key.account}  key {key.name}{chr(10)}              secret {key.secret}" for key in DEMO_KEYS)}
"""
