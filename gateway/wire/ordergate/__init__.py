"""Messages and services of proto/ordergate/v1; generated, not edited."""
