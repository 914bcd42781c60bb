"""A check compares what is to be kept with what devices keep since the generation before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.made_generations import generation

from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore
from reconix.store.tree import File, folder

BEFORE = "shared /var/lib/keys\nsystems/web /var/lib/web\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store with a generation that keeps two folders."""
    with ChrootStore(tmp_path / "store") as opened:
        web = opened.add_files(folder({"persist": File(BEFORE.encode())}), "system-web")
        Pins(opened.root, "test", "gw").add(generation(opened, web))
    yield tmp_path / "store"


def notes(store: Path, capsys: pytest.CaptureFixture[str], persist: str) -> list[str]:
    project = store.with_name("project")
    (project / "hosts/gw/systems").mkdir(parents=True)
    (project / "reconix.toml").write_text('name = "test"\n')
    machine = 'kernel.package = "linux-image-amd64"\n[health]\nchecks = [{ tcp = 22 }]\n'
    (project / "hosts/gw/machine.toml").write_text(machine + '[boot]\ndefault = "web"\n')
    (project / "hosts/gw/systems/web.toml").write_text(f"[persist]\n{persist}\n")
    assert main(["--project", str(project), "--store", str(store), "check"]) == 0
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]


@pytest.mark.parametrize(
    ("persist", "told"),
    [
        ('paths = ["/var/lib/web/db"]', "/var/lib/web/db lies in /var/lib/web"),
        ('paths = ["/var/lib"]', "/var/lib is there on devices that keep /var/lib/web"),
        ('shared = ["/var/lib/keys/a"]', "/var/lib/keys/a lies in /var/lib/keys"),
    ],
)
def test_a_folder_in_or_around_one_that_devices_keep_is_told(
    store: Path, capsys: pytest.CaptureFixture[str], persist: str, told: str
) -> None:
    (note,) = notes(store, capsys, persist)
    assert told in note and "web.toml:2" in note


@pytest.mark.parametrize(
    "persist", ['paths = ["/var/lib/web"]', 'paths = ["/var/lib/keys/a", "/var/lib/webs"]']
)
def test_the_same_and_what_lies_elsewhere_is_not_told(
    store: Path, capsys: pytest.CaptureFixture[str], persist: str
) -> None:
    assert notes(store, capsys, persist) == []
