"""What a container is asked to be and its image does not let it be, with the option that asks.

Tested by ``tests/unit/containers/test_fitting.py``, in which each fact names a line.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from reconix.containers.descriptors import BadImage


class Unfit(BadImage):
    """Something that is asked of a container is not in its image.

    Attributes:
        fact: what is wrong, without the container.
        option: the keys of the option that asks for it, within the table of the container.
    """

    def __init__(self, source: str, fact: str, *option: str, hint: str = "") -> None:
        super().__init__(f"{source}: {fact}", hint=hint)
        self.fact, self.option = fact, option


@contextmanager
def asked_by(*option: str) -> Iterator[None]:
    """What does not fit in the block was asked for by this option."""
    try:
        yield
    except Unfit as error:
        error.option = option
        raise
