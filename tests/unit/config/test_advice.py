import shutil
from pathlib import Path

import pytest

from reconix.config.load import load_with_places
from reconix.config.problems import Problem

EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway"
MACHINE = 'kernel.package = "linux-image-amd64"\n'
QUIET = "[health]\nchecks = [{ tcp = 22 }]\n"


def advice(folder: Path, system: str) -> tuple[Problem, ...]:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(MACHINE)
    (folder / "hosts/gw/systems/default.toml").write_text(system)
    return load_with_places(folder).advice


HARDLY_MEANT = {
    f'packages = {{ remove = ["nginx"] }}\n{QUIET}': ("packages", 'takes out "nginx"', 1),
    f"[ssh]\nenable = true\n[users.me]\n{QUIET}": ("users.me", "cannot log in", 3),
    f"[minify]\nenable = true\n{QUIET}": ("minify", "has no effect yet", 1),
    f'[containers.a]\nimage = "a@sha256:{"0" * 64}"\n{QUIET}': (
        "containers",
        "has no effect yet",
        1,
    ),
    'services.enable = ["nginx.service"]\n[health]\nchecks = [\n\n{ unit = "ngnix.service" }]': (
        "health.checks",
        "waits for ngnix.service, which nobody enables",
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
    "": ("health.checks", "nothing is checked", 0),
}


@pytest.mark.parametrize("text", HARDLY_MEANT)
def test_what_is_hardly_meant_is_told_but_accepted(tmp_path: Path, text: str) -> None:
    (problem,) = advice(tmp_path, text)
    key, fact, line = HARDLY_MEANT[text]
    assert (problem.key, problem.place.line) == (key, line)
    assert fact in problem.fact
    assert problem.hint


def test_there_is_nothing_to_advise_about_the_example(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "gateway")
    (tmp_path / "gateway/keys/operator.pub").write_text("ssh-ed25519 AAAA test\n")
    assert not load_with_places(tmp_path / "gateway").advice
