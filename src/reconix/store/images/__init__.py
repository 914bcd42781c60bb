"""Trees as a device has them: small images of names and metadata over a pool of contents."""
