"""A file that devices would not see is told before it is sent to them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconix.config.load import load_with_places
from reconix.config.rules.kept_files import around, unseen_changes
from reconix.config.schema.system import File, Kernel, Persist, System
from reconix.config.schema.values import Winner

KERNEL = Kernel(package="linux-image-cloud-amd64")
KEPT = Persist(paths=("/etc/app",), shared=("/etc/all",))


def system(files: Mapping[str, File] | None = None) -> System:
    return System(kernel=KERNEL, persist=KEPT, files=files or {})


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/etc/app/a.conf", "/etc/app"),
        ("/etc/app/sub/a", "/etc/app"),
        ("/etc/all/a", "/etc/all"),
        ("/etc/app", None),
        ("/etc/application/a", None),
        ("/var/app/a", None),
    ],
)
def test_a_file_lies_in_the_folder_that_is_around_it(path: str, folder: str | None) -> None:
    assert around(system(), path) == folder


def notes(folder: Path, text: str) -> list[tuple[str, str]]:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    machine = f'kernel.package = "linux-image-cloud-amd64"\nhealth.checks = [{{ tcp = 1 }}]\n{text}'
    (folder / "hosts/gw/machine.toml").write_text(machine)
    (folder / "hosts/gw/systems/default.toml").write_text("")
    return [(each.key, each.fact) for each in load_with_places(folder).warnings]


FILE = '[files."app/a.conf"]\ntext = ""\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f'persist.paths = ["/etc/app"]\n{FILE}',
            [
                (
                    'files."app/a.conf"',
                    "is inside /etc/app, which persists: a device that already has it",
                )
            ],
        ),
        (f'persist.paths = ["/etc/app"]\n{FILE}prefer = "device"\n', []),
        (f'persist.shared = ["/etc/app"]\n{FILE}prefer = "generation"\n', []),
        (f'persist.paths = ["/etc/ap"]\n{FILE}', []),
        (
            f'[volumes.v]\npath = "/etc/app"\n{FILE}',
            [('files."app/a.conf"', "is never visible: the volume v is mounted over it")],
        ),
        (f'{FILE}prefer = "device"\n', [('files."app/a.conf".prefer', "has no effect")]),
    ],
)
def test_check_tells_it_unless_it_is_said_who_wins(
    tmp_path: Path, text: str, expected: list[tuple[str, str]]
) -> None:
    found = notes(tmp_path, text)
    assert len(found) == len(expected)
    for (key, fact), (expected_key, begin) in zip(found, expected, strict=True):
        assert key == expected_key
        assert fact.startswith(begin)


def test_a_change_that_devices_do_not_see_is_told() -> None:
    def with_file(text: str, prefer: Winner | None = None) -> System:
        return system({"app/a.conf": File(text=text, prefer=prefer)})

    (line,) = unseen_changes(with_file("one"), with_file("two"))
    assert line == 'files."app/a.conf": devices that have kept /etc/app keep their own'
    assert list(unseen_changes(with_file("one"), with_file("two", Winner.DEVICE))) == [line]
    assert not list(unseen_changes(with_file("one"), with_file("two", Winner.GENERATION)))
    assert not list(unseen_changes(with_file("one"), with_file("one")))
    assert not list(unseen_changes(system(), with_file("one"))), "it arrives"
    assert list(unseen_changes(with_file("one"), system())) == [
        'files."app/a.conf": stays on devices that have kept /etc/app'
    ]


def test_files_elsewhere_are_kept_as_those_below_etc(tmp_path: Path) -> None:
    kept = 'persist.paths = ["/var/lib/app"]\n[files."/var/lib/app/first"]\ntext = "x"\n'
    ((key, fact),) = notes(tmp_path, kept)
    assert key == 'files."/var/lib/app/first"'
    assert fact.startswith("is inside /var/lib/app, which persists")


def test_a_change_of_a_file_elsewhere_that_devices_keep_is_told() -> None:
    kept = Persist(paths=("/var/lib/app",))
    name = "/var/lib/app/first"
    old, new = (System(kernel=KERNEL, persist=kept, files={name: File(text=text)}) for text in "ab")
    assert list(unseen_changes(old, new)) == [
        f'files."{name}": devices that have kept /var/lib/app keep their own'
    ]
