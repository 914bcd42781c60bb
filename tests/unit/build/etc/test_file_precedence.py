"""What the generation has in folders that persist, and what packages have there."""

from pathlib import Path

from reconix.build.etc.file_precedence import from_packages, print_given
from reconix.config.schema.system import File as ConfiguredFile
from reconix.config.schema.system import Kernel, Persist, System
from reconix.config.schema.values import Winner
from reconix.store.tree import File, folder

SYSTEM = System(
    kernel=Kernel(package="linux-image-cloud-amd64"),
    persist=Persist(paths=("/etc/app", "/var/lib/app"), shared=("/etc/systemd/network",)),
    files={
        "app/a": ConfiguredFile(text=""),
        "app/b": ConfiguredFile(text="", prefer=Winner.GENERATION),
        "app/c": ConfiguredFile(text="", prefer=Winner.DEVICE),
        "other": ConfiguredFile(text="", prefer=Winner.DEVICE),
        "/var/lib/app/x": ConfiguredFile(text="", prefer=Winner.GENERATION),
        "/var/lib/app/y": ConfiguredFile(text=""),
        "/srv/elsewhere": ConfiguredFile(text=""),
    },
)
ETC = folder(
    {name: File(b"") for name in ("app/a", "app/b", "app/c", "other", "systemd/network/10-x")}
)


def test_each_file_in_a_folder_that_persists_says_who_wins() -> None:
    assert print_given(SYSTEM, ETC).decode().splitlines() == [
        "device /etc/app/a",
        "generation /etc/app/b",
        "device /etc/app/c",
        "generation /etc/systemd/network/10-x",
        "generation /var/lib/app/x",
        "device /var/lib/app/y",
    ]


def test_what_packages_have_there_is_told(tmp_path: Path) -> None:
    for name in ("etc/app/b", "var/lib/app/x", "var/lib/app/sub/y", "var/lib/other/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    lines = tmp_path / "usr/lib/tmpfiles.d/app.conf"
    lines.parent.mkdir(parents=True)
    lines.write_text("# C /etc/app/no - -\nC+! /etc/app/copied - - - -\nd /etc/app/d\nC /srv/x\n\n")
    assert list(from_packages(SYSTEM, tmp_path, ETC)) == [
        "/etc/app persists: /etc/app/copied of packages will not change on devices",
        "/var/lib/app persists: /var/lib/app/sub/y of packages will not change on devices",
    ]
