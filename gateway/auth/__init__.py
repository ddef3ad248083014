"""Who is speaking: signatures over raw bytes, and the sealed store of key material."""
