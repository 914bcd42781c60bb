"""Whose the generated files are, and who may read them."""

from pathlib import Path

import pytest

from reconix.build.etc.file_metadata import Below
from reconix.build.root.described import Packages
from reconix.store.images.nodes import Metadata
from reconix.store.tree import File, Folder, Symlink, folder

LIST = (b"system.posix_acl_access", b"\2\0\0\0")


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    """A root with a key that is private, and what lies around it."""
    for name in ("ssl/private", "cron.d"):
        (tmp_path / "etc" / name).mkdir(parents=True)
    for name in ("shadow", "motd", "cron.d/job", "ssl/private/key", "open"):
        (tmp_path / "etc" / name).touch()
    (tmp_path / "etc/ssl/link").symlink_to("private")
    return Packages(
        tmp_path,
        {
            b"etc": Metadata(0o755, 0, 0, 1),
            b"etc/cron.d": Metadata(0o755),
            b"etc/cron.d/job": Metadata(0o755, 0, 0, 1_700_000_000),
            b"etc/motd": Metadata(0o644, 0, 0, 1_700_000_000),
            b"etc/open": Metadata(0o4755, 7, 7, 9, ((b"security.capability", b"x"), LIST)),
            b"etc/shadow": Metadata(0o640, 0, 42, 1_700_000_000),
            b"etc/ssl/link": Metadata(0o777, 7, 7),
            b"etc/ssl/private": Metadata(0o710, 0, 112),
            b"etc/ssl/private/key": Metadata(0o600, 0, 0, 1_700_000_000),
        },
    )


def described(packages: Packages, tree: Folder, **said: Metadata) -> dict[bytes, Metadata]:
    return dict(Below(packages, "etc", said).describe(tree))


def test_files_can_be_read_by_everybody_and_folders_be_entered(packages: Packages) -> None:
    tree = folder(
        {
            "own/file": File(b"x"),
            "own/link": Symlink("file"),
            "own/program": File(b"x", executable=True),
        }
    )
    assert described(packages, tree) == {
        b".": Metadata(0o755),
        b"own": Metadata(0o755),
        b"own/file": Metadata(0o644),
        b"own/program": Metadata(0o755),
    }


def test_a_folder_is_as_packages_make_it(packages: Packages) -> None:
    found = described(packages, folder({"ssl/private/own.key": File(b"x")}))
    assert found[b"ssl/private"] == Metadata(0o710, 0, 112)
    assert found[b"ssl/private/own.key"] == Metadata(0o644)


def test_a_file_in_the_place_of_a_private_one_is_private(packages: Packages) -> None:
    found = described(packages, folder({"shadow": File(b"x"), "motd": File(b"x")}))
    assert found[b"shadow"] == Metadata(0o640, 0, 42)
    assert found[b"motd"] == Metadata(0o644)


def test_a_file_in_the_place_of_a_script_is_none_by_that(packages: Packages) -> None:
    found = described(packages, folder({"cron.d/job": File(b"x")}))
    assert found[b"cron.d/job"] == Metadata(0o644)


def test_a_file_in_the_place_of_a_program_has_not_its_rights(packages: Packages) -> None:
    found = described(packages, folder({"open": File(b"x")}))
    assert found[b"open"] == Metadata(0o755, 7, 7, attributes=(LIST,))


def test_what_is_configured_counts_more(packages: Packages) -> None:
    own = Metadata(0o400, 3, 4)
    found = described(packages, folder({"shadow": File(b"x")}), shadow=own)
    assert found[b"shadow"] == own


def test_what_is_of_another_kind_says_nothing(packages: Packages) -> None:
    tree = folder({"shadow/x": File(b"x"), "ssl/private": File(b"x"), "ssl/link": File(b"x")})
    found = described(packages, tree)
    assert found[b"shadow"] == Metadata(0o755)
    assert found[b"ssl/private"] == found[b"ssl/link"] == Metadata(0o644)
