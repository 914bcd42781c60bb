"""The mount units of volumes: disks besides the device's own, and parts of memory.

A volume may be missing, such as a card that was removed, and the device starts all the same: the
unit is wanted, never required, and only what names it waits for it (``nofail``).

Source: systemd.mount(5), tmpfs(5).
Tested by ``tests/unit/build/units/test_volumes.py``; that they are mounted, by ``tests/vm``.
"""

from collections.abc import Mapping

from reconix.base.unit_names import mount_unit
from reconix.config.schema.system import Volume


def make_mounts(volumes: Mapping[str, Volume]) -> dict[str, bytes]:
    """The units, by name."""
    return {
        mount_unit(volume.path): _unit(name, volume) for name, volume in sorted(volumes.items())
    }


def _unit(name: str, volume: Volume) -> bytes:
    lines = [
        "[Unit]",
        f"Description=Volume {name}",
        "",
        "[Mount]",
        f"What={_written(volume.device or 'tmpfs')}",
        f"Where={_written(volume.path)}",
        f"Type={volume.type if volume.device else 'tmpfs'}",
        f"Options={','.join(_options(volume))}",
        "",
        "[Install]",
        "WantedBy=local-fs.target",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _options(volume: Volume) -> list[str]:
    """As mount(8) takes them: no device files and no programs that become root."""
    size = [f"size={volume.size}"] if volume.size is not None else []
    own = [] if volume.device else ["mode=0755", *size]
    return ["nofail", "nodev", "nosuid", "noatime", *(["ro"] if volume.read_only else []), *own]


def _written(path: str) -> str:
    """A path in a unit, where a percent sign begins a specifier."""
    return path.replace("%", "%%")
