from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.vm import accelerator
from reconix.vm.qemu import PROGRAM, Accelerator


def test_the_boot_sector_passes_when_it_is_emulated(need: Callable[..., None]) -> None:
    need(PROGRAM)
    assert accelerator.works(Accelerator.TCG)


def test_a_wrong_sum_does_not_pass(
    need: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need(PROGRAM)
    altered = accelerator._BOOT_SECTOR.replace(bytes.fromhex("3d20295a6a"), b"\x3d\0\0\0\0")
    assert altered != accelerator._BOOT_SECTOR
    monkeypatch.setattr(accelerator, "_BOOT_SECTOR", altered)
    monkeypatch.setattr(accelerator, "_PROBE_SECONDS", 1.0)
    assert not accelerator.works(Accelerator.TCG)


def test_the_boot_sector_is_the_code_that_its_comments_say(
    need: Callable[..., None], tmp_path: Path
) -> None:
    need("objdump")
    code = tmp_path / "code"
    code.write_bytes(accelerator._BOOT_SECTOR[0x6E:0xA5])
    listing = run("objdump", "-D", "-b", "binary", "-m", "i386:x86-64", code).decode()
    words = [
        line.split("\t")[2].split()[0] for line in listing.splitlines() if line.count("\t") > 1
    ]
    assert words == [
        *("mov", "xor", "pxor", "add", "movd", "paddd", "loop", "movd", "cmp", "jne"),
        *("cmp", "jne", "mov", "cpuid", "mov", "out", "hlt", "jmp"),
    ]


def test_the_answer_is_remembered_until_the_machine_restarts(
    tmp_path: Path, need: Callable[..., None]
) -> None:
    need(PROGRAM)
    if not Path("/dev/kvm").exists():
        assert accelerator.choose(tmp_path / "answer") is Accelerator.TCG
        return
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    cache = tmp_path / "answer"
    cache.write_text("another-boot kvm\n")
    found = accelerator.choose(cache)
    assert cache.read_text() == f"{boot} {found.value}\n"
    cache.write_text(f"{boot} kvm\n")
    assert accelerator.choose(cache) is Accelerator.KVM
