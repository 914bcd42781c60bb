import json
from pathlib import Path

import pytest

from reconix.build import measured
from reconix.build.measured import Measured
from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.nix.cache import push
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with ChrootStore(tmp_path / "s") as store:
        lib = store.add_files(folder({"a": File(b"lib" * 99)}), "lib")
        store.add_files(folder({"l": Symlink(f"{lib}/a")}), "tool", [lib])
    return tmp_path / "s"


def path_of(root: Path, name: str) -> StorePath:
    with ChrootStore(root) as store:
        return next(path for path in store.database.valid_paths() if path.name == name)


def ask(root: Path, *words: str) -> int:
    return main(["store", *words, "--store", str(root)])


def test_objects_are_listed(root: Path, capsys: Captured) -> None:
    assert ask(root, "ls", "--json") == 0
    assert [one["path"] for one in json.loads(capsys.readouterr().out)] == [
        str(path_of(root, "lib")),
        str(path_of(root, "tool")),
    ]


def test_the_beginning_of_a_path_is_enough(root: Path, capsys: Captured) -> None:
    tool = path_of(root, "tool")
    for text in (str(tool), tool.basename, tool.hash[:6], f"{root}/nix/store/{tool.basename}/"):
        assert ask(root, "info", text) == 0
        assert str(tool) in capsys.readouterr().out


def test_the_files_of_an_object_are_listed(root: Path, capsys: Captured) -> None:
    tool = path_of(root, "tool")
    assert ask(root, "ls", str(tool), "--json") == 0
    target = f"{path_of(root, 'lib')}/a"
    assert json.loads(capsys.readouterr().out) == [
        {"path": ".", "type": "directory"},
        {"path": "l", "type": "symlink", "target": target},
    ]
    assert ask(root, "ls", str(path_of(root, "lib"))) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == "a"


def test_collect_can_drop_old_generations_first(root: Path, capsys: Captured) -> None:
    lib, tool = path_of(root, "lib"), path_of(root, "tool")
    pins = Pins(root, "project", "gateway")
    pins.add(tool)
    pins.add(lib)
    assert ask(root, "collect") == 0
    assert path_of(root, "tool") == tool
    capsys.readouterr()
    assert ask(root, "collect", "--keep", "1") == 0
    assert "generation 1 of project/gateway dropped" in capsys.readouterr().out
    with ChrootStore(root) as store:
        assert store.database.valid_paths() == {lib}


@pytest.mark.parametrize("text", ["zzzz", ""])
def test_what_is_no_single_object_is_refused(root: Path, text: str, capsys: Captured) -> None:
    assert ask(root, "info", text) == 25
    assert "reconix store ls" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["why", "x"], ["info"], ["ls", "x", "y"], ["diff"], ["repair"]])
def test_a_wrong_number_of_words_is_a_mistake_of_use(root: Path, words: list[str]) -> None:
    assert ask(root, *words) == 2


def test_why_and_size_and_closure_answer(root: Path, capsys: Captured) -> None:
    lib, tool = path_of(root, "lib"), path_of(root, "tool")
    assert ask(root, "why", str(tool), str(lib)) == 0
    assert capsys.readouterr().out == f"{tool}  in l\n  {lib}\n"
    assert ask(root, "closure", str(tool)) == 0
    assert "2 objects" in capsys.readouterr().out
    assert ask(root, "size", str(lib), "--json") == 0
    (size,) = json.loads(capsys.readouterr().out)
    assert (size["own_bytes"], size["shared_bytes"]) == (297, 0)
    assert ask(root, "diff", str(lib), str(tool)) == 0
    assert "added    tool" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["cache", "store"])
def test_what_verify_finds_repair_fetches(
    root: Path, tmp_path: Path, kind: str, capsys: Captured
) -> None:
    lib = path_of(root, "lib")
    with ChrootStore(root) as store, ChrootStore(tmp_path / "store") as other:
        push(store, tmp_path / "cache", [lib])
        other.take_closure(store, [lib])
        victim = store.path(lib) / "a"
        before = Measured(store).system(lib)
    assert ask(root, "verify") == 0
    victim.chmod(0o644)
    victim.write_bytes(b"x" * 297)
    with ChrootStore(root) as store:
        measured.forget(store)
        assert Measured(store).system(lib) != before
    assert ask(root, "verify") == 20
    assert "changed: a" in capsys.readouterr().out
    where = f"file://{tmp_path}/cache" if kind == "cache" else str(tmp_path / "store")
    assert ask(root, "repair", "--from", where) == 0
    assert f"repaired {lib}" in capsys.readouterr().out
    assert ask(root, "verify") == 0
    with ChrootStore(root) as store:
        assert Measured(store).system(lib) == before, "what was computed of damaged files is gone"


@pytest.mark.parametrize("action", ["verify", "repair", "collect", "optimise"])
def test_what_lasts_says_so(root: Path, action: str, tmp_path: Path, capsys: Captured) -> None:
    assert ask(root, action, *(["--from", str(tmp_path)] if action == "repair" else [])) == 0
    assert capsys.readouterr().err.startswith(f"{action} the store …\n")
    assert ask(root, "ls") == 0
    assert capsys.readouterr().err == ""


def test_collect_tells_first_and_removes_then(root: Path, capsys: Captured) -> None:
    assert ask(root, "collect", "--dry-run") == 0
    assert "2 objects and 0 leftovers would be removed" in capsys.readouterr().out
    assert ask(root, "optimise") == 0
    assert ask(root, "collect") == 0
    assert ask(root, "ls", "--json") == 0
    assert capsys.readouterr().out.endswith("[]\n")


def test_a_difference_of_generations_lists_packages_and_systems(
    tmp_path: Path, capsys: Captured
) -> None:
    with ChrootStore(tmp_path / "s") as store:
        first, second = (
            _generation(store, f"Package: ssl\nStatus: install ok installed\n{text}\n")
            for text in ("Version: 1.0~rc1\nInstalled-Size: 5", "Version: 1.0\nInstalled-Size: 6")
        )
    assert ask(tmp_path / "s", "diff", first.hash, second.hash) == 0
    shown = capsys.readouterr().out
    assert "up       package ssl" in shown
    assert "1.0~rc1 → 1.0  (5.0 KiB → 6.0 KiB)  in web\n" in shown
    assert "system web: touched\nsystem default: the same to the last byte\n" in shown
    assert ask(tmp_path / "s", "diff", first.hash, second.hash, "--json") == 0
    assert json.loads(capsys.readouterr().out)["packages"] == [
        {
            "name": "ssl",
            "change": "up",
            "before": "1.0~rc1",
            "after": "1.0",
            "before_bytes": 5120,
            "after_bytes": 6144,
            "systems": ["web"],
        }
    ]


def _generation(store: ChrootStore, status: str) -> StorePath:
    root = store.add_files(folder({"var/lib/dpkg/status": File(status.encode())}), "root-web")
    web = store.add_files(folder({"root": Symlink(str(root))}), "system-web", [root])
    default = store.add_files(File(b"default"), "system-default")
    links = folder({"systems/default": Symlink(str(default)), "systems/web": Symlink(str(web))})
    return store.add_files(links, "generation", [web, default])
