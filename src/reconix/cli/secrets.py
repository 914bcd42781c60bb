"""List the secrets of a host, and give their values to its devices.

list             which secrets the systems ask for, for which units, and whether a value is here;
                 with --to also whether the device has one. Values are never shown
push [NAME…]     send values to a device and restart the units there that read them; without a name
                 all that are asked for and have a value here
remove NAME…     let a device forget values

Without --to, push and remove mean the virtual device that runs.

A value is in a file that git ignores: secrets/SERIAL/NAME for one device, secrets/HOST/NAME for
those of a host, secrets/NAME for all; the first that is there counts. It may be encrypted, NAME.age
or NAME.sops, if that program is installed. With --stdin the value of one secret comes from standard
input. It is sent through ssh, kept there for root alone, and never part of a generation.

A value for one device is only sent if that device is named: --device SERIAL.

Exit status: 0 done, 2 no such secret or device, 78 the device cannot be reached, 84 a value is
missing or none, 85 a unit does not start with the new value, which is kept all the same.
"""

import argparse
import difflib
import sys
import time
from collections.abc import Sequence

from reconix.base import progress
from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.secret_values import MAX_BYTES, SecretValue
from reconix.cli import parsers, places, secret_values, ssh
from reconix.cli.answers import answer
from reconix.config.schema.hosts import Host
from reconix.fleet import secrets as remote_secrets
from reconix.fleet.delivery import WrongHost
from reconix.fleet.remote import Remote
from reconix.fleet.secrets import RemoteSecrets
from reconix.project.files import ProjectFiles
from reconix.project.secrets import UnreadableSecret, Values, WantedSecret, tell_of, wanted

ACTIONS = ("list", "push", "remove")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the secrets")
    parser.add_argument("--host", metavar="HOST", help="which host (default: the only one)")
    parser.add_argument("--device", metavar="SERIAL", help="which device (default: any)")
    parser.add_argument(
        "--stdin", action="store_true", help="push: the value of the secret is standard input"
    )
    parser.add_argument(
        "--no-restart", dest="restart", action="store_false", help="push: restart no unit there"
    )
    secret_values.add_arguments(parser)
    ssh.add_arguments(parser, virtual=True)
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    values = secret_values.values(arguments, files, host)
    if arguments.action == "list":
        device = None if arguments.to is None else ssh.remote(arguments)
        _list(arguments, values, _chosen(host, arguments.names), device)
        return 0
    device = ssh.device(arguments, files.workplace(host), host)
    if arguments.action == "push":
        _push(arguments, values, _chosen(host, arguments.names), device)
    else:
        _remove(arguments, device)
    return 0


def _chosen(host: Host, names: Sequence[str]) -> tuple[WantedSecret, ...]:
    """The secrets that were named; without a name all that systems ask for.

    Raises:
        UsageError: no system asks for one.
    """
    asked = {each.name: each for each in wanted(host)}
    for name in names:
        if name not in asked:
            near = difflib.get_close_matches(name, asked, n=1)
            known = f"known: {', '.join(asked) or 'none'}"
            hint = f"did you mean {near[0]}?" if near else known
            raise UsageError(f"no system of {host.name} asks for secret {name}", hint=hint)
    return tuple(asked[name] for name in (names or asked))


# -- list ------------------------------------------------------------------------------------------


def _list(
    arguments: argparse.Namespace,
    values: Values,
    chosen: Sequence[WantedSecret],
    device: Remote | None,
) -> None:
    there = None if device is None else _asked(device, values)
    for file in filter(None, (values.find(each.name) for each in chosen)):
        tell_of(file)
    lines = [_line(each, values, there) for each in chosen]
    document: JsonInput = {
        "host": values.host,
        "device": values.serial,
        "secrets": [_document(each, values, there) for each in chosen],
    }
    text = "\n".join(lines) or f"no system of {values.host} asks for a secret"
    answer(arguments, text=text, document=document)


