"""The way of a generation: received, applied, confirmed, or left again."""
