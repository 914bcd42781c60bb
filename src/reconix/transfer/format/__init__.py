"""What a stream is, byte by byte, and what it may ask for: the part that both ends share."""
