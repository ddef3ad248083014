"""Statements of cancel-ratio fees: reading counts, charging them, and showing the result."""
