"""Users and groups, and IDs that stay theirs."""
