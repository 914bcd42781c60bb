"""The values of a project's secrets: files beside the configuration, that git ignores.

    secrets/<name>             of all devices
    secrets/<host>/<name>      of all devices of a host; goes before
    secrets/<serial>/<name>    of one device; goes before both

A file has the value as it is, byte for byte, or encrypted: `<name>.age` by age, `<name>.sops` by
SOPS (as `sops encrypt --input-type binary` makes it). Encrypted ones may be kept with the project.
They are decrypted by these programs themselves, straight into memory; no error shows any of it.

A value goes to the data partition of a device and nowhere else: what builds never reads this
folder.

Tested by ``tests/unit/project/test_secrets.py``, with the real age.
"""

import enum
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import open_regular, write_durably
from reconix.base.process import (
    AnswerTooLong,
    CommandFailed,
    ProgramMissing,
    run_privately,
    succeeds,
)
from reconix.base.secret_values import MAX_BYTES, BadSecret, SecretValue
from reconix.config.schema.hosts import Host

FOLDER = "secrets"
_IGNORED = b"""\
# Values of secrets stay here. Encrypted ones may be kept with the project.
*
!*/
!.gitignore
!*.age
!*.sops
"""


class UnreadableSecret(ReconixError):
    """The file of a secret cannot be used."""

    exit_code = 84


class Form(enum.Enum):
    """How a file has a value; by the ending of its name."""

    PLAIN = ""
    AGE = ".age"
    SOPS = ".sops"


@dataclass(frozen=True, slots=True)
class ValueFile:
    """The file of a value, not read yet."""

    name: str
    path: Path
    form: Form


@dataclass(frozen=True, slots=True, order=True)
class WantedSecret:
    """A secret that systems of a host ask for.

    Attributes:
        name: of it.
        systems: that ask for it, by name.
        units: of them that read it.
        is_required: whether one of them is unhealthy without it.
    """

    name: str
    systems: tuple[str, ...]
    units: tuple[str, ...]
    is_required: bool


def wanted(host: Host) -> tuple[WantedSecret, ...]:
    """What the systems of a host ask for, by name."""
    names = sorted({name for system in host.systems.values() for name in system.secrets})
    return tuple(_wanted(host, name) for name in names)


def _wanted(host: Host, name: str) -> WantedSecret:
    asked = {
        system: each.secrets[name]
        for system, each in sorted(host.systems.items())
        if name in each.secrets
    }
    units = tuple(sorted({unit for secret in asked.values() for unit in secret.units}))
    return WantedSecret(name, tuple(asked), units, any(each.required for each in asked.values()))


@dataclass(frozen=True, slots=True)
class Values:
    """The values for one device, or for any device of a host.

    Attributes:
        folder: of the project.
        host: the kind of device.
        serial: which one; ``None``: any.
        identities: files with the keys of age.
    """

    folder: Path
    host: str
    serial: str | None = None
    identities: Sequence[Path] = ()

    def find(self, name: str) -> ValueFile | None:
        """The file of a value, if there is one.

        Raises:
            UnreadableSecret: two files in one folder are for this secret.
        """
        for folder in self._folders():
            found = [
                ValueFile(name, path, form)
                for form in Form
                if os.path.lexists(path := folder / f"{name}{form.value}")
                and not self._is_other_folder(path)
            ]
            if len(found) > 1:
                both = " and ".join(str(each.path) for each in found)
                raise UnreadableSecret(f"{both} are both for secret {name}", hint="remove one")
            if found:
                return found[0]
        return None

    def serials_with(self, name: str) -> list[str]:
        """Which folders have this value as well, perhaps for single devices."""
        here = {self.host, *([self.serial] if self.serial else [])}
        others = sorted(path for path in (self.folder / FOLDER).glob("*") if path.is_dir())
        return [
            other.name
            for other in others
            if other.name not in here
            and any(os.path.lexists(other / f"{name}{form.value}") for form in Form)
        ]

    def _folders(self) -> Iterator[Path]:
        top = self.folder / FOLDER
        yield from (top / name for name in (self.serial, self.host) if name is not None)
        yield top

    def _is_other_folder(self, path: Path) -> bool:
        """Whether a folder that is called like a secret is that of a host or a device."""
        return path.parent == self.folder / FOLDER and path.is_dir() and not path.is_symlink()

    def read(self, file: ValueFile) -> SecretValue:
        """Read and, if need be, decrypt a value.

        Raises:
            BadSecret: it is none.
            UnreadableSecret: it cannot be decrypted, or the file is another user's.
            BadFile: it is a link, a folder, a pipe.
        """
        tell_of(file)
        if file.form is Form.PLAIN:
            owners = {0, os.geteuid(), self.folder.stat().st_uid}
            return SecretValue(file.name, _plain(file.path, owners))
        return SecretValue(file.name, _decrypted(file, self.identities))


