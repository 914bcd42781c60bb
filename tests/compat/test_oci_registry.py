"""Images from Debian's registry: open, with a password, and with the tokens of another server."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.oci_images import file, folder, image, index, layer, write_layout
from tests.registries import IDENTITY, LOG_IN, PASSWORD, registry, token_server, with_password

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.build.archive.retry import RetryPolicy
from reconix.config.image_reference import InRegistry
from reconix.containers.blobs import fetch_layers
from reconix.containers.images import Image, find_image
from reconix.containers.logins import Logins
from reconix.containers.registry import Access, NotThere, Registry, RegistryRefused

pytestmark = pytest.mark.archive

LAYERS = (layer(folder("etc"), file("etc/one", b"1" * 100_000)), layer(file("two", b"2")))
ARM = (layer(file("arm", b"3")),)
HURRY = RetryPolicy(attempts=1)


@pytest.fixture(autouse=True)
def _programs(need: Need) -> None:
    need("skopeo")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An image for two platforms, and one for one."""
    place = tmp_path / "layout"
    plain = image(place, LAYERS, compressed=True)
    both = index(place, image(place, ARM, architecture="arm64", variant="v8"), plain)
    return write_layout(place, plain=plain, both=both)


def push(layout: Path, name: str, host: str, target: str, *more: str) -> None:
    where = f"docker://{host}/{target}"
    options = ("--dest-tls-verify=false", "--insecure-policy")
    run("skopeo", *options[1:], "copy", options[0], *more, f"oci:{layout}:{name}", where)


def access(*files: Path) -> Access:
    return Access(logins=Logins(files), retry=HURRY)


def find(reference: InRegistry, how: Access, architecture: str = "amd64") -> Image:
    with closing(Registry(reference, how)) as source:
        return find_image(source, architecture)


def fetched(reference: InRegistry, how: Access, cache: Path) -> list[bytes]:
    """The layers of an image, as they come."""
    found = find(reference, how)
    with closing(Registry(reference, how)) as source:
        layers = fetch_layers(found, lambda: source, cache=cache)
    assert [each.diff_id for each in layers] == [Digest.of(content) for content in LAYERS]
    return [each.file.read_bytes() for each in layers]


def log_in(place: Path, host: str, password: str) -> Path:
    """Log in as podman does it, without asking the registry."""
    kept = base64.b64encode(f"somebody:{password}".encode()).decode()
    place.write_text(json.dumps({"auths": {host: {"auth": kept}}}))
    return place


@pytest.fixture
def open_registry(tmp_path: Path) -> Iterator[str]:
    with registry(tmp_path) as host:
        yield host


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_an_image_is_found_and_fetched(
    open_registry: str, layout: Path, tmp_path: Path, form: str
) -> None:
    push(layout, "plain", open_registry, "apps/one:1", f"--format={form}")
    reference = InRegistry(open_registry, "apps/one", "1")
    named = f"docker://{open_registry}/apps/one:1"
    said = run("skopeo", "inspect", "--raw", "--tls-verify=false", named)
    assert find(reference, access()).manifest.digest == Digest.of(said)
    assert len(fetched(reference, access(), tmp_path / "cache")) == len(LAYERS)


def test_an_index_leads_to_the_image_of_a_platform(open_registry: str, layout: Path) -> None:
    push(layout, "both", open_registry, "both:1", "--all")
    reference = InRegistry(open_registry, "both", "1")
    one, other = find(reference, access()), find(reference, access(), "arm64")
    assert one.top == other.top != one.manifest.digest
    assert [each.diff_id for each in other.layers] == [Digest.of(content) for content in ARM]


def test_a_digest_leads_to_the_image_although_a_tag_has_moved(
    open_registry: str, layout: Path
) -> None:
    push(layout, "plain", open_registry, "moved:1")
    before = find(InRegistry(open_registry, "moved", "1"), access())
    push(layout, "both", open_registry, "moved:1", "--all")
    assert find(InRegistry(open_registry, "moved", "1", before.top), access()) == before
    assert find(InRegistry(open_registry, "moved", "1"), access()).top != before.top


