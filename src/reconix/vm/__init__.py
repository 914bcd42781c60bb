"""A device to try things on: the image of a host in QEMU."""
