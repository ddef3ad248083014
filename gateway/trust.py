"""From which addresses requests come that are a client's, and not anybody's."""

from collections.abc import Callable
from typing import Any

from gateway.core import Core
from rules.access.ban_ladder import BanLadder
from rules.access.overload import Overload
from rules.values import DEFINE_ADDRESS


def trust_of(core: Core) -> Callable[[str], bool]:
    """Return what tells whether a key was proved from an address lately, and it is not banned.

    Without the rule that remembers proved addresses, whoever is not banned is trusted.
    """
    overload: Any = core.pipeline.rule(Overload.name)
    ladder: Any = core.pipeline.rule(BanLadder.name)
    directory = core.directory

    def trusts(address: str) -> bool:
        ip = directory.known(DEFINE_ADDRESS, address)
        now_ns = core.now_ns()
        if overload is not None and not (ip and overload.knows(ip, now_ns)):
            return False
        return ladder is None or not ladder.banned_until(ip, now_ns)

    return trusts
