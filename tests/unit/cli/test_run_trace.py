"""What `reconix run --trace` tells of what was traced."""

from pathlib import Path

import pytest
from tests.installed_packages import ASKED, add_generation, install, make_project

from reconix.build.inspect.generations import systems_of
from reconix.build.minify.plan import Wanted
from reconix.cli.main import main
from reconix.cli.run_trace import NotMinified, compare
from reconix.composition.subject import HostSubject
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.project.workplace import NotBuilt
from reconix.store.paths import StorePath
from reconix.vm.tracing import Asked, AskedIn


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return HostSubject.read(make_project(tmp_path / "p"), "gw").host


@pytest.fixture
def store(tmp_path: Path) -> ChrootStore:
    with ChrootStore(tmp_path / "store") as opened:
        install(opened)
        return opened


def toplevel(store: ChrootStore, name: str) -> StorePath:
    made = add_generation(store, minify={"mail": Wanted(packages=ASKED)})
    return systems_of(store, made)[name]


def test_what_was_asked_for_and_went_is_told_with_what_to_write(
    store: ChrootStore, host: Host
) -> None:
    asked = [Asked("/usr/bin/tool", "sh"), Asked("/usr/sbin/server", "monitor.sh")]
    with ChrootStore(store.root) as opened:
        mail = str(toplevel(opened, "mail"))
        starts = [[AskedIn("", asked[1]), AskedIn(mail, asked[0])], [AskedIn(mail, asked[1])]]
        report = compare(opened, host, starts)
    first, head, line = report.lines()
    assert first == "2 starts; in containers and the initrd asked for 1 path"
    assert head == "system-mail: asked for 2 paths; 1 went, 1 unexpected"
    assert not report.is_clean
    assert line == (
        "  /usr/sbin/server was asked for by monitor.sh; nothing reaches it; "
        'minify.keep = ["/usr/sbin/server"]'
    )


def test_what_is_asked_for_in_a_container_is_not_missed(store: ChrootStore, host: Host) -> None:
    server = Asked("/usr/sbin/server", "sh")
    with ChrootStore(store.root) as opened:
        mail = str(toplevel(opened, "mail"))
        starts = [[AskedIn("", server), AskedIn(mail, Asked("/usr/bin/tool", "sh"))]]
        assert compare(opened, host, starts).is_clean


def test_systems_that_are_not_minified_miss_nothing(store: ChrootStore, host: Host) -> None:
    asked = Asked("/etc/fstab", "systemd")
    with ChrootStore(store.root) as opened, pytest.raises(NotMinified, match="is not minified"):
        compare(opened, host, [[AskedIn(str(toplevel(opened, "default")), asked)]])


def test_a_system_of_another_store_is_told(store: ChrootStore, host: Host) -> None:
    other = str(StorePath("0" * 32, "system-mail"))
    with ChrootStore(store.root) as opened, pytest.raises(NotBuilt, match="not in the build store"):
        compare(opened, host, [[AskedIn(other, Asked("/etc/fstab", "systemd"))]])


def test_a_host_that_starts_by_u_boot_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing would be traced there, and nothing missed."""
    systems = tmp_path / "hosts/box/systems"
    systems.mkdir(parents=True)
    (tmp_path / "reconix.toml").write_text('name = "test"\n')
    (tmp_path / "hosts/box/machine.toml").write_text('board = "qemu-arm64-uboot"\n')
    (systems / "default.toml").touch()
    assert main(["--project", str(tmp_path), "run", "--trace"]) == 2
    assert "box starts by U-Boot, which does not tell its kernel" in capsys.readouterr().err
