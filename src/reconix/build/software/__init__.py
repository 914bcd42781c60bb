"""What a team brings itself: its own packages, folders and Python environments."""
