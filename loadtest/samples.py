"""What a run leaves behind: a few numbers for each request, and nothing computed from them yet."""

from array import array
from collections import Counter
from typing import Final

import msgspec

from loadtest.schedule import Schedule

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
ERROR: Final = "error"
OUTCOMES: Final = (ACCEPTED, REFUSED, ERROR)
DECISION_HEADER: Final = b"x-ordergate-decision"
RULE_HEADER: Final = b"x-ordergate-rule"
NEVER: Final = -1
"""A time that did not come."""
LABELS_MAX: Final = 1_000
"""Different answers that are told apart; a target may say something else each time."""
LABEL_CHARACTERS: Final = 120
"""Of what a target says so many are kept."""
_OTHERS: Final = "other answers"


class _Refusal(msgspec.Struct):
    """The part of the dialect's error body that is read."""

    code: int


class Samples:
    """Times of each request in ns since the start of the run, and how it ended.

    All columns have one entry for each arrival. A request has an outcome once it has an
    `answered_ns`; for an error that is when it was given up.
    """

    def __init__(self, times: Schedule) -> None:
        self.intended_ns = times
        self.possible_ns = array("q", times)
        """When it could be sent: when it was meant to be, or later when a connection came free."""
        self.sent_ns = array("q", [NEVER]) * len(times)
        self.answered_ns = array("q", [NEVER]) * len(times)
        self.labels = array("H", [0]) * len(times)
        """Index into `label_names`."""
        self.label_names: list[tuple[str, str]] = []
        """Outcome and what the answer was, such as ("refused", "400 -2011 cancel")."""
        self.decision_ids: list[str | None] = [None] * len(times)
        """None without an answer, empty where the answer has no id."""
        self.answered = 0
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self._label_numbers: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self.intended_ns)

    def end(self, index: int, now_ns: int, outcome: str, label: str) -> None:
        """Note how a request ended, and when."""
        number = self._label_numbers.get((outcome, label))
        if number is None:
            number = self._label_number(outcome, label)
        self.labels[index] = number
        self.answered_ns[index] = now_ns
        self.counts[outcome] += 1
        self.answered += 1

    def first(self, count: int) -> "Samples":
        """Return the first so many requests, all of which have ended."""
        part = Samples(self.intended_ns[:count])
        part.possible_ns = self.possible_ns[:count]
        part.sent_ns = self.sent_ns[:count]
        part.answered_ns = self.answered_ns[:count]
        part.labels = self.labels[:count]
        part.label_names = self.label_names
        part.decision_ids = self.decision_ids[:count]
        part.answered = count
        part.counts |= Counter(self.label_names[number][0] for number in part.labels)
        return part

    def _label_number(self, outcome: str, label: str) -> int:
        """Return the number of a label that may be a new one, without what a screen would obey."""
        kept = label[:LABEL_CHARACTERS]
        pair = (outcome, "".join(each if each.isprintable() else "?" for each in kept))
        if pair not in self._label_numbers and len(self.label_names) >= LABELS_MAX:
            pair = (outcome, _OTHERS)
        number = self._label_numbers.get(pair)
        if number is None:
            number = self._label_numbers[pair] = len(self.label_names)
            self.label_names.append(pair)
        return number


def classify(status: int, body: bytes, rule: str) -> tuple[str, str]:
    """Return the outcome and the label of an answer over HTTP."""
    if 200 <= status < 300:
        return ACCEPTED, str(status)
    try:
        code = msgspec.json.decode(body, type=_Refusal).code
    except msgspec.DecodeError:
        code = 0
    return classify_status(status, code, rule)


def classify_status(status: int, code: int, rule: str = "") -> tuple[str, str]:
    """Return the outcome and the label of an answer of the Binance dialect.

    Accepted is any 2xx. Refused is what the target decided against: 4xx and, with the dialect's
    code -1008, 503 (overload). Anything else, 408 (fate unknown) among it, is an error.
    """
    if 200 <= status < 300:
        return ACCEPTED, str(status)
    label = " ".join(filter(None, (str(status), str(code or ""), rule)))
    if (400 <= status < 500 and status != 408) or (status, code) == (503, -1008):
        return REFUSED, label
    return ERROR, label
