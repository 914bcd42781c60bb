"""What belongs together because one package has it."""

from pathlib import Path

from tests.device_trees import write

from reconix.build.minify.files import Files
from reconix.build.minify.packages import PackageEdges
from reconix.build.software.device_files import Part
from reconix.build.software.owners import Owners

INFO = "var/lib/dpkg/info"
FILES = (
    *("usr/bin/air", "usr/bin/air-tool", "etc/air.conf", "usr/lib/udev/rules.d/air.rules"),
    *("usr/share/air/x", "usr/share/air/y", "usr/share/both/a"),
    *("etc/pam.d/air", "etc/pam.d/air-i", "etc/pam.d/air-tool", "usr/lib/pam.d/breath"),
    "etc/alternatives/x",
)
ROOT = {
    **dict.fromkeys(FILES, ""),
    "usr/share/both/b": "",
    "usr/share/data/map": "",
    "var/lib/air": None,
    "usr/lib/empty": None,
    "var/log/air": None,
    "var/log/full/old": "",
    "usr/bin/python3": "",
    **dict.fromkeys(("etc/air/made", "etc/air/1/main", "var/lib/air-data/db"), "made"),
    **dict.fromkeys(("etc/ssl/own", "etc/ld.so.cache", "var/lib/systemd/x", "var/cache/x"), "made"),
    f"{INFO}/air.postinst": "touch /etc/air/made\ncp x $folder/1/main\n",
    f"{INFO}/data.postinst": "init /var/lib/air-data/db.\n",
    f"{INFO}/air.list": "".join(f"/{path}\n" for path in (*FILES, "var/lib/air", "usr/lib/empty")),
    f"{INFO}/other.list": "/usr/share/both/b\n",
    f"{INFO}/data.list": "/usr/share/data/map\n",
    f"{INFO}/python3.list": "/usr/share/both/a\n/usr/bin/pydoc3\n",
    **dict.fromkeys(("usr/lib/pam.d/systemd-user", "usr/lib/systemd/systemd-executor"), ""),
    f"{INFO}/systemd.list": "/usr/lib/pam.d/systemd-user\n/usr/lib/systemd/systemd-executor\n",
    "usr/bin/pydoc3": "",
}


def edges(folder: Path) -> PackageEdges:
    root = write(folder / "root", ROOT)
    return PackageEdges(Files.read([Part("", root)]), Owners.read(root))


def test_a_package_that_stays_brings_settings_folders_and_what_it_hands_over(
    tmp_path: Path,
) -> None:
    found = edges(tmp_path)
    assert [edge.target for edge in found.of("usr/bin/air")] == [
        *("etc/pam.d/air", "etc/pam.d/air-i", "etc/air.conf"),
        *("usr/lib/udev/rules.d/air.rules", "var/lib/air", "etc/air/made"),
    ]
    assert [edge.target for edge in found.of("usr/bin/air-tool")] == [  # the rest is said once
        "etc/pam.d/air-tool"
    ]


def test_a_file_that_uses_pam_asks_for_services_that_no_program_is_known_by(tmp_path: Path) -> None:
    found = edges(tmp_path)
    assert [edge.target for edge in found.asked_of_pam("usr/share/air/x")] == [
        "usr/lib/pam.d/breath"
    ]
    assert not list(found.asked_of_pam("usr/bin/python3"))
    assert not list(found.asked_of_pam("usr/lib/systemd/systemd-executor"))


def test_folders_and_files_of_nobody_bring_nothing(tmp_path: Path) -> None:
    found = edges(tmp_path)
    assert not list(found.of("usr/share"))
    assert not list(found.of("usr/bin/python3"))


def test_what_scripts_of_packages_made_stays_with_who_names_it_or_always(tmp_path: Path) -> None:
    found = edges(tmp_path)
    assert [edge.target for edge in found.of("usr/share/data/map")] == ["var/lib/air-data/db"]
    assert [edge.target for edge in found.made()] == ["etc/air/1/main", "var/log/air"]


def test_who_asks_for_a_package_wants_its_programs_or_all_of_it(tmp_path: Path) -> None:
    found, every = edges(tmp_path), frozenset[str]()
    assert [edge.target for edge in found.asked("air", every)] == [
        *("usr/bin/air", "usr/bin/air-tool"),
    ]
    assert [edge.target for edge in found.asked("air", frozenset({"air"}))] == ["usr/bin/air"]
    assert [edge.target for edge in found.asked("data", every)] == ["usr/share/data/map"]
    assert [edge.target for edge in found.asked("python3", every)] == ["usr/bin/python3"]
    assert not list(found.asked("missing", every))


def test_a_folder_that_a_program_names_stays_if_it_is_only_its_package_s(tmp_path: Path) -> None:
    found = edges(tmp_path)
    assert [edge.target for edge in found.folder("usr/share/air", "usr/bin/air")] == [
        *("usr/share/air/x", "usr/share/air/y"),
    ]
    assert not list(found.folder("usr/share/both", "usr/bin/air"))
    assert not list(found.folder("usr/bin", "usr/bin/air"))
    assert not list(found.folder("usr/share/air", "usr/bin/python3"))


def test_all_of_a_package_is_its_files(tmp_path: Path) -> None:
    assert list(edges(tmp_path).all_of("air")) == sorted(FILES)
