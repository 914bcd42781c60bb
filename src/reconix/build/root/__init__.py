"""A Debian root: installed, and made reproducible."""
