"""The pure core: events, decisions, rules, the book and the pipeline.

Nothing in this package reads a clock, a file, a socket, a random number or the environment.
Prices, quantities and amounts are integers in 1e-8 units; times are integers in nanoseconds and
arrive as arguments. The same events through the same rulebook give the same decisions.
"""
