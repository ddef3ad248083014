"""The servers whose REST requests are measured, each on the first processor."""

import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from gateway.builds import SWITCH
from loadtest.control import signed_query
from loadtest.keys import read_keys, write_keys
from loadtest.prepare import prepare_gate
from loadtest.workload import Key
from tests.bench.assembled_parts import LACKING

ROOT: Final = Path(__file__).parents[2]
ACCOUNTS: Final = 64
PLACE_SHARE: Final = 0.55
NOTHING_SHED_TEXT: Final = '\n[overload]\norders = "0s"\nqueries = "0s"\nmarket_data = "0s"\n'
START_SECONDS: Final = 60.0
FIRST_PROCESSOR: Final = min(os.sched_getaffinity(0))
"""The servers' own; the client has the last."""
NGINX_LUA_MODULES: Final = (
    Path("/usr/lib/nginx/modules/ndk_http_module.so"),
    Path("/usr/lib/nginx/modules/ngx_http_lua_module.so"),
)
"""Where Debian's libnginx-mod-http-lua puts them."""
_NGINX: Final = """
{modules}
daemon off; master_process off; worker_processes 1; pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  {more}
}}
"""
_FIXED: Final = """
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{{"orderId":1,"fixed":true}}'; }} }}
"""
_LUA: Final = """
  lua_shared_dict windows 10m;
  upstream engine {{ server 127.0.0.1:{inner}; keepalive 128; keepalive_requests 100000000; }}
  init_by_lua_file {directory}/init.lua;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      access_by_lua_block {{ require_right() }}
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://engine;
    }}
  }}
  server {{ listen 127.0.0.1:{inner}; location / {{ return 200 '{{"orderId":1,"fixed":true}}'; }} }}
"""
_LUA_CODE: Final = """
local ffi = require "ffi"
ffi.cdef[[
typedef struct evp_md_st EVP_MD;
const EVP_MD *EVP_sha256(void);
unsigned char *HMAC(const EVP_MD *kind, const void *key, int key_length,
  const unsigned char *data, size_t length, unsigned char *digest, unsigned int *digest_length);
unsigned char *ngx_hex_dump(unsigned char *out, const unsigned char *data, size_t length);
]]
local keys = { %s }
local digest, length = ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]")
local text = ffi.new("unsigned char[64]")
local sha256 = ffi.C.EVP_sha256()
function require_right()
  local query, key = ngx.var.args or "", ngx.var.http_x_mbx_apikey or ""
  local secret, at = keys[key], string.find(query, "&signature=", 1, true)
  if not secret or not at then return ngx.exit(401) end
  ffi.C.HMAC(sha256, secret, #secret, query, at - 1, digest, length)
  ffi.C.ngx_hex_dump(text, digest, 32)
  if ffi.string(text, 64) ~= string.sub(query, at + 11) then return ngx.exit(401) end
  local used = ngx.shared.windows:incr(key .. math.floor(ngx.now() / 60), 1, 0, 120)
  if used > 1000000000 then return ngx.exit(429) end
end
"""


class Orders:
    """Signed placements and cancels of many accounts, each connection with orders of its own."""

    def __init__(self, keys: tuple[Key, ...], seed: int) -> None:
        self._keys = keys
        self._random = random.Random(seed)
        self._number = 0

    def key(self, number: int) -> Key:
        """Return one of the keys."""
        return self._keys[number]

    def plan(self, connection: int, requests: int) -> list[bytes]:
        """Return the requests of one connection, stamped now."""
        key = self._keys[connection % len(self._keys)]
        names: list[str] = []
        found = []
        for _ in range(requests):
            if names and self._random.random() >= PLACE_SHARE:
                cancel = {"symbol": "BTCUSDT", "origClientOrderId": names.pop()}
                found.append(signed_order("DELETE", key, cancel))
            else:
                self._number += 1
                names.append(f"bench-{self._number}")
                found.append(signed_order("POST", key, placement(self._random, names[-1])))
        return found

    def off_tick(self, connection: int, requests: int) -> list[bytes]:
        """Return placements that the last stage of the gate refuses."""
        key = self._keys[connection % len(self._keys)]
        off_tick = placement(self._random, "off-tick") | {"price": "65000.001"}
        return [signed_order("POST", key, off_tick) for _ in range(requests)]


