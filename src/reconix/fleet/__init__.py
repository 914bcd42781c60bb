"""Devices out there: reached over ssh, updated, watched until they keep it or come back."""
