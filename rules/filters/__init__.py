"""Rules on the form of one order: ticks, lots, notional and price bands of the instrument."""
