"""Packages of Debian as trees of their own: what an update of one of them costs.

apt fetches them, with a configuration of its own (``build/archive/apt.py``) that has the lists of
the architecture that is meant; where archives are it has from apt of this machine.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.updates import roots

from reconix.base.process import run
from reconix.build.archive import apt
from reconix.build.archive.addresses import choose_addresses
from reconix.build.archive.apt import Apt, Source


def unpack(suites: Sequence[str], package: str, architecture: str, into: Path) -> None:
    """Write the files of a kernel's package as a tree.

    Args:
        suites: where it may come from; the newest counts.
        package: one that stands for the newest kernel: the solver tells its own name.
        architecture: of the kernel.
        into: the folder.
    """
    with tempfile.TemporaryDirectory(prefix="reconix-packages-") as name:
        folder = Path(name)
        asked = _asked(folder, suites, architecture)
        (chosen,) = (each for each in asked.solve([package]) if _is_image(each.name, package))
        settings = {"APT_CONFIG": str(folder / "apt.conf")}
        run("apt-get", "-qq", "download", chosen.name, folder=folder, environment=settings)
        (fetched,) = folder.glob("*.deb")
        run("dpkg", "-x", fetched, into)


def _is_image(name: str, package: str) -> bool:
    return name.startswith("linux-image-") and name != package


def _asked(folder: Path, suites: Sequence[str], architecture: str) -> Apt:
    addresses = choose_addresses(apt.machine_targets())
    sources = [Source(addresses.of(suite), suite, ("main",), roots.KEYRING) for suite in suites]
    settings = apt.machine_settings(with_freshness=True)
    asked = Apt.prepare(folder, architecture, sources, settings)
    asked.update()
    return asked
