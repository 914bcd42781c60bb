"""The keys of a project: made without being asked for, kept out of version control."""

import hashlib
import io
import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.made_generations import generation, toplevel

from reconix.base.errors import UsageError
from reconix.base.process import run
from reconix.build.generation import key_set
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.signing import project_keys
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import StreamReader
from reconix.transfer.sending import send
from reconix.transfer.trust.keys import KeySet
from reconix.transfer.trust.trust import NotTrusted, Trust


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, "")
    systems = tmp_path / "hosts/gw/systems"
    systems.mkdir(parents=True)
    (systems.parent / "machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (systems / "default.toml").touch()
    return tmp_path


def write(project: Path, update: str) -> None:
    (project / "reconix.toml").write_text(f'name = "test"\n{update}')


def files(project: Path) -> ProjectFiles:
    return ProjectFiles.read(project)


def key_set_in_force(project: Path) -> KeySet:
    found = key_set(project_keys.root_of(files(project)))
    assert found is not None
    return found


def reconix(project: Path, *words: str) -> int:
    return main(["--project", str(project), *words])


def stream(project: Path, place: Path) -> Path:
    """A small stream that the project signs."""
    with ChrootStore(place / "store") as store:
        target = generation(store, toplevel(store))
        with (place / "stream").open("wb") as file:
            signer = project_keys.signer_of(files(project))
            send.create(store, [], target, file.write, sequence=1, signer=signer)
    return place / "stream"


def verify(stream: Path, keys: KeySet) -> None:
    reader = StreamReader(io.BytesIO(stream.read_bytes()).read)
    Trust(keys).verify(reader.read_head().seal, reader.statement, reader.header.sequence)


def test_a_project_without_keys_gets_one_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = key_set_in_force(project)
    assert key_set_in_force(project) == first
    secret = project / "keys/update"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert (project / "keys/update.pub").read_text().strip() == str(first.keys[0])


def test_a_secret_key_is_not_for_version_control(project: Path, need: Callable[..., None]) -> None:
    need("git")
    key_set_in_force(project)
    subprocess.run(["git", "init", "-q", project], check=True)
    words = ["git", "-C", str(project), "ls-files", "--others", "--exclude-standard"]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert "keys/update.pub" in listed
    assert "keys/update" not in listed


@pytest.mark.parametrize(
    "before",
    [
        "",
        "dist/\n",
        "dist/",
        "# keys\n*.log\n",
        "*\n!*\n",
    ],
)
@pytest.mark.parametrize("name", ["x", "release key", "[a]", "#b", "!c", "wild*"])
def test_git_ignores_the_secret_key_and_nothing_else(
    project: Path, need: Callable[..., None], before: str, name: str
) -> None:
    need("git")
    run("git", "init", "-q", project)
    (project / "page.html").touch()
    if before:
        (project / ".gitignore").write_text(before)
    assert reconix(project, "keys", "generate", "anna", "--file", str(project / name)) == 0
    words = ("git", "-C", project, "ls-files", "-z", "--others", "--exclude-standard")
    listed = run(*words).decode().split("\0")
    assert name not in listed
    others = {".gitignore", f"{name}.pub", "page.html", "reconix.toml", "hosts/gw/machine.toml"}
    assert others <= set(listed)
    assert (project / ".gitignore").read_text().startswith(before)


def test_what_is_ignored_already_is_not_written_again(project: Path) -> None:
    (project / ".gitignore").write_text("*\n!*.pub\n")
    assert reconix(project, "keys", "generate", "anna", "--file", str(project / "x")) == 0
    assert (project / ".gitignore").read_text() == "*\n!*.pub\n"


def test_what_a_project_sends_is_trusted_by_its_devices(project: Path, tmp_path: Path) -> None:
    verify(stream(project, tmp_path), key_set_in_force(project))


def test_without_a_secret_key_nothing_is_sent(project: Path) -> None:
    key_set_in_force(project)
    (project / "keys/update").unlink()
    with pytest.raises(UsageError, match="no secret key"):
        project_keys.signer_of(files(project))


def test_a_project_may_do_without(project: Path) -> None:
    write(project, "trust.require_signature = false\n")
    assert project_keys.signer_of(files(project)) is None
    assert not (project / "keys").exists()


def test_a_threshold_is_reached_by_signing_again(project: Path, tmp_path: Path) -> None:
    for name in ("anna", "bert"):
        assert reconix(project, "keys", "generate", name) == 0
    both = 'keys_files = ["keys/anna.pub", "keys/bert.pub"]\nthreshold = 2\n'
    write(project, f"[trust]\n{both}")
    away = (project / "keys/bert").rename(tmp_path / "bert")
    sent = stream(project, tmp_path)
    with pytest.raises(NotTrusted, match="1 of 2 required signatures"):
        verify(sent, key_set_in_force(project))
    assert reconix(project, "keys", "sign", str(sent), "--key", str(away)) == 0
    verify(sent, key_set_in_force(project))


def test_keys_are_changed_by_the_set_before(project: Path, tmp_path: Path) -> None:
    before = key_set_in_force(project)
    assert reconix(project, "keys", "generate", "second") == 0
    write(project, '[trust]\nkeys_files = ["keys/second.pub"]\nkey_set = 2\n')
    with pytest.raises(NotTrusted):
        verify(stream(project, tmp_path), before)
    assert reconix(project, "keys", "renew", "--key", str(project / "keys/update")) == 0
    verify(stream(project, tmp_path), before)
    verify(stream(project, tmp_path), key_set_in_force(project))


def test_the_list_says_what_devices_trust(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = key_set_in_force(project)
    capsys.readouterr()
    assert reconix(project, "keys", "list", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["keys"] == [{"key": str(keys.keys[0]), "secret": True}]
    assert said["require_signature"] is True


@pytest.mark.parametrize(
    "words", [("generate", "update"), ("renew",), ("sign",), ("generate", "a", "b")]
)
def test_what_makes_no_sense_is_refused(project: Path, words: tuple[str, ...]) -> None:
    key_set_in_force(project)
    assert reconix(project, "keys", *words) == 2


def test_signing_again_changes_nothing(project: Path, tmp_path: Path) -> None:
    sent = stream(project, tmp_path)
    before = sent.read_bytes()
    assert reconix(project, "keys", "sign", str(sent)) == 0
    assert sent.read_bytes() == before


def test_a_header_that_says_more_than_we_know_is_signed_as_it_is(
    project: Path, tmp_path: Path
) -> None:
    """Another release may have written it, and what it says is a part of what is signed."""
    keys, sent = key_set_in_force(project), stream(project, tmp_path)
    content = sent.read_bytes()
    end = 18 + int.from_bytes(content[14:18], "little")
    document = content[18:end].replace(b"{\n", b'{\n  "because":   "of a newer release",\n', 1)
    start = content[:14] + len(document).to_bytes(4, "little") + document
    sent.write_bytes(start + hashlib.sha256(start).digest() + content[end + 32 :])
    with pytest.raises(NotTrusted):
        verify(sent, keys)
    assert reconix(project, "keys", "sign", str(sent)) == 0
    assert sent.read_bytes().startswith(start)
    verify(sent, keys)


def test_a_stream_names_its_target(project: Path, tmp_path: Path) -> None:
    reader = StreamReader(io.BytesIO(stream(project, tmp_path).read_bytes()).read)
    assert isinstance(reader.header.target, StorePath) and reader.header.sequence == 1
