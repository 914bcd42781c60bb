"""Tell how good the air is."""
