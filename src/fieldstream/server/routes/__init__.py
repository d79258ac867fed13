"""A server's routes, by what they are about. Each module adds its own to a router."""
