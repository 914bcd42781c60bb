"""The shape of the code: who may import whom, and which one place does what.

The tables are the rules. A failure names the file, the line and the rule that it breaks.
"""

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.project_files import ROOT, enough, texts

PACKAGE = ROOT / "src" / "reconix"

MAY_IMPORT = {
    "base": "",
    "store": "base",
    "boot": "base store",
    "transfer": "base store",
    "device": "base store boot transfer",
    "nix": "base store",
    "config": "base store",
    "build": "base store boot transfer device nix config",
    "minify": "base store nix config build",
    "containers": "base store device nix config build",
    "image": "base store boot device nix config build",
    "vm": "base",
    "pictures": "base",
    "prove": "base store boot transfer device nix build image vm",
    "project": "base store nix config build containers vm",
    "signing": "base transfer device nix config build project",
    "fleet": "base store boot transfer device nix build",
    "composition": "base store device nix config build project",
    "cli": (
        "base store boot transfer device nix config build minify containers image vm prove project "
        "signing fleet composition pictures"
    ),
}
"""What each package may import besides itself."""

ROOMS = {
    "transfer": ("trust", "codecs", "format", "receiving", "sending"),
    "build": (
        *("imports", "templates", "isolation", "emulation", "recipes", "pins"),
        *("archive", "agent", "on_device", "units", "users", "root", "boot", "cached_recipes"),
        *(
            "software",
            "etc",
            "minify",
            "toplevel",
            "measured",
            "generation",
            "nixos",
            "starting",
            "host",
            "inspect",
        ),
    ),
    "containers": (
        "compose",
        *("platforms", "descriptors", "documents", "signals", "settings", "images"),
        *("logins", "challenge", "registry"),
        *("layers", "archives", "layout", "sources", "blobs", "fetching", "trees", "paths"),
        *("unfit", "users", "locking", "runtime", "fitting", "native", "making"),
    ),
}
"""The parts of a package that has some, rooms and modules beside them; each imports only itself and
those before it."""

AGENT_ORDER = """
paths
hardware/    data_partition
hardware/    disk flash_wear inhibitors kernel_log lookups modaliases processes reset_reason restart
state/       lock data events faults running live_note choice last_check missed scrubbed ledger
state/       record
settings/    containers health policy removed schedule secrets wifi
state/       secrets current_containers
firmware
device
next_boot
trust_store
trial/       arm disks checks monitor trap
update/      stall web retry window verify scrub repair collect apply
update/      receive repository confirm untouched live rollback
select/      boot_plan choose follow start soft_reboot live_generation watch
identity
factory_reset
growth
status/      integrity asked room read json text
commands/    restarting containers secrets wifi update select
__main__
"""
"""The modules of ``device/`` in their rooms: each imports only what stands before it."""

IMPORTED_LATE = {
    ("device", "state/ledger"),
    ("state/record", "state/ledger"),
    ("commands/update", "update/repository"),
    ("select/start", "state/secrets"),
    ("select/start", "trial/trap"),
}
"""What is imported within a function, because every start waits for the agent and few need it.

``__main__`` imports what a command needs when the command is known.
"""

SHIPPED = ("base", "store", "boot", "transfer", "device")
"""Packages that go to the device: the standard library only."""

HOST_ONLY = "transfer/sending/"
"""The part of them that stays on the host; it may import ``nix`` too."""

ONE_HOME = {
    "import subprocess": {"base/process.py"},
    "import sqlite3": {"nix/database.py"},
    "os.environ": {"base/process.py", "cli/", "device/__main__.py"},
    "os.getenv": {"cli/", "device/__main__.py"},
    "print": {"cli/answers.py", "device/__main__.py"},
    "sys.stderr": {"cli/answers.py", "cli/main.py", "device/__main__.py"},
    "input": {"cli/"},
    "sys.argv": {"cli/main.py", "device/__main__.py"},
    "sys.exit": {"cli/", "device/__main__.py"},
    "os.system": set[str](),
    "os.execv": set[str](),
    "os.fork": set[str](),
    "os.fsync": {"base/files.py", "boot/disk.py"},
    "os.sync": set[str](),
}
"""What only these files may do, and why it has one home:

* programs: a clean environment and one kind of error; SQL: one schema;
* the environment and exit status: what lies below the commands can be used by any of them;
* output: what is shown may hold text of others, which is spelt out there;
* fsync: what is durable must be reasoned about in one place. ``boot/disk.py`` writes to partitions,
  which have no name to replace.
"""

