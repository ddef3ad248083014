"""A ledger's entries as the postings of a decision, and back."""

from collections.abc import Mapping

from rules.decisions import Posting, stored
from rules.fees.ledger import Entry


def posting_of(entry: Entry, numbers: Mapping[str, int]) -> Posting:
    """Return the posting of an entry; `numbers` are those of symbols by name."""
    return Posting(
        entry.identity,
        entry.tariff,
        entry.owner,
        numbers.get(entry.symbol, 0),
        entry.period,
        stored(entry.amount_e8),
        entry.currency,
        entry.reverses,
    )


def entry_of(posting: Posting, names: Mapping[int, str]) -> Entry:
    """Return the entry of a posting; `names` are those of symbols by number."""
    return Entry(
        posting.identity,
        posting.tariff,
        posting.owner,
        names.get(posting.symbol, ""),
        posting.period,
        int(posting.amount_e8),
        posting.currency,
        posting.reverses,
    )
