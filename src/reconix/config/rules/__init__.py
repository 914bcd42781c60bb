"""What must hold, and what probably should: assertions are errors, warnings are told."""
