"""TOML with places: one grammar, read for its meaning and printed in one format."""
