"""Locking images: what the references of containers lead to, by digest.

This is the only step that asks what a tag stands for. What it leads to today is followed down to
the layers (``images.py``) and written into the lock; nothing large is fetched. All that cannot be
had is told at once, each where its container was written, and then nothing is locked.

With ``keep``, what a registry was asked before stays. What lies in files of the project is looked
at each time: that is content, and not somebody else's.

Tested by ``tests/unit/containers/test_locking.py``; with a real registry by
``tests/compat/test_containers_lock.py``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.build.archive.retry import DownloadFailed
from reconix.config.image_reference import InRegistry, Reference, parse_reference
from reconix.config.load import Loaded
from reconix.config.lock.containers import ContainerLock, LockedBlob, LockedLayer
from reconix.config.lock.hosts import HostLock, Lock, SystemLock, assign_ranges
from reconix.config.merge import Table
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.containers import Container
from reconix.config.schema.system import System
from reconix.containers.descriptors import BadImage, Descriptor
from reconix.containers.images import Image, find_image
from reconix.containers.logins import BadLogin
from reconix.containers.registry import Access, RegistryRefused
from reconix.containers.sources import open_source

_FAILURES = (BadImage, BadLogin, RegistryRefused, DownloadFailed)


class BadContainers(ReconixError):
    """Images cannot be had, or are none that could be used: all of them, not only the first."""

    def __init__(self, problems: Iterable[Problem], exit_code: int) -> None:
        self.problems = tuple(sorted(set(problems)))
        self.exit_code = exit_code
        count = f"{len(self.problems)} errors" if len(self.problems) > 1 else "an error"
        shown = "\n".join(map(str, self.problems))
        super().__init__(f"images of containers: {count}\n{shown}")


@dataclass(frozen=True, slots=True)
class Question:
    """What a container is asked to be made of, on which machine."""

    reference: Reference
    architecture: str


def lock_images(
    loaded: Loaded,
    lock: Lock,
    access: Access,
    *,
    work: Path,
    previous: Lock | None = None,
    keep: bool = False,
) -> Lock:
    """The lock, with the images of all containers, and a range of numbers for each container.

    Args:
        loaded: the project.
        lock: what its systems consist of besides.
        access: how registries are reached.
        work: a folder where archives can be unpacked.
        previous: the lock so far.
        keep: whether what registries said for it stays.

    Raises:
        BadContainers: an image cannot be had, or has no command.
    """
    locking = _Locking(loaded, access, work, previous if keep else None)
    hosts = {name: locking.host(name, host) for name, host in lock.hosts.items()}
    locking.end()
    return assign_ranges(Lock(hosts))


class _Locking:
    """Finds images; each once."""

    def __init__(self, loaded: Loaded, access: Access, work: Path, kept: Lock | None) -> None:
        self._loaded, self._access, self._work, self._kept = loaded, access, work, kept
        self._found: dict[Question, Image | ReconixError] = {}
        self._problems: list[Problem] = []
        self._exit_codes: list[int] = []

    def host(self, name: str, lock: HostLock) -> HostLock:
        host = self._loaded.configuration.hosts.get(name)
        if host is None:
            return lock
        systems = {
            each: self._system(name, each, host.systems[each], locked, lock.architecture)
            for each, locked in lock.systems.items()
        }
        return replace(lock, systems=systems)

    def end(self) -> None:
        """Tell what was wrong."""
        if self._problems:
            raise BadContainers(self._problems, self._exit_codes[0])

    def _system(
        self, host: str, name: str, system: System, lock: SystemLock, architecture: str
    ) -> SystemLock:
        found = dict(lock.containers)
        before = self._before(host, name, architecture)
        for each, container in sorted(system.containers.items()):
            if container.image is None:
                continue
            question = Question(parse_reference(container.image), architecture)
            locked = _kept(container.image, question, before.get(each))
            if locked is None:
                locked = self._ask(container, question, (host, name, each))
            if locked is not None:
                found[each] = locked
        return replace(lock, containers=dict(sorted(found.items())))

    def _before(self, host: str, name: str, architecture: str) -> Mapping[str, ContainerLock]:
        known = self._kept.hosts.get(host) if self._kept else None
        if known is None or known.architecture != architecture or name not in known.systems:
            return {}
        return known.systems[name].containers

    def _ask(
        self, container: Container, question: Question, where: tuple[str, str, str]
    ) -> ContainerLock | None:
        try:
            image = self._image(question)
            image.settings.command_or(container.command, source=str(question.reference))
        except _FAILURES as error:
            self._problems.append(self._problem(error, where))
            self._exit_codes.append(error.exit_code)
            return None
        return _locked(str(container.image), image)

    def _image(self, question: Question) -> Image:
        found = self._found.get(question)
        if found is None:
            found = self._found[question] = self._look_up(question)
        if isinstance(found, ReconixError):
            raise found
        return found

    def _look_up(self, question: Question) -> Image | ReconixError:
        reference, folder = question.reference, self._loaded.configuration.folder
        with progress.stage(f"look up {reference}"):
            try:
                with open_source(
                    reference, folder=folder, access=self._access, work=self._work
                ) as source:
                    return find_image(source, question.architecture)
            except _FAILURES as error:
                return error

    def _problem(self, error: ReconixError, where: tuple[str, str, str]) -> Problem:
        host, system, name = where
        tables = self._loaded.systems.get(host, {})
        file = Place(self._loaded.configuration.hosts[host].folder)
        table = tables.get(system, Table({}, file))
        place = place_of(table, "containers", name, "image", default=file)
        return Problem(place, f"containers.{name}.image", str(error), error.hint)


def _kept(asked: str, question: Question, before: ContainerLock | None) -> ContainerLock | None:
    """What was locked for the same question; files of the project are asked again."""
    is_same = before is not None and before.asked == asked
    return before if is_same and isinstance(question.reference, InRegistry) else None


def _locked(asked: str, image: Image) -> ContainerLock:
    return ContainerLock(
        asked=asked,
        top=image.top,
        manifest=_blob(image.manifest),
        config=_blob(image.config),
        layers=tuple(LockedLayer(_blob(layer.blob), layer.diff_id) for layer in image.layers),
    )


def _blob(found: Descriptor) -> LockedBlob:
    return LockedBlob(found.digest, found.size_bytes, found.media_type)
