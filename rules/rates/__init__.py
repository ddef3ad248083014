"""Rules that count requests, weight and orders in windows."""
