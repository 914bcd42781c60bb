"""Images of containers: where they are, what they say, and what is in their layers."""
