"""With the Python of this machine; ``tests/compat/test_build.py`` runs that of a root."""

import importlib.util
import io
import marshal
import sys
import types
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.build.software.python import bytecode
from reconix.config.lock.packages import LockedPackage

HERE = (sys.executable, "-I", "-S", "-B", "-W", "ignore")
PLACE = "/opt/air-venv/lib/python3.13/site-packages"


def compile_here(archive: bytes) -> bytes:
    return bytecode.compile_with(HERE, archive)


def compiled(modules: dict[str, bytes]) -> dict[str, bytes]:
    return dict(bytecode.compiled(modules, PLACE, compile_here))


def name_of(module: str) -> str:
    return importlib.util.cache_from_source(module)


def code(pyc: bytes) -> types.CodeType:
    found: types.CodeType = marshal.loads(pyc[16:])
    return found


def test_modules_are_compiled_for_where_they_will_be() -> None:
    source = b"def run():\n    return 1\n"
    found = compiled({"air/main.py": source, "air/deep/x.py": b""})
    assert set(found) == {name_of("air/deep/x.py"), name_of("air/main.py")}
    pyc = found[name_of("air/main.py")]
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(pyc[4:8], "little") == 1, "a hash that is not checked"
    assert pyc[8:16] == importlib.util.source_hash(source)
    assert code(pyc).co_filename == f"{PLACE}/air/main.py"


def test_python_takes_what_was_compiled(tmp_path: Path) -> None:
    """Without a look at the source: it is another one."""
    (tmp_path / "air.py").write_bytes(b"VALUE = 2\n")
    for name, content in compiled({"air.py": b"VALUE = 1\n"}).items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    spec = importlib.util.spec_from_file_location("air", tmp_path / "air.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.VALUE == 1


@pytest.mark.parametrize("source", [b"def", b"\0", b"\xff", b"# coding: none\n", b"(" * 999])
def test_what_cannot_be_compiled_is_left_out(source: bytes) -> None:
    assert list(compiled({"bad.py": source, "good.py": b""})) == [name_of("good.py")]


def test_warnings_are_nobody_s_business() -> None:
    assert list(compiled({"a.py": b"x = 1 is 1\nassert (0, 'x')\ny = '\\d'\n"}))


WORDS = st.sampled_from(["alpha", "beta", "gamma", "a b", "delta-1"])
SETS = st.frozensets(WORDS, min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(SETS, min_size=1, max_size=4), min_size=2, max_size=6))
def test_a_module_is_compiled_alike_whatever_is_compiled_before(
    contents: list[list[frozenset[str]]],
) -> None:
    """Equal sets of texts are one constant or two, by what Python knows already."""
    modules = {f"m{number}.py": _with_sets(sets) for number, sets in enumerate(contents)}
    together = compiled(modules)
    for name, source in modules.items():
        assert compiled({name: source})[name_of(name)] == together[name_of(name)]


def _with_sets(sets: list[frozenset[str]]) -> bytes:
    """A module that has each set twice."""
    lines = (
        f"def f{number}(x):\n    return x in {{{', '.join(map(repr, sorted(each)))}}}\n"
        for number, each in enumerate(sets * 2)
    )
    return "".join(lines).encode()


def test_which_packages_decide_is_known() -> None:
    names = ["libc6", "libpython3.13-minimal", "python3", "python3.13-minimal"]
    packages = [
        LockedPackage(name, "1", "amd64", 1, Digest.of(b""), "debian", "a.deb", "20260912T075541Z")
        for name in names
    ]
    pinned = [name for name, _ in bytecode.pins(packages, "3.13")]
    assert pinned == ["libpython3.13-minimal_1_amd64", "python3.13-minimal_1_amd64"]


def test_the_archive_of_modules_is_the_same_each_time() -> None:
    seen = set()

    def look(archive: bytes) -> bytes:
        seen.add(archive)
        empty = io.BytesIO()
        zipfile.ZipFile(empty, "w").close()
        return empty.getvalue()

    for names in (["a.py", "b.py"], ["b.py", "a.py"]):
        list(bytecode.compiled(dict.fromkeys(names, b""), PLACE, look))
    assert len(seen) == 1
