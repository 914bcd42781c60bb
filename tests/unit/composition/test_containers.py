"""What containers take on a device: alone, and together with others."""

from pathlib import Path

import pytest
from tests.containers_of_devices import containers_with_files
from tests.installed_packages import add_generation, install

from reconix.base.documents import BadDocument
from reconix.composition.containers import measured
from reconix.composition.toplevel_parts import containers_of
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import Generation, read_generation


def generation(store: ChrootStore, *systems: str) -> Generation:
    install(store)
    made = containers_with_files(store)
    path = add_generation(store, dict.fromkeys(systems, made))
    return read_generation(store.store_dir, path)


def test_a_content_counts_for_each_that_has_it_and_alone_for_one(tmp_path: Path) -> None:
    with ChrootStore(tmp_path) as store:
        broker, logger = measured(store, generation(store, "mail"))
    assert [(each.system, each.container.name) for each in (broker, logger)] == [
        ("mail", "broker"),
        ("mail", "logger"),
    ]
    assert (broker.size_bytes, broker.alone_bytes, broker.shared_bytes) == (9000, 2000, 7000)
    assert (logger.size_bytes, logger.alone_bytes, logger.shared_bytes) == (7000, 0, 7000)


def test_what_another_system_has_as_well_is_shared(tmp_path: Path) -> None:
    with ChrootStore(tmp_path) as store:
        found = measured(store, generation(store, "default", "mail"))
    assert [(each.system, each.alone_bytes) for each in found] == [
        *[("default", 0)] * 2,
        *[("mail", 0)] * 2,
    ]


def test_a_system_without_containers_has_none(tmp_path: Path) -> None:
    with ChrootStore(tmp_path) as store:
        found = generation(store)
        assert measured(store, found) == ()
        assert containers_of(store, found.systems[0].toplevel) == ()


@pytest.mark.parametrize("content", [b"{}", b"not JSON"])
def test_what_is_damaged_is_told(tmp_path: Path, content: bytes) -> None:
    with ChrootStore(tmp_path) as store:
        found = generation(store, "mail")
        (mail,) = (each for each in found.systems if each.name == "mail")
        listed = containers_of(store, mail.toplevel)
        assert len(listed) == 2
        place = (store.path(mail.toplevel) / "containers").readlink().name
        file = store.store_dir / place / "containers.json"
        file.chmod(0o644)
        file.write_bytes(content)
        with pytest.raises(BadDocument):
            containers_of(store, mail.toplevel)
