"""The kernel and the initrd."""