def _line(each: WantedSecret, values: Values, there: RemoteSecrets | None) -> str:
    less = "" if each.is_required else " (not required)"
    wanted_by = f"{each.name}{less}: for {', '.join(each.units)} of {', '.join(each.systems)}"
    return "; ".join([wanted_by, f"here: {_here(each, values)}", *_told(each, there)])


def _here(each: WantedSecret, values: Values) -> str:
    file = values.find(each.name)
    if file is None:
        others = values.serials_with(each.name)
        return f"no value, but for {', '.join(others)}" if others else "no value"
    return str(file.path.relative_to(values.folder))


def _told(each: WantedSecret, there: RemoteSecrets | None) -> list[str]:
    if there is None:
        return []
    found = there.secrets.get(each.name)
    if found is None or not found.is_here:
        return [f"on the device: none{f' ({found.fault})' if found and found.fault else ''}"]
    if found.written is None:
        return ["on the device: from its image"]
    when = time.strftime("%a %Y-%m-%d %H:%M", time.localtime(found.written))
    return [f"on the device: written {when}"]


def _document(each: WantedSecret, values: Values, there: RemoteSecrets | None) -> JsonInput:
    file = values.find(each.name)
    found = there.secrets.get(each.name) if there else None
    return {
        "name": each.name,
        "systems": list(each.systems),
        "units": list(each.units),
        "required": each.is_required,
        "file": str(file.path) if file else None,
        "on_device": not there.lacks(each.name) if there else None,
        "written": found.written if found else None,
    }


# -- push and remove -------------------------------------------------------------------------------


def _asked(device: Remote, values: Values) -> RemoteSecrets:
    """What a device has, if it is the one that is meant.

    Raises:
        WrongHost: it is another one.
    """
    there = remote_secrets.ask(device)
    if there.host != values.host:
        raise WrongHost(f"{device.to} is a {there.host}, not a {values.host}")
    if values.serial is not None and there.serial not in ("", values.serial):
        raise WrongHost(f"{device.to} is {there.serial}, not {values.serial}")
    return there


def _push(
    arguments: argparse.Namespace, values: Values, chosen: Sequence[WantedSecret], device: Remote
) -> None:
    if arguments.stdin:
        pushed = [_from_input(arguments.names)]
    else:
        pushed = _from_files(values, chosen, named=bool(arguments.names))
    _asked(device, values)
    for secret in pushed:
        remote_secrets.send(device, secret, restarts=arguments.restart)
        progress.note(f"secret {secret.name} is on {device.to}")
    names = [secret.name for secret in pushed]
    text = f"{device.to}: {', '.join(names)}" if names else "no secret has a value here"
    answer(arguments, text=text, document={"to": device.to, "pushed": names})


def _from_input(names: Sequence[str]) -> SecretValue:
    if len(names) != 1:
        raise UsageError("reconix secrets push --stdin: one secret at a time, by its name")
    return SecretValue(names[0], sys.stdin.buffer.read(MAX_BYTES + 1))


def _from_files(
    values: Values, chosen: Sequence[WantedSecret], *, named: bool
) -> list[SecretValue]:
    """The values that are here; all of them are read before the first is sent.

    Raises:
        UnreadableSecret: one that was named has no value here, or only for other devices.
    """
    found: list[SecretValue] = []
    for each in chosen:
        file = values.find(each.name)
        if file is not None:
            found.append(values.read(file))
            continue
        others = values.serials_with(each.name)
        fact = f"secret {each.name} has no value here"
        hint = f"write it to secrets/{each.name} (git ignores that folder), or --stdin < FILE"
        if others:
            fact, hint = f"{fact}, but for {', '.join(others)}", "name one: --device SERIAL"
        if named:
            raise UnreadableSecret(fact, hint=hint)
        progress.note(f"{fact}: it is not sent")
    return found


def _remove(arguments: argparse.Namespace, device: Remote) -> None:
    if not arguments.names:
        raise UsageError("reconix secrets remove: which?", hint="reconix secrets list")
    for name in arguments.names:
        remote_secrets.remove(device, name)
    text = f"{device.to}: removed {', '.join(arguments.names)}"
    answer(arguments, text=text, document={"to": device.to, "removed": list(arguments.names)})
