"""What `reconix lock` tells: which packages came and went, and what Nix built."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.config.lock.test_containers import IMAGE

from reconix.base.digests import Digest
from reconix.cli.lock import changes
from reconix.cli.main import main
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.hosts import HostLock, Lock, SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import INDEX, LockedWheel, PythonLock


def package(name: str, version: str = "1") -> LockedPackage:
    return LockedPackage(
        name=name,
        version=version,
        architecture="amd64",
        size_bytes=1000,
        sha256=Digest.of(name.encode()),
        archive="debian",
        path=f"pool/{name}.deb",
        date="20260912T075541Z",
    )


def lock(*packages: LockedPackage) -> Lock:
    system = SystemLock(("nginx",), packages, "linux-image-amd64", (package("linux"),))
    return Lock({"gw": HostLock("amd64", ("trixie",), ("main",), (), (), {"default": system})})


def test_a_first_lock_is_summed_up_without_its_packages() -> None:
    text, document = changes(None, lock(package("nginx")))
    assert text == "reconix.lock: 2 packages, 1 host"
    assert isinstance(document, dict)
    assert document["size_bytes"] == 2000 and len(document["added"]) == 2


def test_what_came_and_went_is_told_by_version() -> None:
    text, document = changes(
        lock(package("nginx"), package("gone")), lock(package("nginx", "2"), package("new"))
    )
    assert text.splitlines() == [
        "- gone_1_amd64",
        "- nginx_1_amd64",
        "+ new_1_amd64",
        "+ nginx_2_amd64",
        "reconix.lock: 3 packages, 1 host",
    ]
    assert isinstance(document, dict)
    assert document["removed"] == ["gone_1_amd64", "nginx_1_amd64"]


def test_the_same_lock_has_not_changed() -> None:
    text, document = changes(lock(package("nginx")), lock(package("nginx")))
    assert text == "reconix.lock: 2 packages, 1 host, nothing has changed"
    assert isinstance(document, dict)
    assert (document["added"], document["removed"]) == ([], [])


def test_only_an_archive_of_the_project_can_be_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hosts/gw/systems").mkdir(parents=True)
    (tmp_path / "hosts/gw/machine.toml").write_text('kernel.package = "linux-image-amd64"\n')
    (tmp_path / "hosts/gw/systems/default.toml").touch()
    vendor = '[archives.vendor]\nurl = "file:x"\ntrusted = true\nsuites = ["./"]\n'
    (tmp_path / "reconix.toml").write_text(f'name = "test"\n{vendor}packages = ["a-*"]\n')
    words = ["--project", str(tmp_path), "lock", "--accept-older", "vendro"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "there is no archive 'vendro'" in said and "this project has: vendor" in said


def test_wheels_are_told_by_file_and_size() -> None:
    def with_wheel(version: str) -> Lock:
        plain = lock(package("python3"))
        name = f"six-{version}-py3-none-any.whl"
        six = LockedWheel("six", version, name, 2048, Digest.of(b""), INDEX)
        host = plain.hosts["gw"]
        python = {"air": PythonLock(Digest.of(b""), (six,))}
        systems = {"default": replace(host.systems["default"], python=python)}
        return Lock({"gw": replace(host, systems=systems)})

    text, document = changes(with_wheel("1"), with_wheel("2"))
    assert text.splitlines() == [
        "- six-1-py3-none-any.whl (2.0 KiB)",
        "+ six-2-py3-none-any.whl (2.0 KiB)",
        "reconix.lock: 2 packages, 1 wheel, 1 host",
    ]
    assert isinstance(document, dict)
    assert (document["wheels"], document["size_bytes"]) == (1, 4048)


def of_a_container(container: ContainerLock) -> Lock:
    gw = lock(package("nginx")).hosts["gw"]
    system = replace(gw.systems["default"], containers={"broker": container})
    return Lock({"gw": replace(gw, systems={"default": system})})


def test_images_are_told_and_a_tag_that_moved_with_both_digests() -> None:
    other = replace(IMAGE, asked="oci:images:app")
    text, document = changes(of_a_container(other), of_a_container(IMAGE))
    assert text.splitlines() == [
        "- oci:images:app",
        f"+ {IMAGE.asked}",
        "reconix.lock: 2 packages, 1 image, 1 host",
    ]
    now = Digest.of(b"now")
    text, document = changes(of_a_container(IMAGE), of_a_container(replace(IMAGE, top=now)))
    assert f"{IMAGE.asked} was {IMAGE.top}, and is {now} now" in text.splitlines()[0]
    assert isinstance(document, dict)
    assert document["images_moved"] == [
        {
            "system": "gw:default",
            "container": "broker",
            "image": IMAGE.asked,
            "before": str(IMAGE.top),
            "now": str(now),
        }
    ]
    assert document["size_bytes"] == 2000 + sum(blob.size_bytes for blob in IMAGE.blobs())
