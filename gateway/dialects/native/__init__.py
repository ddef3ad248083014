"""The gate's own language: messages of proto/ordergate/v1 into events, outcomes into messages."""
