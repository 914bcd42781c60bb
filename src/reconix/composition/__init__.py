"""What a system is composed of: why each part is there, how large it is, what to declare of it."""
