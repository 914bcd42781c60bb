"""A project that has been built, small enough for many disk images."""

from pathlib import Path

from tests.device_model import HOST, MIB, SLOT_BYTES, Machine

from reconix.build.pins import Pins
from reconix.image.layout import Sizes, plan
from reconix.nix.chroot import ChrootStore

MACHINE = """\
kernel.package = "linux-image-amd64"
boot.slot_size = "36M"
disk = { system_size = "64M", data_size = "8M" }
[devices.GW-1]
[devices.GW-2]
[secrets.mqtt]
units = ["air.service"]
[secrets.token]
units = ["air.service"]
"""
VALUE, OTHER = b"hunter2-\0\xff\n", b"other-device-4711"


def project_with_generation(tmp_path: Path) -> Path:
    """A project with a generation in its store, which lies beside it."""
    place = tmp_path / "project"
    systems = place / "hosts" / HOST / "systems"
    systems.mkdir(parents=True)
    (place / "reconix.toml").write_text('name = "test"\n')
    (systems.parent / "machine.toml").write_text(MACHINE)
    (systems / "default.toml").touch()
    for name, value in (("mqtt", VALUE), ("GW-2/mqtt", OTHER)):
        file = place / "secrets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(value)
        file.chmod(0o600)
    with ChrootStore(tmp_path / "store") as store:
        tables = plan(HOST, size_bytes=76 * MIB, sizes=Sizes(2, SLOT_BYTES, MIB, MIB))
        one = Machine(tmp_path / "none", store, tables).generation("one")
        Pins(store.root, "test", HOST).add(one)
    return place
