"""The image for machines without Debian is built, and a project is checked, locked and built in it.

buildah builds it from a trixie of this machine's archive; crun, of trixie too, runs it with the one
capability that ``docs/other-machines.md`` asks for. The container has the network of this machine.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.project_files import ROOT
from tests.trixie_programs import KEYRING, trixie

from reconix.base.process import CommandFailed, run, succeeds
from reconix.build.archive.addresses import addresses
from reconix.config.schema.project import Archive

PURPOSES = "reconix init lock build"
"""Emulators are large, and tested elsewhere."""
MACHINE = """\
packages = ["systemd", "systemd-sysv", "udev", "kmod", "dropbear", "python3"]
[kernel]
package = "linux-image-cloud-amd64"
"""
CRUN = """\
#!/bin/sh
exec {usr}/lib64/ld-linux-x86-64.so.2 --library-path {usr}/lib/x86_64-linux-gnu {usr}/bin/crun \
--cgroup-manager=disabled "$@"
"""
"""The program of trixie, which runs here with its own libraries."""
WITHOUT_GROUPS = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
"""crun knows control groups of the second version only, or none; this machine may have others."""
CERTIFICATES = "/etc/ssl/certs"


class Builder:
    """Images and containers, and a project that containers see."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project, self.crun = folder, folder / "project", folder / "crun"
        self.crun.write_text(CRUN.format(usr=trixie()))
        self.crun.chmod(0o755)

    def buildah(self, *words: str | Path, within: tuple[str, ...] = ()) -> str:
        """What it says, with a storage of its own."""
        store = ("--root", self.folder / "images", "--runroot", self.folder / "run")
        return run(*within, "buildah", *store, *words).decode().strip()

    def base(self) -> str:
        """An image like the one that everybody begins with."""
        root = self.folder / "base.tar"
        archive = addresses(Archive())
        suites = ("trixie", "trixie-security")
        sources = [f"deb [signed-by={KEYRING}] {archive.of(each)} {each} main" for each in suites]
        run("mmdebstrap", "--quiet", "--variant=minbase", "trixie", root, *sources)
        made = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", made, root, "/")
        self.buildah("commit", "--quiet", made, "base")
        return "localhost/base"

    def image(self) -> str:
        """The image of the Containerfile."""
        base = ("--build-arg", f"BASE={self.base()}", "--build-arg", f"PURPOSES={PURPOSES}")
        outside = ("--isolation=chroot", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro")
        self.buildah("build", "--quiet", *outside, *base, "--tag=reconix", ROOT)
        return "localhost/reconix"

    def reconix(self, container: str, *words: str, capabilities: str = "CAP_SYS_ADMIN") -> str:
        """What the program of a container says, run as the page says."""
        within = ("unshare", "--mount", "sh", "-c", WITHOUT_GROUPS, "sh")
        how = ("--isolation=oci", "--runtime", self.crun, "--network=host")
        may = (f"--cap-add={capabilities}",) if capabilities else ()
        folder = f"--volume={self.project}:/project"
        asked = ("run", *how, *may, folder, container, "--", "reconix", *words)
        return self.buildah(*asked, within=within)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    Need()("buildah", "mmdebstrap", "unshare")
    builder = Builder(tmp_path_factory.mktemp("containerfile"))
    machine = builder.project / "hosts/box/machine.toml"
    (machine.parent / "systems").mkdir(parents=True)
    machine.write_text(MACHINE)
    (machine.parent / "systems/default.toml").write_text("")
    (builder.project / "reconix.toml").write_text(
        'name = "there"\ntrust.require_signature = false\n'
    )
    return builder


@pytest.fixture(scope="module")
def container(builder: Builder) -> Iterator[str]:
    """A container of the image, which keeps what is written in it."""
    yield builder.buildah("from", builder.image())
    builder.buildah("rm", "--all")
    builder.buildah("rmi", "--all", "--force")
    succeeds("umount", builder.folder / "images/overlay")


def test_a_project_is_checked_locked_and_built_in_a_container(
    builder: Builder, container: str
) -> None:
    assert "1 host, 1 system" in builder.reconix(container, "check")
    builder.reconix(container, "lock")
    assert "linux-image" in (builder.project / "reconix.lock").read_text()
    assert "generation 1" in builder.reconix(container, "build")


def test_a_container_that_may_not_mount_is_told_before_anything_is_built(
    builder: Builder, container: str
) -> None:
    with pytest.raises(CommandFailed, match=r"does a container forbid unshare\(2\) or mount\(2\)"):
        builder.reconix(container, "build", capabilities="")


def test_programs_that_only_tests_need_are_not_in_the_image(
    builder: Builder, container: str
) -> None:
    look = ("run", "--isolation=chroot", container, "--", "ls", "/usr/bin", "/usr/src")
    there = builder.buildah(*look).split()
    assert "mmdebstrap" in there
    assert not {"skopeo", "reconix"} & {*there}
