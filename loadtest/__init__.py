"""The load tester: open-loop load against a gate or an engine, through the wire alone."""
