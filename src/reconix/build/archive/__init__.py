"""Debian archives: which packages a system needs, and getting them."""
