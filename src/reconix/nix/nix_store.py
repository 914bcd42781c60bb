"""Taking closures from the store that the real Nix keeps on this machine.

Its database may belong to somebody else, so the program is asked: what is needed, and a stream of
what we lack. Paths keep their names, whether they were named by content or by how they were
built.

Tested by ``tests/compat/test_nix_export.py``.
"""

from collections.abc import Iterable, Sequence

from reconix.base.process import Word, reading, run
from reconix.nix.chroot import ChrootStore
from reconix.nix.export import import_stream
from reconix.store.paths import StorePath


def take_from_nix(
    store: ChrootStore, tops: Iterable[StorePath], options: Sequence[Word] = ()
) -> list[StorePath]:
    """Take objects with all that they need; give those that were not here before.

    Args:
        store: where to.
        tops: what to take.
        options: for ``nix-store``, for example another ``--store``.

    Raises:
        ProgramMissing: Nix is not installed.
        CommandFailed: Nix does not have them.
    """
    said = run("nix-store", *options, "--query", "--requisites", *map(str, tops)).decode()
    needed = [StorePath.parse(line) for line in said.split()]
    lacking = [str(path) for path in needed if not store.is_valid(path)]
    if not lacking:
        return []
    with reading("nix-store", *options, "--export", *lacking) as stream:
        return import_stream(store, stream.read)
