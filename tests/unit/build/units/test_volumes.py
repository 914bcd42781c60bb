from collections.abc import Callable
from pathlib import Path

from reconix.base.process import run
from reconix.build.units.volumes import make_mounts
from reconix.config.schema.system import Volume

CARD = Volume(path="/srv/my card", device="/dev/disk/by-label/card", type="vfat", read_only=True)


def test_memory_has_a_limit_and_no_device() -> None:
    made = make_mounts({"scratch": Volume(path="/srv/scratch", size=16 << 20)})
    assert made == {
        "srv-scratch.mount": (
            b"[Unit]\nDescription=Volume scratch\n\n"
            b"[Mount]\nWhat=tmpfs\nWhere=/srv/scratch\nType=tmpfs\n"
            b"Options=nofail,nodev,nosuid,noatime,mode=0755,size=16777216\n\n"
            b"[Install]\nWantedBy=local-fs.target\n"
        )
    }


def test_a_disk_is_mounted_as_it_is_and_may_be_missing() -> None:
    text = make_mounts({"card": CARD})["srv-my\\x20card.mount"].decode()
    assert "What=/dev/disk/by-label/card\nWhere=/srv/my card\nType=vfat\n" in text
    assert "Options=nofail,nodev,nosuid,noatime,ro\n" in text


def test_systemd_takes_the_units(tmp_path: Path, need: Callable[..., None]) -> None:
    need("systemd-analyze")
    for name, content in make_mounts({"card": CARD, "odd": Volume(path="/srv/100%")}).items():
        (tmp_path / name).write_bytes(content)
        run("systemd-analyze", "verify", "--man=no", tmp_path / name)
