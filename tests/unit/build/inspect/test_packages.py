"""Packages of a system and what became of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import Need

from reconix.base.process import succeeds
from reconix.build.inspect.generations import difference
from reconix.build.inspect.packages import (
    STATUS,
    BadStatus,
    Package,
    PackageChange,
    Step,
    compare,
    packages_of,
    parse_status,
)
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder


def paragraph(name: str, version: str, size: int = 1, **more: str) -> str:
    fields = {
        "Package": name,
        "Status": "install ok installed",
        "Installed-Size": str(size),
        "Architecture": "amd64",
        "Version": version,
        "Description": "a tool\n that goes on: here\n .\n and on",
        **more,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def status(*paragraphs: str) -> bytes:
    return "\n".join(paragraphs).encode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "s") as store:
        yield store


def system(store: ChrootStore, name: str, content: bytes) -> StorePath:
    root = store.add_files(folder({STATUS: File(content)}), f"root-{name}")
    return store.add_files(folder({"root": Symlink(str(root))}), f"system-{name}", [root])


def generation(store: ChrootStore, **systems: StorePath) -> StorePath:
    files = folder({f"systems/{name}": Symlink(str(path)) for name, path in systems.items()})
    return store.add_files(files, "generation", systems.values())


def test_only_what_is_installed_counts() -> None:
    content = status(
        paragraph("dpkg", "1.21", 6),
        paragraph("gone", "1", Status="deinstall ok config-files"),
        paragraph("libc6", "2.36", 13),
        paragraph("libc6", "2.36", 12, Architecture="i386"),
        paragraph("doc", "3", Architecture="all"),
    )
    assert parse_status(content) == {
        "dpkg": Package("dpkg", "1.21", 6144),
        "libc6": Package("libc6", "2.36", 13312),
        "libc6:i386": Package("libc6:i386", "2.36", 12288),
        "doc": Package("doc", "3", 1024),
    }
    assert parse_status(b"") == {}


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"no field", "is not a field"),
        (status(paragraph("a", "")), "without name or version"),
        (status(paragraph("a", "v!")), "has the version 'v!'"),
        (status(paragraph("a", "1", size=-1)), "has the size '-1'"),
        (status(paragraph("a", "1", size=10**999)), "has the size"),
    ],
)
def test_what_is_no_status_is_refused(content: bytes, fact: str) -> None:
    with pytest.raises(BadStatus, match=fact):
        parse_status(content)


def test_a_generation_is_compared_package_by_package(store: ChrootStore) -> None:
    same = paragraph("same", "1")
    before = [paragraph("ssl", "1:3.0~rc1", 5), paragraph("old", "2.10"), paragraph("x", "2", 7)]
    after = [paragraph("ssl", "1:3.0", 6), paragraph("old", "2.9"), paragraph("y", "1", 8)]
    idle = system(store, "idle", status(same))
    first = generation(
        store,
        idle=idle,
        one=system(store, "one", status(same, *before)),
        two=system(store, "two", status(same, before[0])),
    )
    second = generation(
        store,
        idle=idle,
        one=system(store, "one", status(same, *after)),
        two=system(store, "two", status(same, after[0])),
    )
    found = difference(store, first, second)
    assert [(one.name, one.step, one.systems) for one in found.packages] == [
        ("old", Step.DOWN, ("one",)),
        ("ssl", Step.UP, ("one", "two")),
        ("x", Step.REMOVED, ("one",)),
        ("y", Step.ADDED, ("one",)),
    ]
    assert found.packages[1].before == Package("ssl", "1:3.0~rc1", 5120)
    assert found.packages[1].after == Package("ssl", "1:3.0", 6144)
    assert (found.touched, found.identical) == (("one", "two"), ("idle",))
    assert difference(store, first, first).packages == ()


def test_the_packages_of_a_new_system_are_added() -> None:
    one = Package("a", "1", 1)
    assert compare({}, {"web": {"a": one}}) == (PackageChange(None, one, ("web",)),)
    other = Package("a", "1", 2)
    (change,) = compare({"web": {"a": one}}, {"web": {"a": other}})
    assert change.step is Step.REBUILT


def test_a_system_without_dpkg_has_no_packages(store: ChrootStore) -> None:
    root = store.add_files(File(b"a file"), "root")
    for target in (str(root), "/elsewhere"):
        top = store.add_files(folder({"root": Symlink(target)}), "system", [root])
        assert packages_of(store, top) == {}
    assert packages_of(store, root) == {}


def test_a_status_that_leads_out_of_the_store_is_not_read(
    store: ChrootStore, tmp_path: Path
) -> None:
    (tmp_path / "status").write_bytes(status(paragraph("a", "1")))
    root = store.add_files(folder({STATUS: Symlink(f"{tmp_path}/status")}), "root")
    top = store.add_files(folder({"root": Symlink(str(root))}), "system", [root])
    assert packages_of(store, top) == {}


VERSIONS = st.from_regex(r"\A([0-9]:)?[0-9][0-9a-c.+~]{0,4}(-[0-9a-c.+~]{1,3})?\Z")


@settings(deadline=None, max_examples=50)
@given(one=VERSIONS, other=VERSIONS)
def test_versions_are_ordered_as_dpkg_orders_them(one: str, other: str) -> None:
    Need()("dpkg")
    older = succeeds("dpkg", "--compare-versions", one, "lt", other)
    change = PackageChange(Package("a", one, 0), Package("a", other, 0), ("s",))
    assert (change.step is Step.UP) == older
