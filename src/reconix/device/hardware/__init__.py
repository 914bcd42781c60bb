"""What the machine says, and how it is restarted."""
