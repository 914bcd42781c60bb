"""The disk of a device as one file, made without root and without a clock."""
