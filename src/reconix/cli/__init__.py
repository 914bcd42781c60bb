"""The command ``reconix``: a module per command parses and prints; its docstring is its help."""
