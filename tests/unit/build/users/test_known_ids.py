"""Numbers that devices know: in the lock, or in the generation that was built last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.documents import print_json
from reconix.build.users.known_ids import of_generation, with_ids
from reconix.build.users.static_ids import IdChanged, IdTaken
from reconix.config.lock.hosts import HostLock
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder

LOCK = HostLock("amd64", ("trixie",), ("main",), (), (), {})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path) as opened:
        yield opened


def toplevel(store: ChrootStore, name: str, **users: int) -> StorePath:
    people = "".join(f"{user}:x:{n}:{n}::/home/{user}:/bin/sh\n" for user, n in users.items())
    files = {
        "passwd": File(f"root:x:0:0::/root:/bin/sh\n{people}".encode()),
        "group": File(b"root:x:0:\noperator:x:37:\noperator:x:1000:\n"),
    }
    etc = store.add_files(folder(files), f"etc-{name}")
    return store.add_files(folder({"etc": Symlink(str(etc))}), f"system-{name}", [etc])


def generation(store: ChrootStore, **toplevels: StorePath) -> StorePath:
    boot = store.add_files(folder({"x": File(b"")}), "boot")
    text = print_json(
        {
            "version": 2,
            "host": "gw",
            "architecture": "amd64",
            "default": "default",
            "systems": {
                name: {"toplevel": str(path), "images": ["0" * 64]}
                for name, path in toplevels.items()
            },
            "boot": str(boot),
            "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
        }
    )
    tree = folder({"generation.json": File(text)})
    return store.add_files(tree, "generation-gw", [boot, *toplevels.values()])


def test_a_generation_tells_the_numbers_of_its_users(store: ChrootStore) -> None:
    default = toplevel(store, "default", operator=1000, mosquitto=312, nobody=65534)
    other = toplevel(store, "mqtt", mosquitto=312, ann=1001)
    built = generation(store, default=default, mqtt=other)
    everybody = {"operator": 1000, "mosquitto": 312, "ann": 1001}
    assert of_generation(store, built, ["default", "mqtt"]) == everybody
    assert of_generation(store, built, []) == {}


def test_a_name_with_two_numbers_in_one_generation_is_told(store: ChrootStore) -> None:
    one, other = toplevel(store, "one", rabbitmq=312), toplevel(store, "two", rabbitmq=313)
    with pytest.raises(IdChanged, match=r"312 .* 313"):
        of_generation(store, generation(store, default=one, two=other), ["default", "two"])


def test_the_lock_counts_more_than_the_last_generation_and_a_word_more_than_both() -> None:
    lock = with_ids(LOCK, {"a": 1000, "b": 1001}, {})
    assert lock.numbers == {"a": 1000, "b": 1001}
    assert with_ids(lock, {"a": 5000, "c": 1002}, {"b": 3000}).numbers == {
        "a": 1000,
        "b": 3000,
        "c": 1002,
    }


def test_two_names_with_one_number_are_told() -> None:
    with pytest.raises(IdTaken, match="1000"):
        with_ids(with_ids(LOCK, {"a": 1000}, {}), {"b": 1000}, {})
