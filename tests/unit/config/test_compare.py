from dataclasses import replace
from pathlib import Path

from tests.unit.config.lock.test_containers import IMAGE, blob, package

from reconix.base.digests import Digest
from reconix.config.compare import Difference, compare, facts
from reconix.config.load import load_with_places
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import INDEX, LockedWheel, PythonLock


def write(folder: Path, web: str, page: str = "hello") -> Path:
    (folder / "hosts/gw/systems").mkdir(parents=True, exist_ok=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (folder / "hosts/gw/systems/default.toml").touch()
    (folder / "hosts/gw/systems/web.toml").write_text(f'files.page.source = "page.html"\n{web}')
    (folder / "hosts/gw/systems/page.html").write_text(page)
    return folder


def changes(one: Path, other: Path) -> dict[str, tuple[Difference, ...]]:
    loaded = [load_with_places(folder) for folder in (one, other)]
    old, new = (facts(each, None, each.configuration.hosts["gw"]) for each in loaded)
    return {name: compare(old[name], new[name]) for name in old}


def test_the_same_project_elsewhere_is_the_same(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", ""), write(tmp_path / "two", "")
    assert changes(one, other) == {"": (), "default": (), "web": ()}


def test_an_option_shows_in_its_system_only(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "")
    other = write(tmp_path / "two", 'health.timeout = "2min"\n')
    found = changes(one, other)
    assert found["web"] == (Difference("health.timeout", '"90s"', '"2min"'),)
    assert found["default"] == ()


def test_the_content_of_a_named_file_shows(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", ""), write(tmp_path / "two", "", page="other")
    (difference,) = changes(one, other)["web"]
    assert difference.key == "content of files.page"


def test_a_wheel_of_the_project_and_one_of_the_lock_show(tmp_path: Path) -> None:
    text = 'packages = ["python3"]\n[python.air]\nwheels = ["*.whl"]\n'
    one, other = write(tmp_path / "one", text), write(tmp_path / "two", text)
    for folder in (one, other):
        (folder / "hosts/gw/systems/air.whl").write_text(folder.name)
    found = []
    for folder, version in ((one, "1"), (other, "2")):
        loaded = load_with_places(folder)
        six = LockedWheel("six", version, "six.whl", 1, Digest.of(b""), INDEX)
        python = {"air": PythonLock(Digest.of(b""), (six,))}
        lock = HostLock("amd64", (), (), (), (), {"web": SystemLock((), (), "", (), python)})
        found.append(facts(loaded, lock, loaded.configuration.hosts["gw"])["web"])
    own, locked = compare(*found)
    assert own.key == "content of python.air.wheels air.whl"
    assert locked == Difference("wheel six of python.air", "1", "2")


def test_what_containers_are_made_of_shows(tmp_path: Path) -> None:
    text = (
        '[containers.a]\nimage = "oci:a"\nfiles."/a".source = "a.conf"\n'
        '[containers.b]\npackages = ["flask"]\ncommand = ["flask"]\n'
    )
    found = []
    elsewhere = replace(IMAGE, manifest=blob("another"))
    for name, image, version, number in (("one", IMAGE, "1", 0), ("two", elsewhere, "2", 7)):
        folder = tmp_path / name
        (folder / "hosts/gw/systems").mkdir(parents=True)
        (folder / "hosts/gw/systems/a.conf").write_text(name)
        loaded = load_with_places(write(folder, text))
        native = ContainerLock(packages=(replace(package("flask"), version=version),))
        system = SystemLock((), (), "", (), containers={"a": image, "b": native})
        lock = HostLock("amd64", (), (), (), (), {"web": system}, ranges={"a": number})
        found.append(facts(loaded, lock, loaded.configuration.hosts["gw"])["web"])
    assert IMAGE.manifest is not None and elsewhere.manifest is not None
    assert [each.key for each in compare(*found)] == [
        "content of containers.a.files./a",
        "image of container a",
        "range of container a",
        "package flask in container b",
    ]


def test_where_a_package_comes_from_shows_if_it_is_not_debian(tmp_path: Path) -> None:
    loaded = load_with_places(write(tmp_path, ""))
    host = loaded.configuration.hosts["gw"]

    def told(*packages: LockedPackage) -> tuple[str, ...]:
        system = SystemLock((), packages, "linux-image-amd64", ())
        lock = HostLock("amd64", ("trixie",), ("main",), (), (), {"web": system})
        found = facts(loaded, lock, host)["web"]
        return tuple(value for key, value in found.items() if "package " in key)

    debian = LockedPackage(
        *("air", "1", "all", 3, Digest.of(b"air"), "debian", "pool/air.deb", "20260912T075541Z")
    )
    mine = replace(debian, archive="project", path="dist/air.deb", date="")
    changed = replace(mine, sha256=Digest.of(b"changed"))
    assert told(debian) == told(replace(debian, archive="debian-security")) == ("1",)
    assert told(replace(debian, archive="vendor")) == ("1 of vendor",)
    assert told(mine) == ("1 of dist/air.deb", str(Digest.of(b"air")))
    assert told(changed) == ("1 of dist/air.deb", str(Digest.of(b"changed")))


def test_what_is_new_and_what_is_gone_have_one_side() -> None:
    assert compare({"a": "1", "b": "1"}, {"b": "1", "c": "1"}) == (
        Difference("c", None, "1"),
        Difference("a", "1", None),
    )


def tree(folder: Path) -> Path:
    made = write(folder, '[trees."/opt/air"]\nsource = "air"\nexclude = ["*.pyc"]\n')
    (made / "hosts/gw/systems/air/bin").mkdir(parents=True)
    (made / "hosts/gw/systems/air/bin/air").write_text("x")
    (made / "hosts/gw/systems/air/link").symlink_to("bin/air")
    return made / "hosts/gw/systems/air"


def remade(air: Path) -> None:
    (air / "bin/air").touch()
    (air / "bin/x.pyc").touch()


def other_content(air: Path) -> None:
    (air / "bin/air").write_text("y")


def a_program(air: Path) -> None:
    (air / "bin/air").chmod(0o755)


def an_empty_folder(air: Path) -> None:
    (air / "empty").mkdir()


def another_target(air: Path) -> None:
    (air / "link").unlink()
    (air / "link").symlink_to("bin")


def test_the_content_of_a_tree_shows(tmp_path: Path) -> None:
    one = tree(tmp_path / "one").parents[3]
    for number, change in enumerate((other_content, a_program, an_empty_folder, another_target)):
        other = tree(tmp_path / f"other {number}")
        change(other)
        (difference,) = changes(one, other.parents[3])["web"]
        assert difference.key == "content of trees./opt/air"
    same = tree(tmp_path / "same")
    remade(same)
    assert changes(one, same.parents[3])["web"] == ()
