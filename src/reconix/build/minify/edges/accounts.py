"""What the files reach by which a system knows users and names: NSS, PAM, log-in shells.

Source: nsswitch.conf(5), pam.conf(5), passwd(5).
Tested by ``tests/unit/build/minify/edges/test_accounts.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.architecture import Architecture
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge

_LIBRARIES = (*(f"usr/lib/{each.triplet}" for each in Architecture), "usr/lib")
_SERVICE = re.compile(r"[a-z_]+:\s*(.*)")
PAM_FOLDERS = ("etc/pam.d", "usr/lib/pam.d")
"""Where services are, first those of the administrator."""
_OF_LOG_INS = ("-i", "-l")
"""What a program adds to its name where it asks for a log-in: ``sudo-i``, ``su-l``."""
_INCLUDE = re.compile(r"@include\s+(\S+)|\S+\s+(?:include|substack)\s+(\S+)")
_MODULE = re.compile(r"[\w/.-]+\.so\b")


@dataclass(frozen=True, slots=True)
class AccountEdges:
    """Finds what these files reach among the files of a device."""

    files: Files

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches, if it is one of these."""
        lines = _lines(content)
        if path == "etc/nsswitch.conf":
            yield from self._nss(lines)
        elif path.rpartition("/")[0] in PAM_FOLDERS:
            yield from self._pam(lines)
        elif path == "etc/passwd":
            for line in lines:
                shell = line.rpartition(":")[2].lstrip("/")
                yield Edge(shell, f"is the log-in shell of {line.partition(':')[0]}")

    def _nss(self, lines: list[str]) -> Iterator[Edge]:
        for line in lines:
            found = _SERVICE.match(line)
            for service in re.findall(r"[a-z_]+", found[1].lower()) if found else ():
                for folder in _LIBRARIES:
                    yield Edge(f"{folder}/libnss_{service}.so.2", f"is asked for names: {service}")

    def _pam(self, lines: list[str]) -> Iterator[Edge]:
        for line in lines:
            for both in _INCLUDE.findall(line):
                name = "".join(both)
                yield from pam_service(name, f"includes {name}")
            for module in _MODULE.findall(line):
                for folder in _LIBRARIES if "/" not in module else ("",):
                    place = f"{folder}/security/{module}" if folder else module.lstrip("/")
                    yield Edge(place, f"asks {module}")


def pam_names(program: str) -> tuple[str, ...]:
    """The services that a program asks for by its own name."""
    return (program, *(f"{program}{each}" for each in _OF_LOG_INS))


def pam_program(service: str) -> str:
    """The name of the program that the file of a service is named like, if it is named like one."""
    name = service.rpartition("/")[2]
    return name.removesuffix(next((each for each in _OF_LOG_INS if name.endswith(each)), ""))


def pam_service(name: str, how: str) -> Iterator[Edge]:
    """The places of a PAM service."""
    return (Edge(f"{folder}/{name}", how) for folder in PAM_FOLDERS)


def _lines(content: bytes) -> list[str]:
    text = content.decode(errors="replace").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
