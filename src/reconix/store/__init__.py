"""Immutable trees under names that promise their content, in the format of Nix."""
