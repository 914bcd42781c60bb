"""The keys of a project: where they are, and what signs with them.

Updates are signed unless a project says otherwise. A project that names no key gets one at its
first build, ``keys/update``. The public half becomes part of each generation, so devices trust it
from their first image on. Git ignores the secret half, by its name, and nothing else of the folder
where it lies.

    keys/update        secret: who has it decides what devices run
    keys/update.pub    public, one line

Tested by ``tests/unit/signing/test_project_keys.py``.
"""

import fnmatch
import re
import stat
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import UsageError
from reconix.base.files import read_bounded, read_text, write_durably
from reconix.config.schema.hosts import Host
from reconix.config.schema.project import Project, TrustRoot
from reconix.nix.signatures import SecretKey
from reconix.project.files import ProjectFiles
from reconix.signing import key_sets
from reconix.transfer.sending import signing
from reconix.transfer.sending.signing import Signer
from reconix.transfer.trust.keys import PublicKey

DEFAULT_NAME = "update"
FOLDER = Path("keys")
_IGNORED = ".gitignore"
_MAX_IGNORED_BYTES = 1 << 20
_MAX_KEY_BYTES = 4096


def make_key(file: Path, name: str) -> PublicKey:
    """Make a key: the secret half in a file of its own, the public one beside it.

    Raises:
        UsageError: a key of that name exists already.
    """
    shown = file.with_name(f"{file.name}.pub")
    if file.exists() or shown.exists():
        raise UsageError(f"{file} already exists", hint="name another file: --file FILE")
    file.parent.mkdir(parents=True, exist_ok=True)
    keep_out(file)
    key = signing.generate(name)
    write_durably(file, f"{signing.print_secret(key)}\n".encode(), mode=0o600)
    public = signing.public(key)
    write_durably(shown, f"{public}\n".encode())
    return public


def keep_out(file: Path) -> None:
    """Make git ignore a secret key, and nothing else; what is ignored already stays so."""
    ignored = (file.parent / _IGNORED).resolve()
    before = read_text(ignored, _MAX_IGNORED_BYTES) if ignored.exists() else ""
    if _ignores(before.splitlines(), file.name):
        return
    lines = before if before.endswith("\n") or not before else f"{before}\n"
    name = re.sub(r"[\\*?\[\]!# ]", r"\\\g<0>", file.name)
    mode = stat.S_IMODE(ignored.stat().st_mode) if before else 0o644
    write_durably(ignored, f"{lines}/{name}\n".encode(), mode=mode)


def _ignores(lines: Iterable[str], name: str) -> bool:
    """Whether git ignores a file of this name; the last line that fits it decides.

    Source: gitignore(5). Of the patterns with a slash only one at the beginning is understood; what
    we do not understand ignores nothing, and then a line too many is written.
    """
    found = False
    for line in lines:
        pattern = line.rstrip().removeprefix("!").removeprefix("/")
        if pattern and not line.startswith("#") and fnmatch.fnmatchcase(name, pattern):
            found = not line.startswith("!")
    return found


def root_of(files: ProjectFiles) -> TrustRoot:
    """Which keys devices trust; a project that names none gets one."""
    return root_in(files.folder, files.configuration.project)


def root_in(folder: Path, project: Project) -> TrustRoot:
    """The same for a project in a folder, whatever its hosts say."""
    trust = project.trust
    if trust.texts() or not trust.require_signature:
        return trust
    shown = folder / FOLDER / f"{DEFAULT_NAME}.pub"
    if not shown.is_file():
        public = make_key(shown.with_suffix(""), f"{project.name}-1")
        progress.note(f"made {shown.with_suffix('')}, the key that signs updates: keep it safe")
        progress.note(f'to build elsewhere, write into reconix.toml: trust.keys = ["{public}"]')
    return replace(trust, keys_files=(shown,))


def with_keys(files: ProjectFiles, host: Host) -> Host:
    """A host whose generations say which keys a device trusts."""
    return replace(host, trust=root_of(files))


def signer_of(files: ProjectFiles, more: Iterable[Path] = ()) -> Signer | None:
    """What signs the streams of a project; None if they need not be signed.

    Raises:
        UsageError: a secret key is needed and none is here.
    """
    trust = root_of(files)
    secrets = [*_secrets(trust), *(read_secret(file) for file in more)]
    if not secrets and not trust.require_signature:
        return None
    if not secrets:
        raise UsageError(
            "no secret key to sign with is here",
            hint="name one: --key FILE; or make the stream unsigned: --unsigned",
        )
    if len(secrets) < trust.threshold:
        progress.note(
            f"signed by {len(secrets)} of {trust.threshold}: add the others, reconix keys sign"
        )
    return Signer(tuple(secrets), tuple(key_sets.signed(files.folder)))


def _secrets(trust: TrustRoot) -> list[SecretKey]:
    files = [file.with_suffix("") for file in trust.keys_files if file.suffix == ".pub"]
    return [read_secret(file) for file in files if file.is_file()]


def read_secret(file: Path) -> SecretKey:
    """Read the file of a secret key.

    Raises:
        BadKey: it is not one.
    """
    return SecretKey.parse(read_bounded(file, _MAX_KEY_BYTES).decode(errors="replace"))


def secrets_here(files: ProjectFiles) -> tuple[SecretKey, ...]:
    """The secret keys of a project that are on this machine."""
    return tuple(_secrets(root_of(files)))


def secrets(files: ProjectFiles, named: Iterable[Path]) -> tuple[SecretKey, ...]:
    """The keys that were named; without any, those of the project.

    Raises:
        UsageError: there is none.
    """
    found = tuple(map(read_secret, named)) or secrets_here(files)
    if not found:
        raise UsageError("no secret key is here", hint="name one: --key FILE")
    return found
