"""What the documents say is so."""

import ast
import re
from collections.abc import Iterator

from tests.project_files import ROOT, enough, texts
from tools.mutate import MODULES

from reconix.cli.commands import NAMES
from reconix.cli.install_hints import INSTALLED_BY
from reconix.device.paths import Paths

PACKAGES = {
    line.split()[0]: line.split()[1]
    for line in (ROOT / "tools" / "packages.txt").read_text().splitlines()
    if not line.startswith("#")
}
ALWAYS_THERE = {
    "bash",
    "sh",
    "dpkg-deb",
    "dpkg",
    "apt-get",
    "apt-cache",
    "ldconfig",
    "tar",
    "cp",
    "unshare",
    "nsenter",
}
"""Programs of essential packages, and apt."""

SAME_PACKAGE = {
    "fsck.erofs": {"dump.erofs", "mkfs.erofs"},
    "fsck.fat": {"mkfs.fat", "fatlabel"},
    "depmod": {"modprobe", "modinfo", "insmod", "kmod"},
    "mkimage": {"mkenvimage"},
    "mcopy": {"mdir", "mtype", "minfo", "mattrib", "mformat", "mmd"},
    "mkfs.ext4": {"e2image", "e2fsck", "debugfs", "dumpe2fs", "tune2fs", "mke2fs", "resize2fs"},
    "mosquitto_pub": {"mosquitto_sub"},
    "nix-store": {"nix", "nix-build", "nix-instantiate", "nix-hash", "nix-env", "nix-shell"},
    "qemu-img": {"qemu-io", "qemu-nbd", "qemu-storage-daemon"},
    "ssh": {"ssh-keygen", "scp"},
    "xz": {"unxz", "xzcat"},
    "zstd": {"unzstd"},
    "systemd-analyze": {"systemctl", "systemd-escape", "systemd-sysusers", "systemd-tmpfiles"},
    "objdump": {"ar", "objcopy", "as", "ld", "readelf"},
}


def installed_programs() -> set[str]:
    """What is there after set-up."""
    signs = set(PACKAGES.values())
    return ALWAYS_THERE | signs | {each for sign in signs for each in SAME_PACKAGE.get(sign, set())}


def needed_programs() -> Iterator[tuple[str, str]]:
    """Every program that a test asks for, with the test file."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "need":
                for word in node.args:
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        yield path.name, word.value


def test_set_up_installs_every_program_that_a_test_needs() -> None:
    needed = enough(set(needed_programs()), at_least=60, what="programs that tests need")
    missing = {each for each in needed if each[1] not in installed_programs()}
    assert not missing, f"add their packages to tools/packages.txt: {sorted(missing)}"


def test_set_up_says_what_each_package_is_for() -> None:
    lines = (ROOT / "tools" / "packages.txt").read_text().splitlines()
    silent = [line for line in lines if len(line.split()) < 3]
    assert not silent, f"tools/packages.txt: say what it is for: {silent}"


def test_set_up_installs_every_package_that_a_message_names() -> None:
    essential = {"apt", "coreutils", "dash", "dpkg", "gzip", "tar", "util-linux"}
    assert set(INSTALLED_BY.values()) - essential <= set(PACKAGES)


def test_the_readme_tells_of_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in NAMES:
        assert f"reconix {name}" in readme, f"README.md does not mention `reconix {name}`"


def test_links_between_documents_lead_somewhere() -> None:
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    documents = enough(found, at_least=50, what="documents")
    links = [
        (document, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#:\s]+)\)", document.read_text())
    ]
    for document, target in enough(links, at_least=150, what="links"):
        assert (document.parent / target).exists(), f"{document.name}: {target} is not there"


def named_tests() -> Iterator[tuple[str, str]]:
    """Every test that a module says it is tested by, with the module."""
    for name, text in texts().items():
        for told in re.findall(r"Tested by\b(.*?)(?:\n\n|\"\"\")", text, re.DOTALL):
            for test in re.findall(r"``(tests/[^`:]+)", told):
                yield name, test


def test_each_module_names_tests_that_are_there() -> None:
    for name, test in enough(list(named_tests()), at_least=240, what="named tests"):
        assert any(ROOT.glob(test)), f"{name}: there is no {test}"


MODULE = re.compile(r"``((?:[a-z_]+/)*[a-z_]+\.(?:py|sh))``")
ELSEWHERE = {("src/reconix/build/data/compile_modules.py", "__main__.py")}
"""The ``__main__.py`` of an archive."""


def test_a_module_that_another_one_names_is_there() -> None:
    """As seen from the folder of that one, from ``src/reconix``, or from the project."""
    named = [
        (name, module)
        for name, text in texts().items()
        if name.startswith("src/reconix/")
        for module in MODULE.findall(text)
    ]
    for name, module in enough(named, at_least=250, what="names of modules"):
        folders = (ROOT / name).parent, ROOT / "src" / "reconix", ROOT
        is_there = any((folder / module).exists() for folder in folders)
        assert is_there or (name, module) in ELSEWHERE, f"{name}: there is no {module}"


def test_modules_that_are_mutated_are_there_and_so_are_their_tests() -> None:
    for module, tests in enough(MODULES, at_least=6, what="mutated modules").items():
        assert (ROOT / "src" / "reconix" / f"{module}.py").exists()
        files = [test for test in tests if not test.startswith("-")]
        for file in enough(files, at_least=1, what=f"files that test {module}"):
            assert (ROOT / file).exists(), f"tools/mutate.py: {file}"


def test_each_decision_has_a_number_of_its_own() -> None:
    """There may be gaps: those who work side by side take numbers before they write."""
    numbers = sorted(path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md"))
    enough(numbers, at_least=61, what="decisions")
    assert all(number.isdecimal() for number in numbers)
    assert len(numbers) == len(set(numbers)), numbers


FILE_ROW = re.compile(
    r"^\| `?(?P<file>[^|]*?)`? \| `(?P<property>\w+)` \|(?:[^|]+\|){4}$", re.MULTILINE
)


def test_the_table_of_the_agents_files_has_each_path_that_the_agent_knows() -> None:
    text = (ROOT / "docs/spec/agent.md").read_text()
    table = text.partition("## Files and variables\n")[2].partition("\n## ")[0]
    rows = {row["property"]: row["file"] for row in FILE_ROW.finditer(table)}
    known = {name for name, value in vars(Paths).items() if isinstance(value, property)}
    paths = enough({name: str(getattr(Paths(), name)) for name in known}, at_least=30, what="paths")
    assert rows == paths
