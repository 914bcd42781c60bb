"""The list of devices: each kind once, in a fixed order."""

from pathlib import Path

from tests.device_trees import write

from reconix.device.hardware.modaliases import read_modaliases


def test_each_kind_of_device_is_named_once_and_in_order(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "devices/pci0/1/modalias": "virtio:d00000002v00001AF4\n",
            "devices/pci0/0/modalias": "pci:v00001AF4d00001000\n",
            "devices/pci0/2/modalias": "pci:v00001AF4d00001000\n",
            "devices/empty/modalias": "\n",
            "bus/pci/devices/1": "> ../../../devices/pci0/1",
        },
    )
    (tmp_path / "devices/pci0/up").symlink_to("..")
    assert read_modaliases(tmp_path) == ["pci:v00001AF4d00001000", "virtio:d00000002v00001AF4"]
