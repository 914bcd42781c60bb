"""What a container says must fit together, and fit what other containers and the system say.

Tested by ``tests/unit/config/rules/test_containers.py``.
"""

import functools
from collections.abc import Iterator

from reconix.config.image_reference import BadReference, parse_reference
from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.containers import Container
from reconix.config.schema.system import System


def check_containers(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the containers of a system."""
    for name, container in system.containers.items():
        yield from _Container(name, container, table, file).problems()


class _Container:
    """One container, with where it was written."""

    def __init__(self, name: str, container: Container, table: Table, file: Place) -> None:
        self._name, self._container, self._table, self._file = name, container, table, file

    def problems(self) -> Iterator[Problem]:
        yield from self._made_of_one_thing()
        yield from self._image()

    def _place(self, *keys: str) -> Place:
        return place_of(self._table, "containers", self._name, *keys, default=self._file)

    def _problem(self, *keys: str, fact: str, hint: str) -> Problem:
        key = functools.reduce(dotted, keys, dotted("containers", self._name))
        return Problem(self._place(*keys), key, fact, hint)

    def _made_of_one_thing(self) -> Iterator[Problem]:
        image, packages = self._container.image, self._container.packages
        if image is not None and packages:
            hint = "set exactly one of them"
            yield self._problem("packages", fact="has an image and packages", hint=hint)
        if image is None and not packages:
            hint = 'set one of them: image = "…" or packages = ["…"]'
            yield self._problem(fact="has neither image nor packages", hint=hint)

    def _image(self) -> Iterator[Problem]:
        if self._container.image is None:
            return
        try:
            parse_reference(self._container.image)
        except BadReference as error:
            yield self._problem("image", fact=str(error), hint=error.hint)
