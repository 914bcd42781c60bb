"""The lock: every input of a build, pinned by hash."""
