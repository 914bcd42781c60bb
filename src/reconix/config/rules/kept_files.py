"""Files of the configuration in folders that persist: which one wins.

A folder that persists is filled from the system once. A file that the configuration gives in such a
folder meets what the device has: where it has none, the file arrives. Where it has one, ``prefer``
says which of the two stays. If that is not said, it is the device's, and ``check`` and ``diff``
report it: an update that changes the file would change nothing. A file below a volume is hidden.

What is fixed when a device is flashed changes as little: ``diff`` reports that, too.

Tested by ``tests/unit/config/rules/test_kept_files.py``; what a device does, by
``tests/crash/test_given_files.py``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import PurePosixPath

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import File, System, path_of_file
from reconix.config.schema.values import Winner


def around(system: System, path: str) -> str | None:
    """The persistent folder that a file is in.

    Args:
        system: machine and system file, merged.
        path: of the file, absolute.
    """
    kept = (*system.persist.shared, *system.persist.paths)
    place = PurePosixPath(path)
    return next((each for each in kept if place.is_relative_to(each) and path != each), None)


def warn_about_kept_files(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Files for which ``prefer`` is missing, or has no effect."""
    for name, given in system.files.items():
        folder = around(system, path_of_file(name))
        key, place = dotted("files", name), place_of(table, "files", name, default=file)
        if folder and given.prefer is None:
            fact = f"is inside {folder}, which persists: a device that already has it keeps its own"
            hint = 'set prefer = "generation" to replace it, or prefer = "device"'
            yield Problem(place, key, fact, hint)
        elif hidden := _hidden_by(system, path_of_file(name)):
            yield Problem(place, key, f"is never visible: the volume {hidden} is mounted over it")
        elif given.prefer is not None and not folder:
            hint = "remove it: the file always comes from the generation"
            yield Problem(
                place, f"{key}.prefer", "has no effect: no folder around it persists", hint
            )


def _hidden_by(system: System, path: str) -> str | None:
    place = PurePosixPath(path)
    volumes = sorted(system.volumes.items())
    return next((name for name, each in volumes if place.is_relative_to(each.path)), None)


def unseen_changes_of_machine(old: Host, new: Host) -> Iterator[str]:
    """What a change of the machine means for devices that are flashed already: a line each."""
    before, after = _flashed(old), _flashed(new)
    for key in sorted(before):
        if before[key] != after.get(key):
            yield f"{key}: devices keep what their image was made with"


def _flashed(host: Host) -> dict[str, object]:
    machine = host.machine
    return {
        "boot.slots": machine.boot.slots,
        "boot.slot_size": machine.boot.slot_size,
        **{f"disk.{f.name}": getattr(machine.disk, f.name) for f in fields(machine.disk)},
        **{dotted("devices", serial): device for serial, device in machine.devices.items()},
    }


def unseen_changes(old: System, new: System) -> Iterator[str]:
    """What a change of files means for devices that have kept the folder around: a line each."""
    for name in sorted(old.files.keys() & new.files.keys()):
        folder, winner = around(new, path_of_file(name)), new.files[name].prefer
        is_other = _said(old.files, name) != _said(new.files, name)
        if is_other and folder and winner is not Winner.GENERATION:
            yield f"{dotted('files', name)}: devices that have kept {folder} keep their own"
    for name in sorted(old.files.keys() - new.files.keys()):
        if folder := around(new, path_of_file(name)):
            yield f"{dotted('files', name)}: stays on devices that have kept {folder}"


def _said(files: Mapping[str, File], name: str) -> tuple[object, ...]:
    file = files[name]
    return (file.read(), file.link, file.mode, file.owner, file.group)
