"""Edge processes: HTTP, signatures and the dialect's reading and writing, in front of one core.

Each process serves its own socket of the one port (`SO_REUSEPORT`) and has a Unix socket to the
core. Orders are read and answered in the edge; the core gets their events and hands back outcomes.
What an edge can't be sure of by itself, and every query, it passes on as it came.
"""
