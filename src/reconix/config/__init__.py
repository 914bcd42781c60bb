"""What the user writes: machines, systems, and the lock of everything they need."""
