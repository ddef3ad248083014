"""How many connections the process can hold and still open the files it needs.

Anybody can open connections, and each takes a file descriptor. If they took the last one, the next
segment of the record could not be opened, the record would be lost, and trading would stop. So the
process asks for as many descriptors as it may have, and its ports take no more than what is left
beyond a reserve.
"""

import logging
import resource
from typing import Final

RESERVED: Final = 256
"""Descriptors kept for the record, the key store, operators and what runs beside the gate."""

_logger = logging.getLogger(__name__)


def connections_that_fit(wanted: int, ports: int) -> int:
    """Return how many connections each of `ports` may hold, at most `wanted`.

    Raises the process's own limit of open files as far as that needs and the system allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * ports + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    fitting = each_of(soft, wanted, ports)
    if fitting < wanted:
        # Somewhat fewer than by default is how most machines are set up, and nothing to alarm about.
        _logger.log(
            logging.WARNING if 2 * fitting < wanted else logging.INFO,
            "at most %d connections a port, not %d: %d files may be open; "
            "raise that limit (`ulimit -n`) or lower listen.connections_max",
            *(fitting, wanted, soft),
        )
    return fitting


def each_of(limit: int, wanted: int, ports: int) -> int:
    """Return how many connections each port may hold when `limit` files may be open."""
    if limit == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (limit - RESERVED) // ports))