@pytest.mark.parametrize("name", ["none:1", "apps/one:2"])
def test_what_is_not_there_is_told(open_registry: str, layout: Path, name: str) -> None:
    push(layout, "plain", open_registry, "apps/one:1")
    repository, _, tag = name.partition(":")
    with pytest.raises(NotThere, match=f"there is no {open_registry}/{repository}/manifests/{tag}"):
        find(InRegistry(open_registry, repository, tag), access())


def test_a_password_is_told_to_a_registry_that_wants_one(layout: Path, tmp_path: Path) -> None:
    with registry(tmp_path, with_password(tmp_path)) as host:
        push(layout, "plain", host, "a/b:1", f"--dest-creds={LOG_IN}")
        reference = InRegistry(host, "a/b", "1")
        good = log_in(tmp_path / "auth.json", host, PASSWORD)
        assert len(fetched(reference, access(good), tmp_path / "cache")) == len(LAYERS)
        with pytest.raises(RegistryRefused, match="wants a log-in") as nobody:
            find(reference, access())
        assert nobody.value.hint == f"log in: podman login {host}"
        wrong = log_in(tmp_path / "wrong.json", host, "wr0ng")
        with pytest.raises(RegistryRefused, match="does not let a/b be read") as caught:
            find(reference, access(wrong))
        assert "wr0ng" not in str(caught.value) + caught.value.hint


def test_a_token_is_got_for_a_registry_that_wants_one(layout: Path, tmp_path: Path) -> None:
    with token_server(tmp_path) as tokens, registry(tmp_path, tokens.auth()) as host:
        for name in ("public/a:1", "mine/a:1"):
            push(layout, "plain", host, name, f"--dest-creds={LOG_IN}")
        good = log_in(tmp_path / "auth.json", host, PASSWORD)
        for reference, how in (
            (InRegistry(host, "public/a", "1"), access()),
            (InRegistry(host, "mine/a", "1"), access(good)),
        ):
            cache = tmp_path / reference.repository.replace("/", "-")
            assert len(fetched(reference, how, cache)) == len(LAYERS)
        assert "scope=repository:mine/a:pull" in tokens.asked[-1]
        with pytest.raises(RegistryRefused, match="wants a log-in"):
            find(InRegistry(host, "mine/a", "1"), access())
        wrong = log_in(tmp_path / "wrong.json", host, "wr0ng")
        with pytest.raises(RegistryRefused, match="does not let mine/a be read"):
            find(InRegistry(host, "mine/a", "1"), access(wrong))


def test_a_token_for_getting_tokens_is_used_as_skopeo_does(layout: Path, tmp_path: Path) -> None:
    with token_server(tmp_path) as tokens, registry(tmp_path, tokens.auth()) as host:
        push(layout, "plain", host, "mine/a:1", f"--dest-creds={LOG_IN}")
        kept, wrong = tmp_path / "auth.json", tmp_path / "wrong.json"
        for file, token in ((kept, IDENTITY), (wrong, "wr0ng")):
            auth = base64.b64encode(b"somebody:").decode()
            entry = {"auth": auth, "identitytoken": token}
            file.write_text(json.dumps({"auths": {host: entry}}))
        words = ("--tls-verify=false", f"--authfile={kept}", f"docker://{host}/mine/a:1")
        run("skopeo", "inspect", *words)
        assert tokens.asked[-1] == "/token"
        reference = InRegistry(host, "mine/a", "1")
        assert len(fetched(reference, access(kept), tmp_path / "cache")) == len(LAYERS)
        assert tokens.asked[-1] == "/token"
        with pytest.raises(RegistryRefused, match="does not let mine/a be read"):
            find(reference, access(wrong))


def test_who_has_logged_in_with_another_program_is_logged_in(layout: Path, tmp_path: Path) -> None:
    kept = tmp_path / "auth.json"
    with registry(tmp_path, with_password(tmp_path)) as host:
        push(layout, "plain", host, "a:1", f"--dest-creds={LOG_IN}")
        words = ("login", "--tls-verify=false", f"--authfile={kept}", "--username=somebody")
        run("skopeo", *words, "--password-stdin", host, stdin=PASSWORD.encode())
        assert find(InRegistry(host, "a", "1"), access(kept)).layers
