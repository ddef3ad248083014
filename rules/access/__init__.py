"""Rules on who may speak at all: bans, authentication, timing, keys, accounts and permissions."""
