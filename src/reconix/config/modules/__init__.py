"""Modules: how they are found, run and merged, and the words in which they are written."""
