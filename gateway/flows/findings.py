"""What conduct rules told in a simulation: alerts with their time since the first order."""

from typing import Any

from gateway.directory import Directory
from rules.conduct_facts import STEP_NAMES
from rules.decisions import Decision
from rules.units import decimal_text
from rules.values import DEFINE_GROUP, DEFINE_OWNER, NS_PER_MS


class Findings:
    """Collects alerts and steps of the ladder with names; figures are those of `--json`."""

    def __init__(self, directory: Directory) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.now_ns = 0
        """Time of the decisions that come; kept by whoever makes them."""
        self._directory = directory

    def on_decision(self, decision: Decision) -> None:
        """Take up what a decision carries."""
        for alert in decision.alerts:
            self.alerts.append(
                {
                    "at_ns": self.now_ns,
                    "rule": alert.rule,
                    "who": self._who(alert.interest),
                    "owners": [self._owner(owner) for owner in alert.owners],
                    "symbol": self._symbol(alert.symbol),
                    "severity": alert.severity,
                    "shadow": alert.shadow,
                    "case": alert.case,
                    "since_ns": alert.since_ns,
                    "took_ms": (self.now_ns - alert.since_ns) // NS_PER_MS,
                    "evidence": len(alert.evidence),
                    "figures": {
                        name.removesuffix("_e8"): decimal_text(int(value))
                        if name.endswith("_e8")
                        else str(value)
                        for name, value in alert.figures
                    },
                }
            )
        for step in decision.steps:
            self.steps.append(
                {
                    "at_ns": self.now_ns,
                    "who": self._who(step.interest),
                    "symbol": self._symbol(step.symbol),
                    "step": STEP_NAMES[step.step],
                    "before": STEP_NAMES[step.before],
                    "cause": step.cause,
                    "case": step.case,
                }
            )

    def figures(self) -> dict[str, Any]:
        """Return everything found."""
        by_rule: dict[str, int] = {}
        for alert in self.alerts:
            by_rule[alert["rule"]] = by_rule.get(alert["rule"], 0) + 1
        return {
            "alerts_by_rule": dict(sorted(by_rule.items())),
            "alerts": self.alerts,
            "measures": self.steps,
        }

    def _who(self, interest: int) -> str:
        kind = DEFINE_OWNER if interest > 0 else DEFINE_GROUP
        return self._directory.name(kind, abs(interest))

    def _owner(self, owner: int) -> str:
        return self._directory.name(DEFINE_OWNER, owner)

    def _symbol(self, symbol: int) -> str:
        found = self._directory.symbols_by_number.get(symbol)
        return found.name if found is not None else ""
