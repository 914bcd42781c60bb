"""Files of the configuration outside /etc: what stands where, and whose it is."""

from pathlib import Path

import pytest

from reconix.build.etc.configured_files import make_layer
from reconix.build.root.described import Packages
from reconix.build.software.meetings import Misplaced
from reconix.build.users.accounts import Account, Accounts, Group, UnknownAccount
from reconix.config.schema.system import File as ConfiguredFile
from reconix.config.schema.system import Kernel, System
from reconix.store.images.nodes import Metadata
from reconix.store.tree import File, Symlink, files

ACCOUNTS = Accounts(
    (Account("root", 0, 0, "", "/root", "/bin/sh"), Account("air", 300, 300, "", "/x", "/y")),
    (Group("root", 0), Group("air", 300)),
)


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    (tmp_path / "srv/tftp/folder").mkdir(parents=True)
    (tmp_path / "srv/tftp/secret").touch()
    (tmp_path / "srv/file").touch()
    (tmp_path / "srv/link").symlink_to("tftp")
    entries = {
        b"srv/tftp": Metadata(0o750, 7, 8),
        b"srv/tftp/secret": Metadata(0o600, 7, 8, 1_700_000_000),
    }
    return Packages(tmp_path, entries)


def system(**files: ConfiguredFile) -> System:
    return System(kernel=Kernel(package="linux"), files=files)


def test_they_are_laid_over_the_root_and_folders_are_as_packages_have_them(
    packages: Packages,
) -> None:
    made = make_layer(
        system(
            **{
                "motd": ConfiguredFile(text="not here"),
                "/srv/tftp/boot.img": ConfiguredFile(text="x"),
                "/srv/tftp/secret": ConfiguredFile(text="x"),
                "/var/lib/air/own": ConfiguredFile(text="x", owner="air", mode=0o600),
                "/var/lib/air/link": ConfiguredFile(link="/srv/tftp"),
            }
        ),
        ACCOUNTS,
        packages,
    )
    assert made is not None
    assert dict(files(made[0])) == {
        "srv/tftp/boot.img": File(b"x"),
        "srv/tftp/secret": File(b"x"),
        "var/lib/air/link": Symlink("/srv/tftp"),
        "var/lib/air/own": File(b"x"),
    }
    assert {path: said for path, said in made[1] if said != Metadata(0o755)} == {
        b"srv/tftp": Metadata(0o750, 7, 8),
        b"srv/tftp/boot.img": Metadata(0o644),
        b"srv/tftp/secret": Metadata(0o600, 7, 8),
        b"var/lib/air/own": Metadata(0o600, 300, 0),
    }


def test_a_system_with_files_below_etc_alone_has_no_layer(packages: Packages) -> None:
    assert make_layer(system(motd=ConfiguredFile(text="x")), ACCOUNTS, packages) is None


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        ("/srv/file/x", "packages have a file at /srv/file, where a folder would have to be"),
        ("/srv/link/x", "packages have a link at /srv/link"),
        ("/srv/tftp/folder", "packages have a folder there"),
    ],
)
def test_what_does_not_fit_to_packages_is_refused(packages: Packages, path: str, fact: str) -> None:
    with pytest.raises(Misplaced) as failure:
        make_layer(system(**{path: ConfiguredFile(text="x")}), ACCOUNTS, packages)
    assert str(failure.value).startswith(f'files."{path}": {fact}')


def test_an_owner_exists(packages: Packages) -> None:
    with pytest.raises(UnknownAccount):
        make_layer(system(**{"/srv/x": ConfiguredFile(text="", owner="bee")}), ACCOUNTS, packages)
