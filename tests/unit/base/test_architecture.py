"""Names of architectures, compared with those that others use."""

import platform

import pytest

from reconix.base.architecture import Architecture
from reconix.base.process import run
from reconix.boot.loaders.systemd_boot import Program


def test_this_machine_is_one_of_them() -> None:
    (here,) = [each for each in Architecture if each.is_of_this_machine]
    assert here.value == run("dpkg", "--print-architecture").decode().strip()
    assert here.machine == platform.machine()


@pytest.mark.parametrize("architecture", Architecture)
def test_a_slot_has_a_loader_for_each(architecture: Architecture) -> None:
    assert Program[architecture.name].value == f"EFI/BOOT/BOOT{architecture.uefi.upper()}.EFI"
