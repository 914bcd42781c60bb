"""The foundation: errors, durable files, digests, progress, starting programs."""
