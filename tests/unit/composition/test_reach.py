"""What becomes of each system of a device, part by part."""

from dataclasses import replace

from tests.containers_of_devices import BROKER, LOGGER
from tests.installed_packages import add_generation

from reconix.base.digests import Digest
from reconix.composition.reach import Became, PartChange, SystemChange, system_changes
from reconix.device.settings.containers import NAME, Container, print_containers
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import Generation, read_generation
from reconix.store.paths import StorePath
from reconix.store.tree import File, Folder, Symlink, folder

ALONE = Container("alone", "container-alone.service", Digest.of(b"alone"))
NEW_BROKER = replace(BROKER, identity=Digest.of(b"another broker"), objects=())


def generation(store: ChrootStore, *containers: Container) -> Generation:
    """One whose system ``mail`` has some containers."""
    tree = folder({NAME: File(print_containers(replace(each, objects=()) for each in containers))})
    made = {"mail": store.add_files(tree, "containers-mail")} if containers else None
    return read_generation(store.store_dir, add_generation(store, made))


def with_toplevels(found: Generation, **toplevels: StorePath) -> Generation:
    systems = (
        replace(each, toplevel=toplevels.get(each.name, each.toplevel)) for each in found.systems
    )
    return replace(found, systems=tuple(systems))


def changed(found: tuple[SystemChange, ...], name: str) -> dict[str, PartChange]:
    """What is not the same in a system."""
    (system,) = (each for each in found if each.name == name)
    return {each.name: each for each in system.parts if each.became is not Became.SAME}


def test_of_containers_those_are_others_that_differ_and_who_shares_their_network(
    built: ChrootStore,
) -> None:
    old = generation(built, ALONE, BROKER, LOGGER)
    new = generation(built, ALONE, NEW_BROKER, LOGGER)
    found = system_changes(built, old, new)
    assert found[0] == SystemChange("default", Became.SAME)
    assert changed(found, "mail") == {
        "broker": PartChange("broker", Became.CHANGED, True),
        "logger": PartChange("logger", Became.CHANGED, True, ("is in the network of broker",)),
    }
    assert PartChange("alone", Became.SAME, True) in found[1].parts


def test_containers_come_and_go(built: ChrootStore) -> None:
    found = system_changes(built, generation(built, ALONE), generation(built, NEW_BROKER))
    assert {name: each.became for name, each in changed(found, "mail").items()} == {
        "alone": Became.GONE,
        "broker": Became.NEW,
    }


def test_packages_are_told_with_their_versions_and_generated_files_by_name(
    built: ChrootStore,
) -> None:
    old = generation(built)
    mail = old.system("mail").toplevel
    found = changed(system_changes(built, old, with_toplevels(old, default=mail)), "default")
    assert found["packages"].details == ("post (none) → 2-1", "server (none) → 2-1")
    assert found["settings in /etc"].details == ("conf differs",)
    assert "agent" not in found and "kernel, initrd, parameters" not in found


def test_trees_are_told_by_their_place(built: ChrootStore) -> None:
    old = generation(built)
    one, two = (built.add_files(folder({"run": File(text)}), "air") for text in (b"1", b"2"))
    before, after = (_with_trees(built, old, f"{tree} /opt/air\n") for tree in (one, two))
    both = with_toplevels(old, mail=before), with_toplevels(old, mail=after)
    found = changed(system_changes(built, *both), "mail")
    assert found == {
        "tree /opt/air": PartChange("tree /opt/air", Became.CHANGED, details=("run differs",))
    }
    none = changed(system_changes(built, old, with_toplevels(old, mail=after)), "mail")
    assert none["tree /opt/air"].became is Became.NEW


def _with_trees(store: ChrootStore, found: Generation, trees: str) -> StorePath:
    place = store.path(found.system("mail").toplevel)
    links = {
        each.name: Symlink(str(each.readlink())) for each in place.iterdir() if each.is_symlink()
    }
    boot = File((place / "boot.json").read_bytes())
    tree: Folder = folder({**links, "boot.json": boot, "trees": File(trees.encode())})
    return store.add_files(tree, "system-mail")


def test_without_a_base_all_is_new_and_what_is_left_out_is_gone(built: ChrootStore) -> None:
    found = generation(built)
    assert {each.became for each in system_changes(built, None, found)} == {Became.NEW}
    fewer = replace(found, systems=(found.system("default"),))
    assert system_changes(built, found, fewer)[1] == SystemChange("mail", Became.GONE)
