"""Firmware: how to ask each kind for one boot of another slot or system."""
