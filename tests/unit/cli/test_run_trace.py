"""What `reconix run --trace` tells of what was traced."""

from pathlib import Path

import pytest
from tests.installed_packages import ASKED, add_generation, install, make_project

from reconix.build.inspect.generations import systems_of
from reconix.build.minify.plan import Wanted
from reconix.cli.run_trace import NotMinified, _compare
from reconix.composition.subject import HostSubject
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.project.workplace import NotBuilt
from reconix.store.paths import StorePath
from reconix.vm.tracing import Asked


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
        found = _compare(opened, host, toplevel(opened, "mail"), asked)
    head, line = found.lines()
    assert head == "system-mail: asked for 2 paths; 1 went, 1 unexpected"
    assert line == (
        "  /usr/sbin/server was asked for by monitor.sh; nothing reaches it; "
        'minify.keep = ["/usr/sbin/server"]'
    )


def test_a_system_that_is_not_minified_misses_nothing(store: ChrootStore, host: Host) -> None:
    with ChrootStore(store.root) as opened, pytest.raises(NotMinified, match="is not minified"):
        _compare(opened, host, toplevel(opened, "default"), [])


def test_a_system_of_another_store_is_told(store: ChrootStore, host: Host) -> None:
    other = StorePath("0" * 32, "system-mail")
    with ChrootStore(store.root) as opened, pytest.raises(NotBuilt, match="not in the build store"):
        _compare(opened, host, other, [])
