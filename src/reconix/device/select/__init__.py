"""Which system runs: found out at the start, chosen, scheduled, watched."""
