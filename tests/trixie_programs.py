"""Programs of Debian trixie, for scripts that need more than this machine has.

Packages are fetched once and unpacked, not installed: a tree that is bound to ``/usr`` where a
script runs.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed, run
from reconix.build.archive.addresses import addresses
from reconix.config.schema.project import Archive

CACHE = Path.home() / ".cache/reconix/trixie-programs"
PACKAGES = (
    *("catatonit", "coreutils", "crun", "dash", "grep"),
    *("iproute2", "libacl1", "libapparmor1", "libargon2-1", "libattr1"),
    *("libaudit1", "libblkid1", "libbpf1", "libbsd0", "libc6"),
    *("libcap-ng0", "libcap2", "libcrypt1", "libcryptsetup12", "libdb5.3t64"),
    *("libdevmapper1.02.1", "libedit2", "libelf1t64", "libgcc-s1", "libgcrypt20"),
    *("libgmp10", "libgpg-error0", "libjansson4", "libjson-c5", "libkmod2"),
    *("liblz4-1", "liblzma5", "libmd0", "libmnl0", "libmount1"),
    *("libnftables1", "libnftnl11", "libp11-kit0", "libpam0g", "libpcre2-8-0"),
    *("libproc2-0", "libseccomp2", "libselinux1", "libsmartcols1", "libssl3t64"),
    *("libsystemd-shared", "libsystemd0", "libtinfo6", "libtirpc3t64", "libudev1"),
    *("libuuid1", "libxtables12", "libxxhash0", "libyajl2", "libzstd1"),
    *("mount", "nftables", "procps", "sed", "systemd"),
    *("util-linux", "zlib1g"),
)
"""What the scripts of containers start, and the libraries of that."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def trixie() -> Path:
    """The tree: what a device has at ``/usr``. Fetched once for all tests."""
    return _cached(CACHE / "root", PACKAGES, _download) / "usr"


def docker_compose() -> Path:
    """Docker Compose, which needs no Docker to say what a file means."""
    root = _cached(CACHE / "docker-compose", ("docker-compose",), _download)
    return root / "usr/libexec/docker/cli-plugins/docker-compose"


def installed(*packages: str) -> Path:
    """The tree of packages and of all that they depend on, as an image may have it.

    Their scripts have not run. Fetched once for all tests.
    """
    return _cached(CACHE / "-".join(packages), packages, _download_all)


def _cached(
    root: Path, packages: Sequence[str], download: Callable[[Sequence[str], Path], None]
) -> Path:
    done = root.with_name(f"{root.name}.done")
    if not done.exists() or done.read_text().split() != [*packages]:
        try:
            _unpack(root, packages, download)
        except CommandFailed as error:
            pytest.skip(f"no programs of trixie to be had: {error}")
        done.write_text("\n".join(packages))
    return root


def _unpack(
    root: Path, packages: Sequence[str], download: Callable[[Sequence[str], Path], None]
) -> None:
    place = CACHE / f"{root.name}.packages"
    (place / "partial").mkdir(parents=True, exist_ok=True)
    root.mkdir(exist_ok=True)
    download(packages, place)
    for package in sorted(place.glob("*.deb")):
        run("dpkg", "-x", package, root)
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def _download(packages: Sequence[str], place: Path) -> None:
    run("apt-get", *_options(), "download", *packages, folder=place)


def _download_all(packages: Sequence[str], place: Path) -> None:
    options = (*_options(), f"-oDir::Cache::archives={place}", "-oAPT::Install-Recommends=0")
    run("apt-get", *options, "-oDebug::NoLocking=1", "install", "--download-only", "-y", *packages)


def _options() -> list[str]:
    """What makes apt take packages of trixie and know of none that is installed."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (CACHE / name).mkdir(parents=True, exist_ok=True)
    (CACHE / "state/status").write_text("")
    source = f"deb [signed-by={KEYRING}] {addresses(Archive()).main} trixie main\n"
    (CACHE / "sources.list").write_text(source)
    settings = {
        "Dir::State": CACHE / "state",
        "Dir::State::status": CACHE / "state/status",
        "Dir::Cache": CACHE / "cache",
        "Dir::Etc::sourcelist": CACHE / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Acquire::Languages": "none",
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    if not any((CACHE / "state/lists").glob("*Packages*")):
        run("apt-get", *options, "update")
    return options
