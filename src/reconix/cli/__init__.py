"""The command ``reconix``: one module per command, its docstring is its help."""
