import os
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.build.archive.offers import Offer, Offers, TwoContents, preferences, relations
from reconix.config.lock.packages import LockedPackage, SourcePackage


def package(
    name: str = "air", version: str = "1:1.4", archive: str = "vendor", content: bytes = b"air"
) -> LockedPackage:
    return LockedPackage(
        name=name,
        version=version,
        architecture="all",
        size_bytes=len(content),
        sha256=Digest.of(content),
        archive=archive,
        path=f"pool/{name}.deb",
        date="",
        source=SourcePackage("clouds", "1.3"),
    )


def offer(**more: str) -> Offer:
    return Offer(package(**more), (("Depends", "libc6 (>= 2.1), a | b"),))  # type: ignore[arg-type]


def test_what_may_come_is_an_archive_that_only_we_can_name(tmp_path: Path) -> None:
    offers = Offers([offer(archive="vendor"), offer(archive="other", name="wind")])
    (other, vendor) = offers.write(tmp_path)
    assert (other.suite, other.components) == ("./", ())
    assert vendor.line("amd64") == f"deb [arch=amd64 trusted=yes] file:{tmp_path}/vendor ./"
    assert (tmp_path / "vendor/Packages").read_text() == (
        "Package: air\nVersion: 1:1.4\nArchitecture: all\nSource: clouds (1.3)\n"
        "Depends: libc6 (>= 2.1), a | b\nFilename: ./air_1%3a1.4_all.deb\nSize: 3\n"
        f"SHA256: {Digest.of(b'air').hex()}\n"
    )
    assert "Origin: reconix-vendor\n" in (tmp_path / "vendor/Release").read_text()


def test_the_order_in_which_offers_are_found_does_not_show(tmp_path: Path) -> None:
    found = [offer(name=name) for name in ("aa", "bb", "cc")]
    Offers(found).write(tmp_path / "one")
    Offers([*reversed(found), *found]).write(tmp_path / "two")
    files = [tmp_path / each / "vendor/Packages" for each in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_has_not_changed_is_not_written(tmp_path: Path) -> None:
    index = tmp_path / "vendor/Packages"
    Offers([offer()]).write(tmp_path)
    os.utime(index, (1, 1))
    Offers([offer()]).write(tmp_path)
    assert index.stat().st_mtime == 1
    Offers([offer(), offer(name="wind")]).write(tmp_path)
    assert index.stat().st_mtime > 1


def test_two_contents_are_refused_and_the_same_one_may_come_from_both() -> None:
    same = Offers([offer(archive="vendor"), offer(archive="other")])
    assert [each.archive for each in same.of("air", "1:1.4")] == ["other", "vendor"]
    with pytest.raises(TwoContents) as failure:
        Offers([offer(archive="vendor"), Offer(package(archive="other", content=b"x"), ())])
    assert str(failure.value) == (
        f"air 1:1.4 is not one file: in archive other it is sha256:{Digest.of(b'x').hex()}, "
        f"in archive vendor it is sha256:{Digest.of(b'air').hex()}"
    )


def test_only_what_a_solver_needs_is_taken_over() -> None:
    control = {
        "Package": "air",
        "Essential": "yes",
        "Protected": "yes",
        "Depends": "libc6 (>= 2.1),\n python3:any  | b [amd64],",
        "Provides": "sky (= 1:2~rc1)",
        "Conflicts": "",
        "Multi-Arch": "foreign",
    }
    assert relations(control) == (
        ("Depends", "libc6 (>= 2.1), python3:any | b [amd64]"),
        ("Provides", "sky (= 1:2~rc1)"),
        ("Multi-Arch", "foreign"),
    )


@pytest.mark.parametrize("depends", ["a b", "a (2)", "a\x00", "-a", "a (>= 1", "a || b"])
def test_what_apt_could_not_read_is_refused(depends: str) -> None:
    with pytest.raises(ValueError, match="Depends"):
        relations({"Depends": depends})


def test_files_of_the_project_come_only_into_systems_that_have_them() -> None:
    said = preferences(["project", "vendor"], [package()], [package("kept", "2")])
    assert said == (
        "Package: *\nPin: release o=reconix-project\nPin-Priority: -1\n\n"
        "Package: *\nPin: release o=reconix-vendor\nPin-Priority: 990\n\n"
        "Package: air\nPin: version 1:1.4\nPin-Priority: 1001\n\n"
        "Package: kept\nPin: version 2\nPin-Priority: 995\n"
    )
