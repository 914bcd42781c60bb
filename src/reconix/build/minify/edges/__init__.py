"""What one file of a device reaches, a module for each kind of file."""
