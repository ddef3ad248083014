"""Venues' languages, without I/O: bytes to events, outcomes to bytes."""
