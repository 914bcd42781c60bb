"""Which firmware a device has is what its system says, and nothing else."""

from pathlib import Path

import pytest

from reconix.boot.oneshots.u_boot import UBoot
from reconix.boot.oneshots.uefi import Uefi
from reconix.device.firmware import firmware_of
from reconix.device.paths import Paths

U_BOOT = '{"receive": true, "trial_timeout_seconds": 9, "firmware": "u-boot"}'


def paths(folder: Path, said: str | None) -> Paths:
    """A device whose system says this, and that has variables of UEFI in any case."""
    (folder / "efivars").mkdir()
    toplevel = folder / "nix/store/system"
    toplevel.mkdir(parents=True)
    (folder / "nix/system").symlink_to(toplevel)
    if said is not None:
        (toplevel / "update.json").write_text(said)
    return Paths(root=folder, efivars=folder / "efivars")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (None, Uefi),
        (U_BOOT, UBoot),
        (U_BOOT.replace("u-boot", "uefi"), Uefi),
        (U_BOOT.replace("u-boot", "coreboot"), Uefi),
        ("{", Uefi),
    ],
)
def test_it_is_what_the_system_says_that_runs(tmp_path: Path, said: str | None, kind: type) -> None:
    assert isinstance(firmware_of(paths(tmp_path, said)), kind)
