"""Rules on how an owner trades over time: resting time and order-to-trade ratio."""
