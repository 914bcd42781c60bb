"""What a system reaches stays in its root; everything else goes, each with its reason."""
