"""What a case of conduct keeps, at its bounds."""

import pytest

from rules.conduct_facts import EVIDENCE_MAX, NOTES_MAX, Case
from rules.decisions import Alert


def alert(*evidence: int) -> Alert:
    """Something found, with the records that make the case."""
    return Alert("layering", 1, 1, 1, 0, evidence, ())


@pytest.mark.parametrize("surplus", [-1, 0, 1, 2])
def test_the_first_and_the_latest_evidence_is_kept(surplus: int) -> None:
    """What is in the middle goes, so how it began and what came last can be shown."""
    case = Case(1, 1, 1, "layering", False, 0, 0)
    case.add(alert(*range(1, 200)), 1)
    last = EVIDENCE_MAX + surplus
    case.add(alert(*range(150, last + 1)), 2)
    half = EVIDENCE_MAX // 2
    whole = list(range(1, last + 1))
    assert case.evidence == (whole if surplus <= 0 else whole[:half] + whole[-half:])
    assert len(case.evidence) == min(last, EVIDENCE_MAX)


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_the_latest_notes_are_kept(surplus: int) -> None:
    """The oldest goes."""
    case = Case(1, 1, 1, "layering", False, 0, 0)
    for number in range(NOTES_MAX + surplus):
        case.note(number, "note", "officer", "")
    kept = [at_ns for at_ns, *_ in case.notes]
    assert kept == list(range(max(surplus, 0), NOTES_MAX + surplus))
