"""Python environments: from a lock file of Python's tools to an object with all its wheels."""