MEDIAN_LINES = 14
LONGEST_LINES = 60


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str  # relative to the package: boot/fat.py
    tree: ast.Module

    @property
    def package(self) -> str:
        """The part of the code it belongs to; "" for the top."""
        return self.name.partition("/")[0] if "/" in self.name else ""

    def shipped(self) -> bool:
        """Whether it goes to the device."""
        return self.package in SHIPPED and not self.name.startswith(HOST_ONLY)


def read(path: Path) -> Module:
    return Module(path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_bytes(), str(path)))


MODULES = enough(
    [read(path) for path in sorted(PACKAGE.rglob("*.py"))], at_least=270, what="modules"
)
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Every import of a module as line and full dotted name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno}: imports are written in full"
            assert node.module is not None
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every function of a module as its name and its length in lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def uses(module: Module) -> Iterator[tuple[int, str]]:
    """What a module does of the things that have one home."""
    for line, name in imports(module):
        yield line, f"import {name.partition('.')[0]}"
        yield line, name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.lineno, f"{node.value.id}.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, node.func.id


def test_every_package_stands_in_the_table() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(MAY_IMPORT)


def test_the_table_has_no_circle() -> None:
    done: set[str] = set()
    for name in MAY_IMPORT:
        assert set(MAY_IMPORT[name].split()) <= done, f"{name} imports what comes after it"
        done.add(name)


@each_module
def test_imports_point_down(module: Module) -> None:
    allowed = {module.package, *MAY_IMPORT.get(module.package, "").split()}
    if module.name.startswith(HOST_ONLY):
        allowed.add("nix")
    for line, name in imports(module):
        first, _, rest = name.partition(".")
        if first == "reconix":
            package = rest.partition(".")[0]
            assert package in allowed, f"{module.name}:{line}: {module.package} imports {package}"


@each_module
def test_rooms_import_what_stands_before_them(module: Module) -> None:
    rooms = ROOMS.get(module.package, ())
    if not rooms or module.name == f"{module.package}/__init__.py":
        return
    room = module.name.split("/")[1].removesuffix(".py")
    for line, name in imports(module):
        _, package, other, *_ = f"{name}...".split(".")
        if package == module.package:
            allowed = rooms[: rooms.index(room) + 1]
            assert other in allowed, f"{module.name}:{line}: {room} imports {other}"


def test_every_room_stands_in_the_table() -> None:
    for package, rooms in ROOMS.items():
        found = {path.parent.name for path in PACKAGE.glob(f"{package}/*/__init__.py")}
        modules = {path.stem for path in (PACKAGE / package).glob("*.py")} - {"__init__"}
        assert found | modules == set(rooms)


def order_of_the_agent() -> list[str]:
    """The modules of ``AGENT_ORDER``, with their rooms."""
    rows = [line.split() for line in AGENT_ORDER.strip().splitlines()]
    return [f"{row[0]}{name}" for row in rows for name in (row[1:] or [""])]


def agent_imports(module: Module) -> Iterator[tuple[ast.ImportFrom, str]]:
    """Every import of a module of ``device/`` from ``device/``, as it stands in ``AGENT_ORDER``."""
    known = order_of_the_agent()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("reconix.device."):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [f"{node.module}"]
            paths = [name.removeprefix("reconix.device.").replace(".", "/") for name in names]
            yield from ((node, path) for path in paths if path in known)


AGENT = enough(
    [module for module in MODULES if module.package == "device" and "__init__" not in module.name],
    at_least=40,
    what="modules of the agent",
)


def place_in_the_agent(module: Module) -> str:
    return module.name.removeprefix("device/").removesuffix(".py")


def test_every_module_of_the_agent_stands_in_the_order_once() -> None:
    assert sorted(order_of_the_agent()) == sorted(map(place_in_the_agent, AGENT))


@pytest.mark.parametrize("module", AGENT, ids=place_in_the_agent)
def test_a_module_of_the_agent_imports_only_what_stands_before_it(module: Module) -> None:
    order, place = order_of_the_agent(), place_in_the_agent(module)
    for node, path in agent_imports(module):
        where = f"{module.name}:{node.lineno}: imports {path}"
        assert order.index(path) < order.index(place), f"{where}, which stands behind it"
        is_late = bool(node.col_offset) and not place.startswith("__main__")
        assert not is_late or (place, path) in IMPORTED_LATE, f"{where} within a function"


@each_module
def test_what_goes_to_the_device_needs_only_the_standard_library(module: Module) -> None:
    if not module.shipped():
        return
    stays = "reconix." + HOST_ONLY.replace("/", ".")
    for line, name in imports(module):
        where = f"{module.name}:{line}: {name}"
        first = name.partition(".")[0]
        assert first == "reconix" or first in sys.stdlib_module_names, f"{where} is not there"
        assert not f"{name}.".startswith(stays), f"{where} stays here"
        is_slow = first == "dataclasses" and not module.name.startswith("base/record")
        assert not is_slow, f"{where} is slow to import: take base/records.py"


