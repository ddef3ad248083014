"""Recorded order flow: reading it, and what it says of each order's course."""
