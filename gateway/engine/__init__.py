"""The matching engine as the core sees it: one port, an embedded and a remote form."""
