"""One stream that turns the generation a device has into the one it should have."""
