"""What must hold (assertions: errors) and what is probably a mistake (warnings), by subject."""
