"""What a device makes itself, because no root may hold it."""
