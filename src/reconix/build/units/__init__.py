"""Units of systemd: which there are, and which start."""
