"""Facts of the machine a run was made on, without which its figures say little."""

import os
import platform
import sys
from pathlib import Path
from typing import Final

from loadtest.results import Machine

_GOVERNORS: Final = Path("/sys/devices/system/cpu")


def machine(event_loop: str) -> Machine:
    """Return what can be told about this machine; what can't be is empty or 0."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    usable = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return Machine(
        processor=_field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        cores=os.cpu_count() or 1,
        usable_cores=tuple(sorted(usable)),
        governors=_governors(),
        memory_kib=int((_field(Path("/proc/meminfo"), "MemTotal") or "0").split()[0]),
        system=platform.platform(),
        python=f"{platform.python_implementation()} {sys.version.split()[0]}",
        event_loop=event_loop,
        load_average=load,
    )


def _field(path: Path, name: str) -> str:
    """Return the first value of a name in a file of `name: value` lines, empty without one."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return ""


def _governors() -> tuple[str, ...]:
    found = set()
    for path in _GOVERNORS.glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            found.add(path.read_text(encoding="ascii").strip())
        except OSError:
            continue
    return tuple(sorted(found))
