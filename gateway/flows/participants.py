"""Whose orders a recording's are: accounts, keys and addresses for flows that carry none."""

import hashlib
import re
from typing import Final, NamedTuple

from gateway.flows.reader import FlowRow

OWNERS_ONE: Final = "one"
OWNERS_FLOW: Final = "flow"
OWNERS_MAX: Final = 65_536
_HASH = re.compile(r"hash:([1-9][0-9]{0,5})")


class Participant(NamedTuple):
    """Who sends a message: names, not yet numbers."""

    account: str
    key: str
    address: str


MARKET: Final = Participant("market", "market-key", "127.0.0.1")
"""The whole market as one participant."""
TAKERS: Final = Participant("takers", "takers-key", "127.0.0.2")
"""Who sends rebuilt incoming orders, kept apart because nobody recorded them."""


class Participants:
    """Assigns each order of a flow to a participant, the same way every time.

    `owners` is `one` (everything is one account behind one address), `hash:N` (each order belongs
    to one of N owners by a digest of its id) or `flow` (as the columns account, key and ip say;
    a row without an account belongs to the account that submitted its order).
    """

    def __init__(self, owners: str) -> None:
        """Raises ValueError when `owners` is none of these."""
        match = _HASH.fullmatch(owners)
        if match is None and owners not in (OWNERS_ONE, OWNERS_FLOW):
            raise ValueError(f"owners `{owners}`; accepted: one, hash:N, or flow")
        self.owners = owners
        self._count = int(match[1]) if match is not None else 1
        if self._count > OWNERS_MAX:
            raise ValueError(f"owners `{owners}`; accepted: at most hash:{OWNERS_MAX}")
        self._of_order: dict[tuple[str, str], Participant] = {}

    @property
    def single(self) -> bool:
        """Whether one account and one address carry the whole flow."""
        return self.owners == OWNERS_ONE

    def of(self, row: FlowRow) -> Participant:
        """Return who sent the message of `row`."""
        if self.owners == OWNERS_ONE:
            return MARKET
        if self.owners == OWNERS_FLOW:
            return self._of_columns(row)
        digest = hashlib.blake2b(f"{row.symbol} {row.order_id}".encode(), digest_size=8).digest()
        return numbered(int.from_bytes(digest, "big") % self._count)

    def _of_columns(self, row: FlowRow) -> Participant:
        identity = (row.symbol, row.order_id)
        first = self._of_order.get(identity)
        account = row.account or (first.account if first is not None else MARKET.account)
        same = first if first is not None and first.account == account else None
        participant = Participant(
            account,
            row.key or (same.key if same is not None else f"{account}-key"),
            row.ip or (same.address if same is not None else MARKET.address),
        )
        self._of_order.setdefault(identity, participant)
        return participant


def numbered(number: int) -> Participant:
    """Return the participant `number` of a spread flow, with an address of its own."""
    return Participant(
        f"owner-{number}", f"owner-{number}-key", f"127.1.{number >> 8}.{number & 255}"
    )
