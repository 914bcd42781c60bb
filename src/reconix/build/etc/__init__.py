"""The generated files below ``/etc``."""
