"""What operators may see and do, without a server: the admin port and gRPC are its edges."""
