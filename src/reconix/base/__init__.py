"""What everything rests on: errors, durable files, digests, progress, starting programs."""
