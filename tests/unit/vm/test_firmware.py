from dataclasses import replace
from pathlib import Path

import pytest

from reconix.vm.firmware import FirmwareMissing, prepare
from reconix.vm.hardware import PC


def test_a_device_keeps_its_variables_when_it_is_started_again(tmp_path: Path) -> None:
    code, template = tmp_path / "code", tmp_path / "template"
    code.write_bytes(b"code")
    template.write_bytes(b"template")
    computer = replace(PC, firmware=((str(code), str(template)),))
    variables = tmp_path / "variables"
    assert prepare(variables, computer).variables == variables
    assert variables.read_bytes() == b"template"
    variables.write_bytes(b"BootNext")
    assert prepare(variables, computer).variables == variables
    assert variables.read_bytes() == b"BootNext"


def test_a_firmware_without_a_template_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "code").touch()
    computer = replace(PC, firmware=((str(tmp_path / "code"), None),))
    assert prepare(tmp_path / "variables", computer).variables is None
    assert not (tmp_path / "variables").exists()


def test_code_without_its_template_is_no_firmware(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.touch()
    computer = replace(PC, firmware=((str(code), str(tmp_path / "none")),))
    with pytest.raises(FirmwareMissing, match="code") as caught:
        prepare(tmp_path / "variables", computer)
    assert caught.value.hint == "apt install ovmf"
