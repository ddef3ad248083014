"""Edges move bytes between clients and dialects; they decide nothing."""
