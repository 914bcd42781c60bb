"""What a generation must show before it is kept."""
