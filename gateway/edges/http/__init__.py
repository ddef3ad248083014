"""Order entry over HTTP/1.1: an asyncio protocol over llhttp that calls the dialects directly."""
