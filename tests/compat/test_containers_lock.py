"""`reconix lock` with images from Debian's registry: found, kept, moved, refused."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.debian_archives import Site, debian_site
from tests.oci_images import file, image, index, layer, write_layout
from tests.registries import LOG_IN, PASSWORD, USER, registry, token_server, with_password

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.cli.main import main
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.document import FILE_NAME, parse_lock
from reconix.containers.fetching import Images
from reconix.containers.registry import Access

pytestmark = pytest.mark.archive

ONE, OTHER = (layer(file("a", b"1" * 1000)),), (layer(file("b", b"2" * 1000)),)


@pytest.fixture(autouse=True)
def _programs(need: Need, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("apt-get", "dpkg-deb", "gpg", "skopeo")
    for variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with debian_site(tmp_path) as site:
        yield site


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    place = tmp_path / "layout"
    one, other = image(place, ONE, compressed=True), image(place, OTHER, compressed=True)
    arm = image(place, OTHER, architecture="arm64", variant="v8")
    return write_layout(place, one=one, other=other, both=index(place, arm, one))


@dataclass(frozen=True)
class Answer:
    """What the command said."""

    status: int
    out: str
    err: str


class Command:
    """`reconix lock` in a project with one container."""

    def __init__(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        self._site, self._capsys = site, capsys
        self.path = site.project / FILE_NAME

    def names(self, reference: str, more: str = "") -> None:
        self._site.write(f'[containers.app]\nimage = "{reference}"\n', archive=more)

    def lock(self, *words: str) -> Answer:
        self._capsys.readouterr()
        status = main(["--project", str(self._site.project), "lock", *words])
        said = self._capsys.readouterr()
        return Answer(status, said.out, said.err)

    @property
    def container(self) -> ContainerLock:
        lock = parse_lock(self.path.read_bytes(), source="test")
        return lock.hosts["device"].systems["default"].containers["app"]


@pytest.fixture
def command(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    return Command(site, capsys)


def push(layout: Path, name: str, where: str, *more: str) -> None:
    options = ("--dest-tls-verify=false", *more)
    target = f"docker://{where}"
    run("skopeo", "--insecure-policy", "copy", *options, f"oci:{layout}:{name}", target)


def test_o3_a_tag_that_moved_is_told_and_keep_keeps(
    command: Command, layout: Path, tmp_path: Path
) -> None:
    with registry(tmp_path) as host:
        push(layout, "one", f"{host}/apps/app:1")
        command.names(f"{host}/apps/app:1")
        assert command.lock().status == 0
        first, written = command.container, command.path.read_bytes()
        assert "nothing has changed" in command.lock().out
        assert command.path.read_bytes() == written

        push(layout, "other", f"{host}/apps/app:1")
        assert "nothing has changed" in command.lock("--keep").out
        assert command.path.read_bytes() == written
        told = command.lock("--dry-run").out
        assert command.path.read_bytes() == written
        assert command.lock().out == told
        assert f"{host}/apps/app:1 was {first.top}, and is {command.container.top} now" in told
        assert command.container.layers != first.layers

        parts = Images(tmp_path, tmp_path / "cache", Access)
        again = [each.diff_id for each in parts.layers(first)]
        assert again == [Digest.of(content) for content in ONE], "a build asks for digests"

        command.names(f"{host}/apps/app@{first.top}")
        assert command.lock().status == 0
        assert command.container.layers == first.layers
    assert "nothing has changed" in command.lock("--keep").out, "nobody is asked"


def test_an_image_is_chosen_from_an_index(command: Command, layout: Path, tmp_path: Path) -> None:
    with registry(tmp_path) as host:
        push(layout, "both", f"{host}/app:1", "--all")
        push(layout, "one", f"{host}/one:1")
        command.names(f"{host}/one:1")
        command.lock()
        alone = command.container
        command.names(f"{host}/app:1")
        command.lock()
    assert command.container.layers == alone.layers
    assert command.container.top != alone.top


def test_what_cannot_be_had_is_told_and_nothing_is_written(
    command: Command, layout: Path, tmp_path: Path
) -> None:
    with registry(tmp_path) as host:
        push(layout, "one", f"{host}/app:1")
        command.names(f"{host}/app:1")
        command.lock()
        written = command.path.read_bytes()
        command.names(f"{host}/app:2")
        answer = command.lock()
    assert answer.status == 69
    assert "hosts/device/systems/default.toml:2:1: containers.app.image: there is no" in answer.err
    assert f"{host}/app/manifests/2" in answer.err
    assert command.path.read_bytes() == written


def log_in(tmp_path: Path, host: str, password: str) -> None:
    kept = base64.b64encode(f"{USER}:{password}".encode()).decode()
    file = tmp_path / "XDG_RUNTIME_DIR/containers/auth.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"auths": {host: {"auth": kept}}}))


def test_a_password_opens_a_registry_and_is_told_nobody_else(
    command: Command, layout: Path, tmp_path: Path
) -> None:
    with registry(tmp_path, with_password(tmp_path)) as host:
        push(layout, "one", f"{host}/a/app:1", f"--dest-creds={LOG_IN}")
        command.names(f"{host}/a/app:1")
        refused = [command.lock()]
        log_in(tmp_path, host, "wr0ng")
        refused.append(command.lock())
        assert not command.path.exists()
        log_in(tmp_path, host, PASSWORD)
        good = command.lock()
    assert [answer.status for answer in (*refused, good)] == [66, 66, 0]
    assert f"log in: podman login {host}" in refused[0].err
    assert "does not let a/app be read" in refused[1].err
    everything = "".join(each.out + each.err for each in (*refused, good))
    everything += command.path.read_text()
    for secret in ("wr0ng", PASSWORD, "Basic ", base64.b64encode(PASSWORD.encode()).decode()):
        assert secret not in everything


def test_a_helper_gives_a_log_in_for_a_token(
    command: Command, layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "bin/docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(
        f"#!/bin/sh\ncat <<END\n{json.dumps({'Username': USER, 'Secret': PASSWORD})}\nEND\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:/usr/bin:/bin:/usr/sbin:/sbin")
    with token_server(tmp_path) as tokens, registry(tmp_path, tokens.auth()) as host:
        push(layout, "one", f"{host}/mine/app:1", f"--dest-creds={LOG_IN}")
        command.names(f"{host}/mine/app:1")
        assert command.lock().status == 66
        (tmp_path / "docker").mkdir()
        config = {"credHelpers": {host: "test"}}
        (tmp_path / "docker/config.json").write_text(json.dumps(config))
        answer = command.lock()
    assert answer.status == 0, answer.err
    assert command.container.layers
    assert not re.search(r"eyJ|pass:word", answer.out + answer.err + command.path.read_text())
