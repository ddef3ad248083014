"""Rules that stop trading for a scope: stop states and symbol states."""
