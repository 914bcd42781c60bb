"""A project: its files, its lock, the places of what is made of it."""
