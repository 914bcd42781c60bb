"""Values are found where they are, decrypted by the real program, and shown nowhere."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.heard import Heard

from reconix.base import progress
from reconix.base.files import BadFile
from reconix.base.process import run
from reconix.base.progress import Silent
from reconix.base.secret_values import MAX_BYTES, BadSecret, SecretValue
from reconix.config.load import load
from reconix.project.secrets import (
    Form,
    UnreadableSecret,
    Values,
    WantedSecret,
    keep_out_of_git,
    wanted,
)

VALUE = b"hunter2-\0\xff\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    keep_out_of_git(place)
    return place


@pytest.fixture
def said() -> Iterator[Heard]:
    heard = Heard()
    progress.listen(heard)
    yield heard
    progress.listen(Silent())


def write(folder: Path, name: str, content: bytes = VALUE, mode: int = 0o600) -> Path:
    path = folder / "secrets" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def value(folder: Path, name: str = "mqtt", serial: str | None = None) -> bytes:
    values = Values(folder, "gateway", serial)
    file = values.find(name)
    assert file is not None
    return values.read(file).content


def test_the_value_of_one_device_goes_before_that_of_its_host_and_that_of_all(folder: Path) -> None:
    for name, content in (("mqtt", b"all"), ("gateway/mqtt", b"host"), ("GW-1/mqtt", b"one")):
        write(folder, name, content)
    write(folder, "token", b"all")
    assert [value(folder), value(folder, serial="GW-1")] == [b"host", b"one"]
    assert value(folder, "token", "GW-1") == b"all"
    assert Values(folder, "other").find("gateway") is None
    assert Values(folder, "gateway").serials_with("mqtt") == ["GW-1"]


def test_a_value_is_taken_as_it_is(folder: Path, said: Heard) -> None:
    write(folder, "mqtt")
    assert value(folder) == VALUE
    assert said.notes == []


def test_two_files_for_one_secret_are_told(folder: Path) -> None:
    write(folder, "mqtt")
    write(folder, "mqtt.age")
    with pytest.raises(UnreadableSecret, match=r"mqtt and .*mqtt\.age are both for secret mqtt"):
        Values(folder, "gateway").find("mqtt")


BAD: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "empty": (lambda at: at.touch(mode=0o600), BadSecret, "is empty"),
    "large": (lambda at: at.write_bytes(b"x" * (MAX_BYTES + 9)), BadSecret, "is too large"),
    "a link": (lambda at: at.symlink_to("/etc/hostname"), BadFile, "is a link, not a file"),
    "a pipe": (lambda at: os.mkfifo(at), BadFile, "is a pipe, not a file"),
    "a link that leads nowhere": (lambda at: at.symlink_to("none"), BadFile, "is a link"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_is_no_value_is_refused(folder: Path, fault: str) -> None:
    make, error, told = BAD[fault]
    make(folder / "secrets/mqtt")
    with pytest.raises(error, match=told):
        value(folder)


def test_a_file_that_others_may_read_is_told_and_used(folder: Path, said: Heard) -> None:
    path = write(folder, "mqtt", mode=0o644)
    assert value(folder) == VALUE
    assert said.notes == [f"warning: others may read {path} (mode 0644): chmod 600 {path}"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(folder: Path) -> None:
    os.chown(write(folder, "mqtt"), 12345, 12345)
    with pytest.raises(UnreadableSecret, match=r"belongs to another user \(UID 12345\)"):
        value(folder)
    os.chown(folder, 12345, 12345)  # the project is that user's
    assert value(folder) == VALUE


def test_git_takes_only_what_is_encrypted_and_a_tracked_value_is_told(
    folder: Path, said: Heard, need: Need
) -> None:
    need("git")
    for name in ("mqtt", "GW-1/mqtt", "GW-1/token.age", "web.sops"):
        write(folder, name)
    run("git", "init", "-q", folder)
    words = ("git", "-C", folder, "ls-files", "--others", "--exclude-standard")
    listed = run(*words).decode().split()
    assert listed == ["secrets/.gitignore", "secrets/GW-1/token.age", "secrets/web.sops"]
    run("git", "-C", folder, "add", "--force", "secrets/mqtt")
    assert value(folder) == VALUE
    (note,) = said.notes
    assert f"git tracks {folder}/secrets/mqtt" in note


def encrypted(folder: Path, content: bytes, key: Path) -> None:
    run("age-keygen", "-o", key)
    recipient = run("age-keygen", "-y", key).decode().strip()
    path = folder / "secrets/mqtt.age"
    run("age", "--encrypt", "--recipient", recipient, "-o", path, stdin=content)


def test_age_decrypts_with_the_key_that_is_named(folder: Path, tmp_path: Path, need: Need) -> None:
    need("age")
    encrypted(folder, VALUE, tmp_path / "key")
    values = Values(folder, "gateway", identities=[tmp_path / "key"])
    file = values.find("mqtt")
    assert file is not None and file.form is Form.AGE
    assert values.read(file) == SecretValue("mqtt", VALUE)


def test_a_wrong_key_none_and_a_damaged_file_are_told_without_the_value(
    folder: Path, tmp_path: Path, need: Need
) -> None:
    need("age")
    encrypted(folder, b"hunter2" * 20000, tmp_path / "key")
    run("age-keygen", "-o", tmp_path / "other")
    path = folder / "secrets/mqtt.age"
    content = path.read_bytes()
    for keys, found, hint in (
        ([tmp_path / "other"], content, "--age-identity"),
        ([], content, "--age-identity"),
        ([tmp_path / "key"], content[:-40], "tried: "),  # its first chunks can be read
    ):
        path.write_bytes(found)
        values = Values(folder, "gateway", identities=keys)
        file = values.find("mqtt")
        assert file is not None
        with pytest.raises(UnreadableSecret) as failure:
            values.read(file)
        assert hint in failure.value.hint
        assert "hunter2" not in f"{failure.value} {failure.value.__cause__!r}"


@pytest.mark.parametrize(("ending", "program"), [("age", "age"), ("sops", "sops")])
def test_a_program_that_is_missing_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ending: str, program: str
) -> None:
    write(folder, f"mqtt.{ending}")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnreadableSecret, match=f"is encrypted, and {program} is not installed"):
        value(folder)


def test_sops_is_asked_for_the_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive has no sops; this stand-in takes the words that its manual has."""
    program = tmp_path / "bin/sops"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$1 $2 $3 $4 $5" = "--decrypt --input-type binary --output-type binary" ] '
        '|| { echo "hunter2"; exit 1; }\nexec /usr/bin/tr a-z b-za < "$6"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    write(folder, "mqtt.sops", b"abc")
    assert value(folder) == b"bcd"


def test_what_a_host_asks_for_is_put_together(tmp_path: Path) -> None:
    systems = tmp_path / "hosts/gw/systems"
    systems.mkdir(parents=True)
    (tmp_path / "reconix.toml").write_text('name = "test"\n')
    (systems.parent / "machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    for name, unit in (("default", "air"), ("web", "web")):
        required = "true" if name == "web" else "false"
        text = f'[secrets.mqtt]\nunits = ["{unit}.service"]\nrequired = {required}\n'
        (systems / f"{name}.toml").write_text(text)
    assert wanted(load(tmp_path).hosts["gw"]) == (
        WantedSecret("mqtt", ("default", "web"), ("air.service", "web.service"), True),
    )
