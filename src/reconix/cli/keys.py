"""Make and list the keys that sign updates, and sign with them.

generate [NAME]    make a key: FILE is secret, FILE.pub is for the devices
list               the keys that devices of this project trust, and whose secret halves are here
renew --key FILE…  sign the current key set with keys of the one before, for devices that still
                   trust that; do it after each change of `trust.key_set`
sign STREAM…       add signatures to streams, for a threshold above one

A device trusts a key set from its image on. To change it, change the keys in reconix.toml, raise
`trust.key_set` by one, sign the new set with the old keys (`renew`), build and send. A stream
carries all sets that were signed, so that a device can follow them one by one.

Exit status: 0 done, 2 a key exists already or is missing, 27 and 80 a key is malformed.
"""

import argparse
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.cli import parsers, places
from reconix.cli.answers import answer
from reconix.cli.words import counted
from reconix.project.files import ProjectFiles
from reconix.signing import key_sets, project_keys
from reconix.signing.streams import add_signatures
from reconix.transfer.sending.signing import public
from reconix.transfer.trust.keys import PublicKey

ACTIONS = ("generate", "list", "renew", "sign")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("words", nargs="*", metavar="NAME|STREAM", help="see above")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="generate: where [keys/NAME in the project]"
    )
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="renew, sign: a secret key; may be given several times",
    )
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    files = ProjectFiles.read(places.project(arguments))
    if arguments.action == "generate":
        text, document = _generate(files, arguments)
    elif arguments.action == "list":
        text, document = _list(files)
    elif arguments.action == "renew":
        text, document = _renew(files, arguments.key)
    else:
        text, document = _sign(files, arguments)
    answer(arguments, text=text, document=document)
    return 0


def _generate(files: ProjectFiles, arguments: argparse.Namespace) -> tuple[str, JsonInput]:
    if len(arguments.words) > 1:
        raise UsageError("reconix keys generate: one key at a time")
    name = arguments.words[0] if arguments.words else project_keys.DEFAULT_NAME
    file: Path = arguments.file or files.folder / "keys" / name
    made = project_keys.make_key(file, name)
    text = f"{made}\n{file} is secret; {file}.pub belongs in trust.keys_files of reconix.toml"
    return text, {"key": str(made), "secret": str(file), "public": f"{file}.pub"}


def _list(files: ProjectFiles) -> tuple[str, JsonInput]:
    trust = project_keys.root_of(files)
    here = {public(key).value for key in project_keys.secrets_here(files)}
    keys = [PublicKey.parse(text) for text in trust.texts()]
    lines = [f"{key}{'  (secret key is here)' if key.value in here else ''}" for key in keys]
    required = "" if trust.require_signature else "; unsigned updates are accepted as well"
    head = f"key set {trust.key_set}: {trust.threshold} of {len(keys)} must sign{required}"
    document: JsonInput = {
        "key_set": trust.key_set,
        "threshold": trust.threshold,
        "require_signature": trust.require_signature,
        "keys": [{"key": str(key), "secret": key.value in here} for key in keys],
        "revoked": list(trust.revoked),
        "signed_sets": [each.key_set.version for each in key_sets.signed(files.folder)],
    }
    return "\n".join([head, *lines]), document


def _renew(files: ProjectFiles, keys: list[Path]) -> tuple[str, JsonInput]:
    signed = key_sets.renewed(project_keys.root_of(files), project_keys.secrets(files, keys))
    path, version = key_sets.keep(files.folder, signed), signed.key_set.version
    count = len(signed.signatures)
    text = f"{path}: key set {version}, signed by {counted(count, 'key')}"
    return text, {"file": str(path), "key_set": version, "signatures": count}


def _sign(files: ProjectFiles, arguments: argparse.Namespace) -> tuple[str, JsonInput]:
    if not arguments.words:
        raise UsageError("reconix keys sign: which stream?")
    keys = project_keys.secrets(files, arguments.key)
    counts = {stream: add_signatures(Path(stream), keys) for stream in arguments.words}
    text = "\n".join(f"{stream}: {count} signatures" for stream, count in counts.items())
    return text, {"signatures": dict(counts)}
