"""Built-in modules: services that many devices have, each a table of few options."""
