"""Whether a container fits its image: who runs it, where, what, and what is laid over it.

A configuration can ask for a user, a folder or a program that an image has not, and so can the
image itself. All that is asked of one container is looked at, so that who made three mistakes hears
of three; each with the option that asks for it, or else that of the image.

Tested by ``tests/unit/containers/test_fitting.py``, in which each fact names a line.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reconix.base.text import one_line
from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.containers import Container
from reconix.containers.descriptors import BadImage
from reconix.containers.runtime.health import health_of
from reconix.containers.runtime.layer import ImageFiles, MadeLayer, make_layer
from reconix.containers.runtime.places import ROOT
from reconix.containers.runtime.process import folder_of, ids_of, process_of
from reconix.containers.runtime.programs import ContainerPrograms
from reconix.containers.settings import Settings
from reconix.containers.unfit import Unfit
from reconix.store.tree import write


@dataclass(frozen=True, slots=True)
class Wanted:
    """A container, and the image that it is to be made of.

    Attributes:
        name: of the container.
        container: as configured.
        settings: what the image says.
        image: its tree.
        architecture: of the host, as Debian calls it.
        source: the container, for messages.
    """

    name: str
    container: Container
    settings: Settings
    image: ImageFiles
    architecture: str
    source: str

    def unfit(self) -> Iterator[BadImage]:
        """All that is asked for and cannot be had."""
        checks = (
            self._lays_over,
            self._finds_its_user,
            self._finds_its_folder,
            self._has_a_command,
        )
        yield from [*_failures(*checks)] or self._wrong_programs()

    def _lays_over(self) -> MadeLayer:
        return make_layer(self.name, self.container, self.image, source=self.source)

    def _finds_its_user(self) -> object:
        return ids_of(self.container, self.settings, self.image.root, source=self.source)

    def _finds_its_folder(self) -> object:
        return folder_of(self.container, self.settings, self.image.root, source=self.source)

    def _has_a_command(self) -> object:
        return self.settings.command_or(self.container.command, source=self.source)

    def _wrong_programs(self) -> Iterator[Unfit]:
        layer = self._lays_over()
        with TemporaryDirectory(prefix="reconix-layer-") as folder:
            own = Path(folder, "layer")
            write(layer.tree, own)
            programs = self._programs((own / ROOT, self.image.root), layer)
            for program, option in self._started(programs.process.command[0]):
                if wrong := programs.wrong(program):
                    fact = f"starts {one_line(program)}, which {wrong}"
                    hint = "name a program that the image has"
                    yield Unfit(self.source, fact, *option, hint=hint)

    def _programs(self, roots: tuple[Path, ...], layer: MadeLayer) -> ContainerPrograms:
        process = process_of(
            self.name, self.container, self.settings, self.image.root, source=self.source
        )
        return ContainerPrograms(roots, layer.volumes.values(), process, self.architecture)

    def _started(self, program: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield program, ("command",)
        health = health_of(self.container.health, self.settings.health)
        if health is not None:
            yield health.command[0], ("health", "command")


def problem(error: BadImage, name: str, container: Container, table: Table, file: Place) -> Problem:
    """What does not fit, where it was written.

    Args:
        error: of the container.
        name: of it.
        container: as configured.
        table: the values of its system, which know where they were written.
        file: where to look if they do not.
    """
    origin = "image" if container.image is not None else "packages"
    option = error.option if isinstance(error, Unfit) and _is_said(error, container) else (origin,)
    where = ("containers", name, *option)
    fact = error.fact if isinstance(error, Unfit) else str(error)
    place = place_of(table, *where, default=file)
    return Problem(place, functools.reduce(dotted, where), fact, error.hint)


def _is_said(error: Unfit, container: Container) -> bool:
    """Whether the configuration asks for it, and not the image."""
    value: object = container
    for key in error.option:
        value = value.get(key) if isinstance(value, Mapping) else getattr(value, key)
    return bool(error.option) and bool(value)


def _failures(*checks: Callable[[], object]) -> Iterator[BadImage]:
    for check in checks:
        try:
            check()
        except BadImage as error:
            yield error
