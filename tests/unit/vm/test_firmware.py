from pathlib import Path

import pytest

from reconix.vm.firmware import FirmwareMissing, prepare


def test_a_device_keeps_its_variables_when_it_is_started_again(tmp_path: Path) -> None:
    code, template = tmp_path / "code", tmp_path / "template"
    code.write_bytes(b"code")
    template.write_bytes(b"template")
    pairs = ((str(code), str(template)),)
    variables = prepare(tmp_path / "variables", pairs).variables
    assert variables.read_bytes() == b"template"
    variables.write_bytes(b"BootNext")
    assert prepare(tmp_path / "variables", pairs).variables.read_bytes() == b"BootNext"


def test_code_without_its_template_is_no_firmware(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.touch()
    with pytest.raises(FirmwareMissing, match="code") as caught:
        prepare(tmp_path / "variables", ((str(code), str(tmp_path / "none")),))
    assert caught.value.hint == "apt install ovmf"
