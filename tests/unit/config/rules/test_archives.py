import base64
from pathlib import Path

import pytest

from reconix.config.load import load
from reconix.config.problems import BadConfiguration, Problem

PUBLIC = base64.b64decode("mDMEaSt6ABYJKwYBBAHaRw8BAQdA")
"""How a file with a public key begins."""
SECRET = base64.b64decode("lFgEaSt6ABYJKwYBBAHaRw8BAQdA")
ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEaSt6\n"


def mistakes(folder: Path, *lines: str, name: str = "vendor") -> tuple[Problem, ...]:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "hosts/gw/machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (folder / "hosts/gw/systems/default.toml").touch()
    (folder / "key").write_bytes(PUBLIC)
    (folder / "reconix.toml").write_text(
        "\n".join(['name = "test"', f"[archives.{name}]", *lines, ""])
    )
    try:
        load(folder)
    except BadConfiguration as error:
        return error.problems
    return ()


URL = 'url = "https://packages.example"'
FOLDER = 'url = "file:../repository"'
SUITES = 'suites = ["stable"]'
FLAT = 'suites = ["./"]'
KEY = 'keyring = "key"'
TRUSTED = "trusted = true"
PACKAGES = 'packages = ["vendor-*"]'
NO_PACKAGES = "packages = []"
MAIN = 'components = ["main"]'


@pytest.mark.parametrize(
    "lines",
    [
        (URL, SUITES, KEY, PACKAGES, MAIN),
        (FOLDER, FLAT, KEY, PACKAGES),
        (FOLDER, FLAT, TRUSTED, PACKAGES),
        ('suites = ["trixie-backports"]', PACKAGES),
    ],
)
def test_what_can_be_asked_is_taken(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert mistakes(tmp_path, *lines) == ()


@pytest.mark.parametrize(
    ("lines", "key", "line", "fact"),
    [
        ((URL, SUITES, PACKAGES), "", 2, "has no keyring"),
        ((FOLDER, SUITES, PACKAGES), "", 2, "has no keyring"),
        ((URL, SUITES, PACKAGES, TRUSTED), "trusted", 6, "only an archive at file:"),
        ((SUITES, PACKAGES, TRUSTED), "trusted", 5, "only an archive at file:"),
        ((FOLDER, SUITES, PACKAGES, KEY, TRUSTED), "trusted", 7, "and so is keyring"),
        ((URL, SUITES, KEY, NO_PACKAGES), "packages", 6, "nothing could come from it"),
        ((URL, "suites = []", KEY, PACKAGES), "suites", 4, "nothing could come from it"),
        ((URL, FLAT, KEY, PACKAGES, MAIN), "components", 7, "a suite that ends in / has none"),
        (('suites = ["trixie"]', PACKAGES), "suites", 3, "of which everything may come"),
        (('suites = ["sid-security"]', PACKAGES), "suites", 3, "has no sid-security"),
        ((FLAT, PACKAGES), "suites", 3, "has no ./"),
        ((URL, SUITES, KEY), "packages", 0, "is missing"),
        (('url = "https://me:secret@x"', SUITES, KEY, PACKAGES), "url", 3, "without user"),
        (('url = "ftp://x.example"', SUITES, KEY, PACKAGES), "url", 3, "http://"),
        ((URL, SUITES, KEY, 'packages = ["Vendor"]'), "packages", 6, "name of a Debian package"),
        ((URL, 'suites = ["../x"]', KEY, PACKAGES), "suites", 4, "name of a suite"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(
    tmp_path: Path, lines: tuple[str, ...], key: str, line: int, fact: str
) -> None:
    problem = next(each for each in mistakes(tmp_path, *lines) if fact in each.fact)
    assert problem.key == ".".join(filter(None, ["archives.vendor", key]))
    assert "secret" not in problem.fact
    assert (problem.place.file.name, problem.place.line) == ("reconix.toml", line)


@pytest.mark.parametrize("name", ["debian", "debian-security", "project"])
def test_an_archive_is_not_called_what_the_lock_calls_others(tmp_path: Path, name: str) -> None:
    (problem,) = mistakes(tmp_path, URL, SUITES, KEY, PACKAGES, name=name)
    assert (problem.key, problem.fact) == (f"archives.{name}", "this name is taken")


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (PUBLIC, None),
        (ARMOUR, None),
        (b"the key of our vendor:\n" + ARMOUR, None),
        (SECRET, "holds a secret key"),
        (ARMOUR.replace(b"PUBLIC", b"PRIVATE"), "holds a secret key"),
        (b"", "holds no public keys"),
        (b"ssh-ed25519 AAAA", "holds no public keys"),
        (b"\0\0\0\x20\1\1\0\2KBXf", "holds no public keys"),
    ],
)
def test_a_keyring_holds_public_keys(tmp_path: Path, content: bytes, fact: str | None) -> None:
    (tmp_path / "other").write_bytes(content)
    found = mistakes(tmp_path, URL, SUITES, 'keyring = "other"', PACKAGES)
    if fact is None:
        assert found == ()
        return
    (problem,) = found
    assert fact in problem.fact
    assert "gpg --armor --export" in problem.hint
    assert (problem.key, problem.place.line) == ("archives.vendor.keyring", 5)


def test_backports_are_debians_and_others_are_not(tmp_path: Path) -> None:
    assert mistakes(tmp_path, 'suites = ["trixie-backports"]', PACKAGES, name="backports") == ()
    file = tmp_path / "reconix.toml"
    file.write_text(f"{file.read_text()}[archives.vendor]\n{FOLDER}\n{FLAT}\n{KEY}\n{PACKAGES}\n")
    project = load(tmp_path).project
    assert [project.is_debian(name) for name in ("debian-security", "backports", "vendor")] == [
        *(True, True, False)
    ]
    assert not project.is_debian("project")