@each_module
def test_what_has_one_home_is_done_there(module: Module) -> None:
    for line, what in uses(module):
        homes = ONE_HOME.get(what)
        if homes is not None:
            at_home = any(
                module.name.startswith(home) if home.endswith("/") else module.name == home
                for home in homes
            )
            assert at_home, f"{module.name}:{line}: `{what}` belongs to {sorted(homes)}"


def test_enough_imports_are_looked_at() -> None:
    names = [name for module in MODULES for _, name in imports(module)]
    ours = [name for name in names if name.startswith("reconix.")]
    enough(ours, at_least=1500, what="imports of modules of ours")


@each_module
def test_a_package_file_holds_only_a_docstring(module: Module) -> None:
    if module.name.endswith("__init__.py"):
        assert ast.get_docstring(module.tree), f"{module.name} says nothing"
        assert len(module.tree.body) == 1, f"{module.name} holds more than a docstring"


@each_module
def test_every_module_says_what_it_is_about(module: Module) -> None:
    assert ast.get_docstring(module.tree), f"{module.name} has no docstring"


@each_module
def test_nothing_is_caught_wholesale(module: Module) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type is not None else "everything"
            where = f"{module.name}:{node.lineno}: catches {caught}"
            assert caught not in {"everything", "Exception"}, where


def test_functions_are_small() -> None:
    found = [
        (lines, f"{module.name}: {name}")
        for module in MODULES
        for name, lines in functions(module.tree)
    ]
    median = statistics.median(lines for lines, _ in found)
    longest = sorted(found, reverse=True)[:10]
    print(f"{len(found)} functions, median {median} lines; the longest: {longest}")
    assert median <= MEDIAN_LINES
    assert longest[0][0] <= LONGEST_LINES, f"split it: {longest[0]}"


ARCHIVE = re.compile(
    r"\b(?:debian|ubuntu|docker|pypi|pythonhosted|nixos|ghcr|quay|gcr)\.(?:org|net|io|com)\b"
)
NAME_OF_PACKAGE = re.compile(r"(?<![\w./-])docker\.io(?![\w./:@-])")
"""What Debian calls a package: no host, as nothing before or behind it makes it one."""
ADDRESS = re.compile(r"\b(?:https?|ftp)://(?P<host>[\w.\[\]:-]+)")
REAL_HOST = re.compile(r"(?:[\w-]+\.)+[\w-]+|\[[\da-fA-F:.]+\]")
"""A name with a dot, or a number; anything else cannot be reached from elsewhere."""
OURS = re.compile(
    r"localhost|127\.0\.0\.\d+|\[::1\]|192\.0\.2\.\d+|(?:.*\.)?(?:example|invalid|test)"
    r"|(?:.*\.)?example\.(?:com|net|org)"
)
"""This machine, and what RFC 2606 and RFC 5737 set apart for examples."""
IDENTIFIERS = {"json-schema.org", "www.w3.org"}
"""Hosts in names that only look like addresses; nobody asks them."""


def test_no_host_of_an_archive_is_named_in_the_project() -> None:
    """The address of the archive comes from the build machine's apt or from the user."""
    for name, text in texts().items():
        found = ARCHIVE.search(NAME_OF_PACKAGE.sub("", text))
        assert found is None, f"{name} names {found[0] if found else ''}"


@pytest.mark.parametrize("before", ["https://", "registry-1.", "//", "www."])
def test_a_package_is_told_from_a_host_of_the_same_name(before: str) -> None:
    name = "docker" + ".io"
    assert not ARCHIVE.search(NAME_OF_PACKAGE.sub("", f'"{name}", `{name}`'))
    for host in (f"{before}{name}", f"{name}/library/a", f"{name}:443"):
        assert ARCHIVE.search(NAME_OF_PACKAGE.sub("", host)), host


def test_no_program_or_test_names_a_real_host() -> None:
    for name, text in texts().items():
        for found in ADDRESS.finditer(text):
            host = re.sub(r":\d*$", "", found["host"])
            allowed = host in IDENTIFIERS or OURS.fullmatch(host)
            assert allowed or not REAL_HOST.fullmatch(host), f"{name} names {found[0]}"


@pytest.mark.parametrize("host", ["deb.sample.org", "10.1.2.3", "[2001:db8::1]", "a.b.c"])
def test_a_real_host_is_seen(host: str) -> None:
    assert REAL_HOST.fullmatch(host)
    assert not OURS.fullmatch(host)
