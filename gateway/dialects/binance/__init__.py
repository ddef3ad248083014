"""Binance Spot over REST: requests into events, outcomes into answers; no server, no I/O."""
