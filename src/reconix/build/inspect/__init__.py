"""Questions about what is built or would be: what changed, is it allowed."""
