"""The real Nix as a program: it builds flakes for us and hands over what it has.

Which Nix that is, with which store and which settings, is the user's choice (``NIX_REMOTE``,
``nix.conf``); we add only what these commands need. Nix copies into our store by itself, as it
would into any other: ``nix/chroot.py`` keeps one that it knows.

Proven by ``tests/compat/test_nixos.py``.
"""

from reconix.base.documents import BadDocument, Fields, parse_json
from reconix.base.process import Word, run
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

_FEATURES = ("--extra-experimental-features", "nix-command flakes")


def build(flake: str, attribute: str) -> StorePath:
    """Build an attribute of a flake in the store of Nix, and give its first output.

    Raises:
        ProgramMissing: Nix is not installed.
        CommandFailed: it cannot be built.
    """
    said = _nix("build", "--no-link", "--json", f"{flake}#{attribute}")
    return _first_output(said, source=f"nix build {flake}#{attribute}")


def _first_output(said: bytes, *, source: str) -> StorePath:
    built = parse_json(said, source=source)
    if not isinstance(built, list) or not built:
        raise BadDocument(f"{source} says nothing about what it built")
    outputs = Fields.of(built[0], source=source).object("outputs")
    name = "out" if outputs.has("out") else outputs.names()[0]
    return StorePath.parse(outputs.text(name))


def hand_over(path: StorePath, store: ChrootStore) -> None:
    """Copy an object with all that it needs from the store of Nix into ours.

    Objects that were built on this machine have no signatures; that they are what they were is
    checked against the lock.

    Raises:
        ProgramMissing: Nix is not installed.
        CommandFailed: it does not have the object.
    """
    _nix(
        "copy",
        "--no-check-sigs",
        "--option",
        "build-users-group",
        "",
        "--to",
        store.root,
        str(path),
    )


def _nix(*words: Word) -> bytes:
    return run("nix", *_FEATURES, *words)
