"""Pictures of what the commands tell: files that ask for nothing else, same input, same bytes."""
