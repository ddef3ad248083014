"""The matching engine the gate is shown with: deterministic, integers only, no clock of its own."""
