"""Services: systemd is played while containers are changed on a recorded disk.

The agent knows systemd by its programs. A folder has stand-ins for ``systemctl`` and ``nsenter``;
they write down what they were told and how far the log of the disk was then. What is no container
is active, always.

    <position> <object> load            units are read again; ``current`` leads to the object
    <position> <object> start <unit>    the unit as it was read last, the rest from the object
    <position> <object> stop <unit>
    <position> <object> show <unit> <state>      the answer to somebody who asks

A container that has been started is *activating* until somebody has asked about it: it is well
later than it is started, as any is. One that is broken does not start. When those containers of an
object run and no others, and all that health asks for have been seen active, it is known that these
are well (``proved.py``). Of health, only units and containers can be asked for.

Tested by ``tests/unit/prove/test_services.py``.
"""

import contextlib
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconix.base.files import remove_tree
from reconix.base.process import preferring
from reconix.device.settings import health
from reconix.device.settings.health import (
    ContainerWorks,
    FewUnitsFailed,
    UnitActive,
    parse_health,
    print_health,
)
from reconix.prove.proved import Ran, Shape
from reconix.store.paths import StorePath

_SYSTEMCTL = """\
#!/bin/sh
cd {folder} || exit
object=$(basename "$(readlink {current} || echo -)")
say() {{ echo "$(stat --format=%s {log}) $object $*" >> told; }}
verb=$1
shift
case $verb in
    daemon-reload) say load ;;
    start)
        for unit; do
            [ -e "units/$unit" ] && continue
            [ ! -e "broken/$object" ] || exit 1
            say start "$unit"
            echo activating > "units/$unit"
        done ;;
    stop)
        for unit; do
            say stop "$unit"
            rm -f "units/$unit"
        done ;;
    show)
        case $1 in *LoadState*) echo LoadState=not-found; exit ;; esac
        case $2 in container-*) state=inactive ;; *) state=active ;; esac
        [ ! -e "units/$2" ] || read -r state < "units/$2"
        say show "$2" "$state"
        printf 'ActiveState=%s\\nInvocationID=1\\n' "$state"
        [ "$state" != activating ] || echo active > "units/$2" ;;
    status) exit 3 ;;
esac
"""


def played(content: bytes) -> bytes:
    """``health.json`` without what nobody can ask for here: ports, pages, files, commands."""
    said = parse_health(content, source=health.NAME)
    checks = (each for each in said.checks if isinstance(each.condition, _PLAYED))
    return print_health(replace(said, checks=tuple(checks)))


_PLAYED = (UnitActive, FewUnitsFailed, ContainerWorks)


@dataclass
class Services:
    """What runs on the device, and what was said about it since it was started.

    Attributes:
        folder: of the stand-ins, and of what they remember.
        log: what was written to the disk.
        current: the link to the containers that count, see ``device/state/current_containers.py``.
        shapes: of all systems that are known.
        ran: what is known to have run, in the order in which it was found out.
    """

    folder: Path
    log: Path
    current: Path
    shapes: tuple[Shape, ...]
    ran: list[Ran] = field(default_factory=list)

    def start(self, toplevel: StorePath, *, position: int) -> None:
        """The device has started this system, as a whole, and its containers with it.

        Args:
            toplevel: of the system.
            position: how far the log is; 0 for what was flashed, for which others answer.
        """
        begins = self._shape(toplevel)
        self._hearing = _Hearing(self.shapes, begins)
        self._make([each.unit for each in begins.listed])
        self.ran.append(Ran(position, toplevel, begins.containers))

    @contextlib.contextmanager
    def played(self, *, broken: StorePath | None = None) -> Iterator[None]:
        """Within this, programs find systemd; what a broken object tells of does not start."""
        if broken is not None:
            (self.folder / "broken" / broken.basename).touch()
        try:
            with preferring(self.folder):
                yield
        finally:
            self._hear()
            for place in (self.folder / "broken").iterdir():
                place.unlink()

    @property
    def running(self) -> frozenset[str]:
        """The containers that run, by their units."""
        units = {each.unit for shape in self.shapes for each in shape.listed}
        return frozenset(each.name for each in (self.folder / "units").iterdir()) & units

    def containers_of(self, toplevel: StorePath) -> StorePath | None:
        """The object that tells of the containers of a system."""
        return self._shape(toplevel).containers

    def _shape(self, toplevel: StorePath) -> Shape:
        return next(each for each in self.shapes if each.toplevel == toplevel)

    def _make(self, running: Iterable[str]) -> None:
        if self.folder.exists():
            remove_tree(self.folder)
        for name in ("units", "broken"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "told").touch()
        for unit in running:
            (self.folder / "units" / unit).write_text("active\n")
        words = {"folder": self.folder, "log": self.log, "current": self.current}
        quoted = {name: shlex.quote(str(path)) for name, path in words.items()}
        self._program("systemctl", _SYSTEMCTL.format(**quoted))
        self._program("nsenter", "#!/bin/sh\n")

    def _program(self, name: str, text: str) -> None:
        place = self.folder / name
        place.write_text(text)
        place.chmod(0o755)

    def _hear(self) -> None:
        """Find out what was proved."""
        told = self.folder / "told"
        for line in told.read_text().splitlines():
            self.ran += self._hearing.take(*line.split())
        told.write_bytes(b"")


class _Hearing:
    """Follows what was told since a system was started, until containers are known to be well."""

    def __init__(self, shapes: Iterable[Shape], root: Shape) -> None:
        self._objects = {each.containers.basename: each for each in shapes if each.containers}
        self._root, self._units = root, root.units
        self._up = {each.unit: each.identity for each in root.listed}
        self._seen: set[str] = set()

    def take(self, position: str, name: str, verb: str, *words: str) -> Iterator[Ran]:
        """One line; gives what is known from there on."""
        now = self._objects.get(name, self._root)
        match verb, words:
            case "load", ():
                self._units = now.units
            case "start", (unit,):
                self._start(unit, now)
            case "stop", (unit,):
                self._up.pop(unit, None)
            case "show", (unit, "active"):
                self._seen.add(unit)
                if self._is_well(now):
                    yield Ran(int(position), self._root.toplevel, now.containers)

    def _start(self, unit: str, now: Shape) -> None:
        """It is what its object tells only if systemd has read the units of that."""
        self._seen.discard(unit)
        if now.units == self._units:
            self._up.update({each.unit: each.identity for each in now.listed if each.unit == unit})

    def _is_well(self, now: Shape) -> bool:
        wanted = {each.unit: each.identity for each in now.listed}
        return self._up == wanted and self._seen >= now.asked
