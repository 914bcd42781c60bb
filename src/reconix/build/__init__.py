"""From a lock to store objects: same lock, same bytes."""
