"""A second family, which only tests know: its parameters have names of their own, and it has no token types."""