def placement(chance: random.Random, name: str) -> dict[str, str]:
    """Return an order of either side that rests: its price is away from the market."""
    buys = chance.random() < 0.5
    price = 65_000 + (-1 if buys else 1) * chance.randint(10, 900)
    return {
        "symbol": "BTCUSDT",
        "side": "BUY" if buys else "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.001",
        "price": f"{price}.00",
        "newClientOrderId": name,
        "newOrderRespType": "ACK",
    }


def signed_order(method: str, key: Key, parameters: dict[str, str]) -> bytes:
    """Return a request about an order, stamped and signed now."""
    parameters |= {"recvWindow": "60000", "timestamp": str(time.time_ns() // 1_000_000)}
    return http_request(method, f"/api/v3/order?{signed_query(key, parameters)}", key.name)


def http_request(method: str, target: str, key_name: str = "") -> bytes:
    """Return a request without a body, of nobody unless a key is named."""
    key = f"X-MBX-APIKEY: {key_name}\r\n" if key_name else ""
    headers = f"Host: gate\r\n{key}User-Agent: bench\r\nAccept: */*\r\n"
    return f"{method} {target} HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n".encode()


class Running(NamedTuple):
    """A server that listens."""

    process: "subprocess.Popen[str]"
    port: int
    orders: Orders
    """Signed with keys it knows."""
    data: Path = Path()
    """Of a gate: where its record and the token of its admin port are."""
    grpc_port: int = 0
    """Of a gate."""


Start: TypeAlias = Callable[[], AbstractContextManager[Running]]


class Server(NamedTuple):
    """One kind of server."""

    name: str
    start: Start
    missing: str = ""
    """Why it can't be measured here, empty when it can."""
    whole: bool = False
    """Whether it is a gate, which is asked for more than orders."""


def servers() -> list[Server]:
    """Return all kinds, also those that can't be measured here."""
    nginx_missing = "" if shutil.which("nginx") else "nginx is not installed (nginx-light)"
    lua_missing = nginx_missing
    if not all(path.exists() for path in NGINX_LUA_MODULES):
        lua_missing = "nginx has no Lua (libnginx-mod-http-lua)"
    interpreted = ""
    if not compiled():
        interpreted = "the rules are not compiled here, so `gate` has interpreted ones"
    return [
        Server(NGINX, nginx_fixed, nginx_missing),
        Server(NGINX_LUA, nginx_lua, lua_missing),
        Server(ASSEMBLED, assembled),
        Server(GATE, partial(gate, OWN_EDGE), whole=True),
        Server(GATE_INTERPRETED, partial(gate, OWN_EDGE, build="never"), interpreted),
        Server(GATE_SPINNING, partial(gate, f"{OWN_EDGE}\nspin = true"), whole=True),
        Server(GATE_AIOHTTP, partial(gate, 'rest_edge = "aiohttp"'), whole=True),
    ]


NGINX: Final = "nginx, fixed body"
NGINX_LUA: Final = "nginx + Lua"
WHOLE_ASSEMBLED: Final = "assembled"
ASSEMBLED: Final = f"assembled without {' and '.join(LACKING)}" if LACKING else WHOLE_ASSEMBLED
GATE: Final = "gate"
GATE_INTERPRETED: Final = "gate, interpreted rules"
OWN_EDGE: Final = 'rest_edge = "httptools"'
GATE_SPINNING: Final = "gate, spinning"
GATE_AIOHTTP: Final = "gate over aiohttp"


def compiled() -> bool:
    """Tell whether the rules beside this file are compiled."""
    found = find_spec("rules.pipeline")
    return found is not None and not str(found.origin).endswith(".py")


@contextmanager
def gate(listen: str, *options: str, build: str = "auto", sheds: bool = False) -> Iterator[Running]:
    """Run a gate with the rulebook `bench`, `process` durability and the embedded engine.

    Unless it `sheds`, requests wait as long as it takes, so that a busy machine refuses none.
    """
    with tempfile.TemporaryDirectory(prefix="ordergate-bench-") as name:
        directory = Path(name)
        config = prepare_gate(directory, ACCOUNTS, 0, 0)
        text = config.read_text(encoding="utf-8").replace("demo_market = true\n", "")
        text = text.replace("[record]\n", '[record]\ndurability = "process"\nsnapshots = false\n')
        text = text.replace("grpc_port = -1", "grpc_port = 0") + (
            "" if sheds else NOTHING_SHED_TEXT
        )
        config.write_text(text.replace("[listen]\n", f"[listen]\n{listen}\n"), encoding="utf-8")
        command = [sys.executable, "-m", "gateway", "serve", "-c", str(config), *options]
        errors = (directory / "errors").open("w")
        pipes = {"stdout": subprocess.PIPE, "stderr": errors}
        environment = {**os.environ, SWITCH: build}
        with errors, pinned(command, env=environment, text=True, **pipes) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            port = int(ready["rest"].rpartition(":")[2])
            orders = Orders(read_keys(directory / "keys.json"), 1)
            grpc_port = int(ready.get("grpc", ":0").rpartition(":")[2])
            yield Running(process, port, orders, Path(ready["data"]), grpc_port)


@contextmanager
def assembled() -> Iterator[Running]:
    """Run the stack put together from parts; it logs to a file as the gate records to one."""
    with tempfile.TemporaryDirectory(prefix="ordergate-bench-") as name:
        keys, file = _keys(), Path(name) / "keys.json"
        write_keys(file, keys)
        log = str(Path(name) / "log")
        command = [sys.executable, "-m", "tests.bench.rest_assembled", str(file), log]
        with pinned(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            yield Running(process, int(process.stdout.readline()), Orders(keys, 1))


@contextmanager
def nginx_fixed() -> Iterator[Running]:
    """Run nginx that answers everything with the same body."""
    with _nginx("", lambda port, _: _FIXED.format(port=port)) as running:
        yield running


@contextmanager
def nginx_lua() -> Iterator[Running]:
    """Run nginx that verifies an HMAC, counts one window, and passes on to itself as the engine."""
    modules = "".join(f"load_module {path};\n" for path in NGINX_LUA_MODULES)

    def configured(port: int, directory: str) -> str:
        return _LUA.format(port=port, inner=_free_port(), directory=directory)

    with _nginx(modules, configured) as running:
        yield running


@contextmanager
def _nginx(modules: str, configured: Callable[[int, str], str]) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="ordergate-bench-") as name:
        port, keys, directory = _free_port(), _keys(), Path(name)
        text = _NGINX.format(modules=modules, directory=name, more=configured(port, name))
        (directory / "nginx.conf").write_text(text, encoding="ascii")
        known = ", ".join(f'["{key.name}"] = "{key.secret}"' for key in keys)
        (directory / "init.lua").write_text(_LUA_CODE % known, encoding="ascii")
        command = ["nginx", "-p", name, "-c", str(directory / "nginx.conf")]
        with pinned(command, text=True, stderr=subprocess.DEVNULL) as process:
            ending = time.monotonic() + START_SECONDS
            while time.monotonic() < ending:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield Running(process, port, Orders(keys, 1))


@contextmanager
def pinned(command: list[str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Run a program on the first processor until the end of the block."""
    process = subprocess.Popen(command, cwd=ROOT, **options)
    os.sched_setaffinity(process.pid, {FIRST_PROCESSOR})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def _keys() -> tuple[Key, ...]:
    return tuple(
        Key(secrets.token_hex(32), secrets.token_hex(32), f"load-{number}")
        for number in range(ACCOUNTS)
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
