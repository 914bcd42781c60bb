"""A device on plain files for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.nix.chroot import ChrootStore

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {log}
! grep -qx "$1" {active}.refused || exit 1
case "$1" in
    show)
        case "$2" in --property=Id,*)
            shift 2
            for unit; do
                printf 'Id=%s\nActiveState=%s\nNRestarts=2\n' "$unit" \
                    "$(grep -qx "$unit" {active} && echo active || echo failed)"
                printf 'MemoryCurrent=%s\n' "$(cat {active}.memory)"
                printf 'StateChangeTimestampMonotonic=61000000\n\n'
            done
            exit ;;
        esac
        if [ "$2" = --property=LoadState ]; then
            if grep -qx "$3" {active}.loaded; then echo LoadState=loaded
            else echo LoadState=not-found; fi
            exit
        fi
        if grep -qx "$3" {active}; then echo ActiveState=active
        elif grep -qx "$3" {active}.failed; then echo ActiveState=failed
        else echo ActiveState=activating; fi
        cat {active}.invocation ;;
    list-units) sed 's/$/ loaded failed failed something/' {active}.failed ;;
    status) echo "$5 is broken: no such page"; exit 3 ;;
    start)
        shift
        [ ! -e {active}.on-start ] || sh {active}.on-start
        for unit in "$@"; do
            if grep -qx "$unit" {active}.broken; then echo "$unit" >> {active}.failed; result=1
            else grep -qx "$unit" {active} || echo "$unit" >> {active}; fi
        done
        exit $result ;;
    stop)
        shift
        for unit in "$@"; do
            grep -vx "$unit" {active} > {active}.new
            mv {active}.new {active}
        done ;;
esac
"""


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChrootStore]:
    """What is in it is named after its content, so all tests may share it."""
    with ChrootStore(tmp_path_factory.mktemp("build")) as store:
        yield store


@pytest.fixture(scope="session")
def new_machine(tmp_path_factory: pytest.TempPathFactory, store: ChrootStore) -> Machine:
    return Machine.make(tmp_path_factory.mktemp("new") / "device", store)


@pytest.fixture
def machine(tmp_path: Path, new_machine: Machine) -> Machine:
    return new_machine.copy(tmp_path / "device")


class Units:
    """A stand-in for systemd: it has the units that are named in a file."""

    def __init__(self, folder: Path) -> None:
        self.place = folder
        self._active, self._log = folder / "active", folder / "log"
        self._failed = folder / "active.failed"
        self._failed.touch()
        self.on_start = folder / "active.on-start"
        self.memory = folder / "active.memory"
        self.memory.write_text("3145728")
        self._loaded = folder / "active.loaded"
        self._loaded.touch()
        self._refused = folder / "active.refused"
        self._refused.touch()
        self._broken = folder / "active.broken"
        self._broken.touch()
        self.invocation = folder / "active.invocation"
        self.invocation.write_text("InvocationID=1\n")
        self._log.touch()
        self.activate("multi-user.target")
        program = folder / "systemctl"
        program.write_text(SYSTEMCTL.format(log=self._log, active=self._active))
        program.chmod(0o755)

    def activate(self, *units: str) -> None:
        """From now on exactly these are active."""
        self._active.write_text("".join(f"{unit}\n" for unit in units))

    def give_up(self, *units: str) -> None:
        """From now on exactly these have failed for good."""
        self._failed.write_text("".join(f"{unit}\n" for unit in units))

    def load(self, *units: str) -> None:
        """From now on exactly these are known, besides those that are active."""
        self._loaded.write_text("".join(f"{unit}\n" for unit in units))

    def break_down(self, *units: str) -> None:
        """From now on exactly these cannot be started."""
        self._broken.write_text("".join(f"{unit}\n" for unit in units))

    @property
    def running(self) -> set[str]:
        """What is active."""
        return set(self._active.read_text().split())

    def refuse(self, command: str) -> None:
        """From now on this command fails."""
        self._refused.write_text(f"{command}\n")

    @property
    def calls(self) -> list[str]:
        """What it was asked."""
        return self._log.read_text().splitlines()


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Units:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Units(folder)
