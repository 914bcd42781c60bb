"""Layers of images: what they are packed in, what stands in them, and the tree that they make."""
