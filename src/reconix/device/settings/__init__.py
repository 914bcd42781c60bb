"""The files in which a toplevel says how its device behaves."""
