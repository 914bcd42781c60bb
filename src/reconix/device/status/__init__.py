"""The status of a device: read once, then printed for programs or for people."""
