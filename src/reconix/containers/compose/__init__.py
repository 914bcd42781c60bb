"""Compose files, and the containers of a system that they become.

``nodes`` reads YAML within bounds; ``variables`` puts values for ``${NAME}``; ``quantities`` reads
times, sizes and commands as Docker writes them; ``mounts`` and ``services`` translate; ``toml``
prints what came of it.
"""
