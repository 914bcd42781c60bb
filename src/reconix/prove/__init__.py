"""Proving that no power cut breaks a device: record, build every crash state, judge each."""
