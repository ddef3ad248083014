"""Generate the code of proto/ordergate/v1 into gateway/wire, or check that it is current.

`values.proto` itself is generated: its enums are the code lists of `rules.values` and
`rules.reasons`, with the same numbers, so that the wire and the record can't drift apart.
Generated imports are rewritten to live under `gateway.wire`.

Run as `python tools/generate_proto.py` (what `make proto` does) or with `--check`, which writes
nothing and exits with 1 when a committed file differs from what would be generated.
"""

import importlib.resources
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rules import decisions, reasons, values  # noqa: E402

PROTO_ROOT: Final = ROOT / "proto"
WIRE_ROOT: Final = ROOT / "gateway" / "wire"
PACKAGE: Final = "ordergate/v1"
PROTOS: Final = ("values", "order_entry", "engine", "decision", "admin")
SERVICES: Final = ("order_entry", "engine", "admin")

_PACKAGE_FILE: Final = '"""Messages and services of proto/ordergate/v1; generated, not edited."""\n'
_IMPORT: Final = re.compile(r"^from ordergate\.v1 import", re.MULTILINE)
_ENUMS: Final = (
    ("Side", "SIDE", values.SIDE_NAMES, "Side of an order."),
    ("OrderType", "ORDER_TYPE", values.ORDER_TYPE_NAMES, "Type of an order."),
    ("TimeInForce", "TIME_IN_FORCE", values.TIME_IN_FORCE_NAMES, "How long an order may rest."),
    ("StpMode", "STP_MODE", values.STP_MODE_NAMES, "Self-trade prevention; the taker's decides."),
    ("OrderStatus", "ORDER_STATUS", values.ORDER_STATUS_NAMES, "Status of an order."),
    ("Channel", "CHANNEL", values.CHANNEL_NAMES, "The way an order or request came in."),
    ("Scope", "SCOPE", values.SCOPE_NAMES, "What a limit or a stop counts for."),
    ("StopState", "STOP_STATE", values.STATE_NAMES, "Stop state; a larger number is stricter."),
    (
        "SymbolTradingState",
        "SYMBOL_TRADING_STATE",
        values.SYMBOL_STATE_NAMES,
        "State of trading in a symbol.",
    ),
    ("Cause", "CAUSE", values.CAUSE_NAMES, "Why an order ended; only CLIENT counts as conduct."),
    (
        "CancelRestriction",
        "CANCEL_RESTRICTION",
        ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"),
        "Cancel only an order in this status.",
    ),
    ("Verdict", "VERDICT", decisions.VERDICT_NAMES, "What was decided about an event."),
)


def values_proto() -> str:
    """Return the text of values.proto: every code list as an enum with the record's numbers."""
    parts = [
        "// Codes shared by all messages. Generated from rules/values.py and rules/reasons.py by",
        "// tools/generate_proto.py; a number never changes its meaning and is never reused.",
        "",
        'syntax = "proto3";',
        "",
        "package ordergate.v1;",
    ]
    for name, prefix, members, comment in _ENUMS:
        numbered = [(member or "UNSPECIFIED", number) for number, member in enumerate(members)]
        parts += _enum(name, prefix, numbered, comment)
    numbered = [("UNSPECIFIED", 0)] + [(reason.name, reason.value) for reason in reasons.Reason]
    parts += _enum("Reason", "REASON", numbered, "Why something was refused.")
    return "\n".join(parts) + "\n"


def _enum(name: str, prefix: str, members: list[tuple[str, int]], comment: str) -> list[str]:
    lines = ["", f"// {comment}", f"enum {name} {{"]
    lines += [f"  {prefix}_{member.upper()} = {number};" for member, number in members]
    return [*lines, "}"]


def generate() -> dict[Path, str]:
    """Return every generated file with its content; raises RuntimeError when protoc fails."""
    files = {PROTO_ROOT / PACKAGE / "values.proto": values_proto()}
    with tempfile.TemporaryDirectory() as text:
        work = Path(text)
        source = work / "proto" / PACKAGE
        output = work / "out"
        source.mkdir(parents=True)
        output.mkdir()
        for name in PROTOS:
            path = PROTO_ROOT / PACKAGE / f"{name}.proto"
            (source / path.name).write_text(files.get(path) or path.read_text("utf-8"), "utf-8")
        _protoc(work / "proto", output)
        for path in sorted((output / PACKAGE).iterdir()):
            if path.name.endswith("_grpc.py") and path.name.split("_pb2")[0] not in SERVICES:
                continue
            content = _IMPORT.sub("from gateway.wire.ordergate.v1 import", path.read_text("utf-8"))
            files[WIRE_ROOT / PACKAGE / path.name] = content
    for package in (WIRE_ROOT, WIRE_ROOT / "ordergate", WIRE_ROOT / PACKAGE):
        files[package / "__init__.py"] = _PACKAGE_FILE
    return files


def _protoc(source: Path, output: Path) -> None:
    """Run protoc on every proto below `source`."""
    includes = importlib.resources.files("grpc_tools") / "_proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{source}", f"-I{includes}"]
    command += [f"--{plugin}_out={output}" for plugin in ("python", "pyi", "grpc_python")]
    command += [f"{PACKAGE}/{name}.proto" for name in PROTOS]
    # The command is built here from constants; nothing of it comes from outside.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"protoc failed:\n{done.stderr}")


def differences(files: dict[Path, str]) -> list[str]:
    """Return what is missing, different or left over in the tree, one line each."""
    found = []
    for path, content in files.items():
        name = path.relative_to(ROOT)
        if not path.exists():
            found.append(f"{name} is missing")
        elif path.read_text("utf-8") != content:
            found.append(f"{name} is not current")
    stale = set(WIRE_ROOT.rglob("*.py*")) - set(files)
    found += [
        f"{path.relative_to(ROOT)} is left over"
        for path in sorted(stale)
        if path.suffix in (".py", ".pyi")
    ]
    return found


def main(arguments: list[str]) -> int:
    """Write the generated files, or with `--check` only compare; return the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"generate_proto: unknown {' '.join(arguments)}; only --check is known\n")
        return 2
    files = generate()
    if arguments:
        found = differences(files)
        for line in found:
            sys.stderr.write(f"generate_proto: {line}; run `make proto`\n")
        return 1 if found else 0
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
