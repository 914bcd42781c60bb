"""Devices out there: reached through ssh, updated, watched until they keep it or come back."""
