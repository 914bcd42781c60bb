"""Users and groups, and numbers that stay theirs."""
