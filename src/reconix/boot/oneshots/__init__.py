"""One-shots: what holds for the next boot and no other, told to each kind of memory."""
