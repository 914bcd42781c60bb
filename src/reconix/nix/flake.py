"""Flakes, built by the real Nix in its own store.

Which Nix that is, with which store and which settings, is the user's choice (``NIX_REMOTE``,
``nix.conf``); we add only the experimental features that building a flake needs. What is built is
taken from there by ``nix/nix_store.py``.

Tested by ``tests/unit/nix/test_flake.py``, and with Nix itself by ``tests/compat/test_nixos.py``.
"""

from reconix.base.documents import BadDocument, Fields, parse_json
from reconix.base.process import run
from reconix.store.paths import StorePath

_FEATURES = ("--extra-experimental-features", "nix-command flakes")


def build(flake: str, attribute: str) -> StorePath:
    """Build an attribute of a flake, and give its output ``out``, or else its first.

    Raises:
        ProgramMissing: Nix is not installed.
        CommandFailed: it cannot be built.
    """
    wanted = f"{flake}#{attribute}"
    said = run("nix", *_FEATURES, "build", "--no-link", "--json", wanted)
    return _output(said, source=f"nix build {wanted}")


def _output(said: bytes, *, source: str) -> StorePath:
    built = parse_json(said, source=source)
    if not isinstance(built, list) or not built:
        raise BadDocument(f"{source} says nothing about what it built")
    outputs = Fields.of(built[0], source=source).object("outputs")
    name = "out" if outputs.has("out") else outputs.names()[0]
    return StorePath.parse(outputs.text(name))
