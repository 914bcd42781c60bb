"""The agent, packed for a device."""