def _plain(path: Path, owners: Collection[int]) -> bytes:
    with open_regular(path, follow_links=False) as source:
        status = os.fstat(source.fileno())
        if status.st_uid not in owners:
            raise UnreadableSecret(
                f"{path} belongs to another user (UID {status.st_uid}), who can change it",
                hint=f"make it yours: chown $USER {path}",
            )
        return source.read(MAX_BYTES + 1)


def tell_of(file: ValueFile) -> None:
    """Warn of a value in clear that others see, on this machine or in the project's history."""
    if file.form is not Form.PLAIN:
        return
    path, mode = file.path, stat.S_IMODE(file.path.lstat().st_mode)
    if stat.S_ISREG(path.lstat().st_mode) and mode & 0o077:
        progress.note(f"warning: others may read {path} (mode {mode:04o}): chmod 600 {path}")
    if _is_tracked(path):
        progress.note(
            f"warning: git tracks {path}: the value is in the history of the project; "
            f"git rm --cached {path}, and give the secret another value"
        )


def _is_tracked(path: Path) -> bool:
    words = ("git", "-C", path.parent, "ls-files", "--error-unmatch", "--", path.name)
    try:
        return succeeds(*words)
    except ProgramMissing:
        return False


def _decrypted(file: ValueFile, identities: Sequence[Path]) -> bytes:
    with open_regular(file.path, follow_links=False):
        pass
    if file.form is Form.AGE:
        keys = [word for each in identities for word in ("--identity", str(each))]
        words = ["age", "--decrypt", *keys, "--", str(file.path)]
    else:
        binary = ("--input-type", "binary", "--output-type", "binary")
        words = ["sops", "--decrypt", *binary, str(file.path)]
    try:
        return run_privately(*words, limit_bytes=MAX_BYTES)
    except AnswerTooLong as error:
        raise BadSecret(f"the value of secret {file.name} is larger than {MAX_BYTES} bytes") from (
            error
        )
    except ProgramMissing as error:
        raise UnreadableSecret(
            f"{file.path} is encrypted, and {words[0]} is not installed",
            hint=f"install {words[0]}, or give the value on standard input: --stdin",
        ) from error
    except CommandFailed as error:
        raise UnreadableSecret(str(error), hint=_hint(file, identities)) from error


def _hint(file: ValueFile, identities: Sequence[Path]) -> str:
    if file.form is Form.SOPS:
        return f"try it: sops --decrypt --input-type binary {file.path} > /dev/null"
    if not identities:
        return "which key decrypts it? --age-identity FILE, or $SOPS_AGE_KEY_FILE"
    return f"tried: {', '.join(map(str, identities))}; name another one: --age-identity FILE"


def keep_out_of_git(folder: Path) -> None:
    """Make the folder for values in a new project, of which git takes only what is encrypted."""
    (folder / FOLDER).mkdir(mode=0o700)
    write_durably(folder / FOLDER / ".gitignore", _IGNORED)
