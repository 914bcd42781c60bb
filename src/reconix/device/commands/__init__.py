"""The commands of several steps, as functions of values; ``__main__`` parses and prints."""
