"""Programs of another architecture: the rule, and what is said when there is no way."""

from pathlib import Path

import pytest

from reconix.base import process
from reconix.base.architecture import Architecture
from reconix.build import emulation
from reconix.build.emulation import NotEmulated

HERE = next(each for each in Architecture if each.is_of_this_machine)
OTHER = next(each for each in Architecture if not each.is_of_this_machine)


def test_the_rule_is_the_one_of_debian() -> None:
    """Source: ``/usr/lib/binfmt.d/qemu-aarch64.conf`` of Debian's ``qemu-user-static``."""
    rule = emulation.rule(Architecture.ARM64, Path("/q"))
    magic, mask, program, flags = rule.split(":")[4:]
    assert rule.startswith(":reconix:M::")
    assert (program, flags) == ("/q", "FPC")
    assert magic == (
        r"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    )
    assert mask == (
        r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
    )


def test_programs_of_this_machine_need_no_rule() -> None:
    assert emulation.own_rule(HERE) == ()


def test_the_smallest_program_ends_with_0(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(emulation.smallest_program(HERE))
    program.chmod(0o755)
    assert process.succeeds(program)
    program.write_bytes(emulation.smallest_program(HERE)[:-2] + b"\x0f\x0b")
    assert not process.succeeds(program), "which is an instruction that nobody knows"


def test_programs_are_told_a_processor_that_is_fast_to_emulate() -> None:
    assert emulation.environment(HERE) == ()
    expected = (f"QEMU_CPU={OTHER.emulated_processor}",)
    assert emulation.environment(OTHER) == expected


def test_without_an_interpreter_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if Path(f"/proc/sys/fs/binfmt_misc/qemu-{OTHER.qemu}").exists():
        pytest.skip("this machine has a rule")
    for program in ("unshare", "chroot"):
        (tmp_path / program).symlink_to(process.find(program) or "/missing")
    monkeypatch.setenv("PATH", str(tmp_path))
    emulation.own_rule.cache_clear()
    with pytest.raises(NotEmulated, match=OTHER.value) as caught:
        emulation.own_rule(OTHER)
    assert "apt install qemu-user-static" in caught.value.hint
