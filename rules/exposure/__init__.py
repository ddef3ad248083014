"""Rules on what an order could cost: size, value, collar, balance, open orders, duplicates."""
