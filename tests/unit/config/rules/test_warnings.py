import shutil
from pathlib import Path

import pytest

from reconix.config.load import load_with_places
from reconix.config.merge import dotted
from reconix.config.problems import Problem

EXAMPLE = Path(__file__).parents[4] / "examples" / "gateway"
MACHINE = 'kernel.package = "linux-image-amd64"\n'
QUIET = "[health]\nchecks = [{ tcp = 22 }]\n"


def warnings(folder: Path, system: str) -> tuple[Problem, ...]:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(MACHINE)
    (folder / "hosts/gw/systems/default.toml").write_text(system)
    return load_with_places(folder).warnings


SUSPICIOUS = {
    f'packages = {{ remove = ["nginx"] }}\n{QUIET}': ("packages", 'removes "nginx"', 1),
    f"[ssh]\nenable = true\n[users.me]\n{QUIET}": ("users.me", "cannot log in", 3),
    f'[minify]\nkeep = ["/x"]\n{QUIET}': (
        "minify.keep",
        "has no effect: minify.enable is not set",
        2,
    ),
    f'[minify]\nwithout = {{ "/x" = "never" }}\n{QUIET}': (
        'minify.without."/x"',
        "has no effect: minify.enable is not set",
        2,
    ),
    f'[minify]\nprograms = ["ip"]\n{QUIET}': (
        "minify.programs",
        "has no effect: minify.enable is not set",
        2,
    ),
    f'[minify]\ndevices_files = ["../machine.toml"]\n{QUIET}': (
        "minify.devices_files",
        "has no effect: minify.enable is not set",
        2,
    ),
    f"[minify]\ntrap = true\n{QUIET}": (
        "minify.trap",
        "has no effect: minify.enable is not set",
        2,
    ),
    f"[minify]\nenable = true\nstrict = true\n{QUIET}": (
        "minify.strict",
        "has no effect: minify.trap is not set",
        3,
    ),
    'services.enable = ["nginx.service"]\n[health]\nchecks = [\n\n{ unit = "ngnix.service" }]': (
        "health.checks",
        "waits for ngnix.service, which is not enabled",
        5,
    ),
    f'{QUIET}[update]\nevery = "1h"\n': (
        "update.every",
        "has no effect: update.url is not set",
        4,
    ),
    f'{QUIET}[update]\nautomatic = false\nwindow = "02:00-04:00"\n': (
        "update.window",
        "has no effect: update.automatic is false",
        5,
    ),
    f'packages = ["unattended-upgrades"]\n{QUIET}': ("packages", "does nothing", 1),
    "": ("health.checks", "nothing is checked", 0),
}
WITHOUT_EFFECT = {
    "locale.gen": "no locales are generated",
    "ca-certificates.conf": "update-ca-certificates is never run",
    "systemd/system-preset/10-own.preset": "presets apply at a first boot",
    "default/grub": "the boot partition is built from the generation",
    "initramfs-tools/modules": "the initrd is reconix's own",
    "sysctl.conf": "Debian no longer reads it",
    "passwd": "it replaces all users",
    "rc.local": "it is not executable",
    "cron.daily/own": "it is not executable",
    "init.d/own": "no link in rc?.d",
}


@pytest.mark.parametrize("text", SUSPICIOUS)
def test_what_is_probably_a_mistake_is_told_but_accepted(tmp_path: Path, text: str) -> None:
    (problem,) = warnings(tmp_path, text)
    key, fact, line = SUSPICIOUS[text]
    assert (problem.key, problem.place.line) == (key, line)
    assert fact in problem.fact
    assert problem.hint


def test_a_container_is_a_check_unless_it_may_end_or_none_is_to_be(tmp_path: Path) -> None:
    broker = '[containers.broker]\npackages = ["mosquitto"]\ncommand = ["mosquitto"]\n'
    for number, (text, is_told) in enumerate(
        {
            broker: False,
            f'{broker}restart = "no"\n': True,
            f"{broker}[health]\ncontainers = false\n": True,
        }.items()
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        told = [problem.key for problem in warnings(folder, text)]
        assert ("health.checks" in told) == is_told


@pytest.mark.parametrize("path", WITHOUT_EFFECT)
def test_a_file_that_nothing_reads_is_told_with_what_to_write_instead(
    tmp_path: Path, path: str
) -> None:
    told = warnings(tmp_path, f'{QUIET}[files."{path}"]\ntext = "x"\n')
    found = [problem for problem in told if WITHOUT_EFFECT[path] in problem.fact]
    assert [(problem.place.line, problem.key) for problem in found] == [(3, dotted("files", path))]
    assert found[0].hint


@pytest.mark.parametrize("condition", ["FirstBoot=yes", "NeedsUpdate=/etc"])
def test_a_unit_that_can_never_start_is_told(tmp_path: Path, condition: str) -> None:
    unit = f'[units."own.service"]\ntext = "[Unit]\\nCondition{condition}\\n"\n'
    (problem,) = warnings(tmp_path, QUIET + unit)
    assert (problem.key, problem.place.line) == ('units."own.service"', 3)
    assert f"Condition{condition} is never true" in problem.fact


@pytest.mark.parametrize(
    "path",
    ["rc.local", "sysusers.d/own.conf", "ld.so.conf.d/own.conf", "modules", "binfmt.d/a.conf"],
)
def test_about_a_file_that_has_its_effect_nothing_is_told(tmp_path: Path, path: str) -> None:
    assert not warnings(tmp_path, f'{QUIET}[files."{path}"]\ntext = "x"\nmode = "0755"\n')


def test_the_example_has_no_warning(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "gateway")
    (tmp_path / "gateway/keys/operator.pub").write_text("ssh-ed25519 AAAA test\n")
    assert not load_with_places(tmp_path / "gateway").warnings
