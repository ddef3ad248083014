"""What a simulation counts: messages of the recording, the gate's verdicts, the market's ratios.

docs/simulate.md says what each figure counts; the field names are those of `--json`.
"""

from typing import Any

from gateway.flows.course import Course
from gateway.flows.reader import ROW_AMEND, ROW_CANCEL, ROW_NEW, ROW_REDUCE, Flow, FlowRow
from rules.decisions import ACCEPTED, DEFERRED, REFUSED, Decision
from rules.ratio_counts import WEIGHT_CANCEL, WEIGHT_MODIFY, WEIGHT_NEW, RatioCounts, ratio_e8
from rules.units import decimal_text
from rules.values import E8


class Verdicts:
    """Decisions on messages, counted."""

    def __init__(self) -> None:
        self.accepted = 0
        self.deferred = 0
        self.refused = 0
        self.refused_by_rule: dict[str, int] = {}
        self.shadowed_by_rule: dict[str, int] = {}
        self.charged_e8: dict[str, int] = {}
        """Amounts of charges by tariff."""

    def add(self, decision: Decision) -> None:
        """Count one decision; a rule counts once, however many of its limits were broken."""
        if decision.verdict == ACCEPTED:
            self.accepted += 1
        elif decision.verdict == DEFERRED:
            self.deferred += 1
        elif decision.verdict == REFUSED:
            self.refused += 1
        for charge in decision.charges:
            charged_e8 = self.charged_e8.get(charge.tariff, 0)
            self.charged_e8[charge.tariff] = charged_e8 + charge.amount_e8
        for breaches, by_rule in (
            (decision.breaches, self.refused_by_rule),
            (decision.shadows, self.shadowed_by_rule),
        ):
            for rule in dict.fromkeys(breach.rule for breach in breaches):
                by_rule[rule] = by_rule.get(rule, 0) + 1

    def figures(self) -> dict[str, Any]:
        """Return the counts under their `--json` names."""
        return {
            "accepted": self.accepted,
            "deferred": self.deferred,
            "refused_messages": self.refused,
            "refused": dict(sorted(self.refused_by_rule.items())),
            "shadowed": dict(sorted(self.shadowed_by_rule.items())),
            "charged": {
                tariff: decimal_text(amount_e8)
                for tariff, amount_e8 in sorted(self.charged_e8.items())
            },
        }


class Tally:
    """All figures of one simulation."""

    def __init__(self, flow: Flow, course: Course) -> None:
        self._course = course
        self.events = len(flow.rows)
        self.orders = 0
        self.cancels = 0
        self.amends = 0
        self.reduces = 0
        self.trades = sum(course.trades)
        self.cancels_known = 0
        self.cancels_refused_resting_time = 0
        self.verdicts = Verdicts()
        self.takers = len(course.takers)
        self.taker_verdicts = Verdicts()
        self._counts = RatioCounts()
        self._counts.trades = self.trades
        self._counts.volume_traded_e8 = sum(
            row.quantity_e8 for row, trade in zip(flow.rows, course.trades, strict=True) if trade
        )

    def add_message(self, index: int, row: FlowRow, decision: Decision, left_e8: int) -> None:
        """Count one message of the recording and the gate's decision on it.

        `left_e8` is what the order still offered before it, 0 when it is not known.
        """
        self.verdicts.add(decision)
        counts = self._counts
        if row.kind == ROW_NEW:
            self.orders += 1
            counts.number += WEIGHT_NEW
            counts.volume_e8 += row.quantity_e8
        elif row.kind == ROW_CANCEL:
            self.cancels += 1
            counts.number += WEIGHT_CANCEL
            counts.volume_e8 += left_e8 or row.quantity_e8
            if self._course.known[index]:
                self.cancels_known += 1
                self.cancels_refused_resting_time += any(
                    breach.rule == "resting_time" for breach in decision.breaches
                )
        else:
            self.amends += row.kind == ROW_AMEND
            self.reduces += row.kind == ROW_REDUCE
            counts.number += WEIGHT_MODIFY
            total_e8 = self._course.total_e8[index]
            if total_e8:
                counts.volume_e8 += left_e8 + total_e8 - self._course.filled_e8[index]

    def figures(self) -> dict[str, Any]:
        """Return every figure under its `--json` name; a ratio without a trade is None."""
        counts = self._counts
        refused, known = self.cancels_refused_resting_time, self.cancels_known
        return {
            "events": self.events,
            "orders": self.orders,
            "cancels": self.cancels,
            "amends": self.amends,
            "reduces": self.reduces,
            "trades": self.trades,
            "messages": self.orders + self.cancels + self.amends + self.reduces,
            **self.verdicts.figures(),
            "cancels_known": known,
            "cancels_refused_resting_time": refused,
            "share_refused_resting_time": round(100 * refused / known, 4) if known else None,
            "otr_number_simple": number(ratio_e8(self.orders, self.trades, 0)),
            "otr_number_rts9": number(ratio_e8(counts.number, counts.trades, 0)),
            "otr_volume_rts9": number(ratio_e8(counts.volume_e8, counts.volume_traded_e8, 0)),
            "takers": {"orders": self.takers, **self.taker_verdicts.figures()},
        }


def number(value_e8: int | None) -> float | None:
    """Return a ratio in 1e-8 as a number for people and JSON, None when it is undefined."""
    return None if value_e8 is None else value_e8 / E8
