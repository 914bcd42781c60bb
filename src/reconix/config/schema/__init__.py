"""Every option there is: its type, its default, what it means, and an example.

A team writes down what its device is and what it can become. These modules are the language in
which it does so. A table of TOML is a frozen dataclass here, an option is one of its fields, and
nothing about an option is said anywhere else: loading and merging, the messages about errors,
``docs/options.md`` and the JSON Schema for editors are all read off these types.

    reconix.toml                       Project
    hosts/<host>/machine.toml          Machine and System: what all systems of the host share
    hosts/<host>/systems/<name>.toml   System: what this one adds; or NixSystem

The types are also the result. ``load.load`` gives a ``Configuration`` whose hosts have one
``Machine`` and, for each system, one ``System``: machine and system file merged
(``config/merge.py``).

Tested by ``tests/unit/config/test_schema.py``: every example is accepted, and ``docs/options.md``
is what these modules say.
"""
