"""A minimal root is an object of its own, made once, with a sidecar that fits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_trees import write

from reconix.build.minify import minified
from reconix.build.minify.files import MAX_READ_BYTES, Files
from reconix.build.minify.minified import Inputs
from reconix.build.minify.origin import Origin
from reconix.build.minify.plan import Wanted
from reconix.build.minify.reasons import Reasons, read_reasons
from reconix.build.software.device_files import Part
from reconix.build.software.programs import BrokenPrograms
from reconix.nix.chroot import ChrootStore
from reconix.store.images.nodes import Metadata
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar
from reconix.store.tree import File, folder

NOTHING = Wanted()
SYSTEMD = "usr/lib/systemd/systemd"
ROOT = {
    SYSTEMD: "",
    "usr/bin/ping": "",
    "usr/bin/idle": "",
    "usr/share/doc/x": "",
    "losses": "",
    "var/lib/dpkg/info/tool:amd64.list": "/usr/bin/idle\n",
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def inputs(
    store: ChrootStore, folder_: Path, settings: str = "ping", wanted: Wanted = NOTHING
) -> Inputs:
    root = store.add(write(folder_ / "root", ROOT), "debian-root")
    etc = store.add_files(folder({"conf": File(f"/usr/bin/{settings}".encode())}), "etc")
    agent = store.add_files(folder({"x": File(b"x")}), "agent")
    return Inputs(root, minified.above(etc, agent, (), ()), wanted)


def names(store: ChrootStore, path: StorePath) -> set[str]:
    place = store.path(path)
    return {str(each.relative_to(place)) for each in place.rglob("*") if each.is_file()}


def minify(store: ChrootStore, given: Inputs) -> Sidecar:
    said = ((b"usr/bin/idle", Metadata(0o755)), (b"usr/bin/ping", Metadata(0o4755)))
    return minified.minify(store, given, Sidecar(given.root, said, (b"losses",)), "amd64")


def test_only_what_is_reached_is_in_it_and_described(store: ChrootStore, tmp_path: Path) -> None:
    found = minify(store, inputs(store, tmp_path))
    assert names(store, found.subject) == {SYSTEMD, "usr/bin/ping", "losses"}
    assert found.entries == ((b"usr/bin/ping", Metadata(0o4755)),)
    assert found.omitted == (b"lists", b"losses")
    assert store.closure(found.subject) == [found.subject]


def test_another_setting_that_reaches_the_same_makes_no_new_root(
    store: ChrootStore, tmp_path: Path
) -> None:
    first, given = minify(store, inputs(store, tmp_path)), inputs(store, tmp_path)
    etc = store.add_files(folder({"conf": File(b"# more\n/usr/bin/ping")}), "etc")
    other = replace(given, above=(given.above[0], ("/etc", etc)))
    assert other.recipe() != given.recipe()
    assert minify(store, other) == first


def test_what_is_reached_otherwise_makes_another_root(store: ChrootStore, tmp_path: Path) -> None:
    first = minify(store, inputs(store, tmp_path))
    other = minify(store, inputs(store, tmp_path, "idle"))
    assert names(store, other.subject) - names(store, first.subject) >= {"usr/bin/idle"}
    kept = minify(store, inputs(store, tmp_path, wanted=Wanted(keep=("/usr/bin/idle",))))
    assert "usr/bin/idle" in names(store, kept.subject)


def reasons_of(store: ChrootStore, minimal: StorePath) -> Reasons:
    origin = Origin.of(store, minimal)
    assert origin is not None
    return read_reasons(store.path(origin.reasons))


def test_what_a_root_came_from_is_known_afterwards(store: ChrootStore, tmp_path: Path) -> None:
    given = inputs(store, tmp_path)
    assert Origin.of(store, given.root) is None
    minimal = minify(store, given).subject
    origin = Origin.of(store, minimal)
    assert origin is not None
    assert origin.root == given.root
    found = reasons_of(store, minimal)
    assert found.stays["usr/bin/ping"].how == "names /usr/bin/ping"
    assert found.goes["usr/share/doc/x"].by == "documents"


def test_what_keeps_nothing_is_told(store: ChrootStore, tmp_path: Path) -> None:
    keep = (
        "/missing",
        "/usr/bin/idle",
        "/bin/ping",
        "package:tool",
        "package:none",
        "suggested:tpm",
    )
    given = inputs(
        store,
        tmp_path,
        wanted=Wanted(keep=keep, programs=("ping", "pong"), without=("/usr/bin/ping",)),
    )
    found = reasons_of(store, minify(store, given).subject)
    assert list(minified.useless(given.wanted, found, store.path(given.root))) == [
        "minify.keep: /missing keeps nothing, it is not there",
        "minify.keep: package:none keeps nothing, it is not there",
        "minify.keep: suggested:tpm keeps nothing, it is not there",
        "minify.without: /usr/bin/ping did not go",
        "minify.programs: pong is not there",
    ]


def test_a_root_that_lacks_what_a_file_needs_is_not_made(
    store: ChrootStore, tmp_path: Path
) -> None:
    root = {**ROOT, "usr/bin/ping": "#!/usr/share/doc/x\n"}
    given = replace(
        inputs(store, tmp_path), root=store.add(write(tmp_path / "odd", root), "debian-root")
    )
    with pytest.raises(BrokenPrograms, match="the interpreter /usr/share/doc/x"):
        minify(store, given)


def test_what_is_needed_and_too_large_to_be_searched_stays_and_is_told(
    store: ChrootStore, tmp_path: Path
) -> None:
    root = write(tmp_path / "root", {**ROOT, "usr/bin/huge": ""})
    with (root / "usr/bin/huge").open("r+b") as file:
        file.truncate(MAX_READ_BYTES + 1)
        file.seek(MAX_READ_BYTES - 4)
        file.write(b"/usr/bin/idle")
    assert [*minified.too_large(("usr/bin/huge", "usr/bin/ping", SYSTEMD), root)] == [
        "minify: of /usr/bin/huge only the first 256 MiB were searched for what it names"
    ]
    assert len(make_files(root).content("usr/bin/huge")) == MAX_READ_BYTES


def make_files(root: Path) -> Files:
    return Files.read([Part("", root)])
