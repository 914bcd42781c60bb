"""Frozen systems, on small generations in a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.made_generations import generation, toplevel

from reconix.build.inspect.frozen import FrozenChanged, check
from reconix.config.schema.system import Kernel, System
from reconix.nix.chroot import ChrootStore

KERNEL = Kernel(package="linux-image-amd64")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path) as opened:
        yield opened


def test_a_frozen_system_that_changes_names_the_way_to_the_file(store: ChrootStore) -> None:
    old, new = (generation(store, toplevel(store, page)) for page in "ab")
    with pytest.raises(FrozenChanged, match="etc → www/page differs"):
        check(store, {"web": System(kernel=KERNEL, frozen=True)}, new, old)


def test_a_frozen_system_that_stays_or_is_new_is_built(store: ChrootStore) -> None:
    systems = {"web": System(kernel=KERNEL, frozen=True)}
    one = generation(store, toplevel(store))
    check(store, systems, one, one)
    check(store, systems, one, None)


def test_a_system_that_is_not_frozen_may_change(store: ChrootStore) -> None:
    old, new = (generation(store, toplevel(store, page)) for page in "ab")
    check(store, {"web": System(kernel=KERNEL)}, new, old)
