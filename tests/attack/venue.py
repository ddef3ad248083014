"""The configuration of the gate that is attacked: the default rulebook, one client with a key."""

from pathlib import Path
from typing import Final

KEY: Final = "TheWellBehavedClient".ljust(64, "0")
SECRET: Final = "the secret of the well-behaved client"
CONNECTIONS_MAX: Final = 200
"""Few, so that an attack holds them all."""


def write_config(directory: Path, segment_bytes: int, low_disk_bytes: int = 0) -> Path:
    """Write the configuration file of a gate with `process` durability, and return its path."""
    path = directory / "gate.toml"
    path.write_text(
        f"""
[listen]
rest_port = 0
grpc_port = 0
admin_port = 0
connections_max = {CONNECTIONS_MAX}

[record]
data = "{directory / "data"}"
durability = "process"
segment_bytes = {segment_bytes}
low_disk_bytes = {low_disk_bytes}
snapshots = false

[[instruments]]
name = "BTCUSDT"
base = "BTC"
quote = "USDT"
previous_close = "60000"

[[accounts]]
name = "client"
funds = {{ USDT = "1000000" }}

[[keys]]
name = "{KEY}"
account = "client"
secret = "{SECRET}"
permissions = ["read", "trade"]
"""
    )
    return path
