"""What a configuration says that counts for minifying."""

from reconix.base.digests import Digest
from reconix.build.minify import asked
from reconix.build.minify.asked import OfKernel
from reconix.config.lock.packages import PROJECT, LockedPackage
from reconix.config.schema.containers import Container
from reconix.config.schema.health import CommandCheck, Health
from reconix.config.schema.project import Updates
from reconix.config.schema.system import Kernel, Minify, System


def locked(name: str, archive: str, date: str) -> LockedPackage:
    digest = Digest.of(name.encode())
    path = "dist/x.deb" if archive == PROJECT else f"pool/main/x/{name}.deb"
    return LockedPackage(name, "1", "amd64", 1, digest, archive, path, date)


def test_packages_programs_and_commands_are_what_somebody_wrote() -> None:
    system = System(
        kernel=Kernel(package="linux-image"),
        packages=("nginx", "curl"),
        minify=Minify(enable=True, keep=("/b", "/a"), programs=("ip",)),
        health=Health(checks=(CommandCheck(command=("/opt/check", "-x")),)),
    )
    packages = (locked("own", PROJECT, ""), locked("libc6", "debian", "20260101T000000Z"))
    found = asked.wanted(system, packages, OfKernel(("quiet",), ("ext4",)), Updates())
    assert found.packages == ("curl", "nginx", "own")
    assert found.keep == ("/a", "/b")
    assert found.programs == ("ip",)
    assert found.parameters == ("quiet",)
    assert not found.containers
    assert ("crun", "the agent") not in found.commands
    assert "ssl" not in found.modules, "nothing says where to look for updates"
    assert ("/opt/check", "a health check") in found.commands
    assert ("systemctl", "the agent") in found.commands
    assert "encodings.idna" in found.modules
    assert found.libraries == ("libcrypto.so.3",)
    assert found.drivers == ("ext4",)


def test_what_only_some_devices_do_counts_on_these() -> None:
    kernel = Kernel(package="linux-image")
    system = System(kernel=kernel, containers={"one": Container(image="debian")})
    found = asked.wanted(system, (), OfKernel(is_lz4=True), Updates(url="http://updates.example"))
    assert found.containers
    assert ("crun", "the agent") in found.commands
    assert "liblz4.so.1" in found.libraries, "the kernel is packed so"
    assert "ssl" in found.modules, "a server may lead to another one"
