"""One test for each rule between the systems of a host."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.config.load import load, load_with_places
from reconix.config.problems import BadConfiguration, Problem
from reconix.config.unit_names import escaped

MACHINE = 'kernel.package = "linux-image-cloud-amd64"\n[health]\nchecks = [{ tcp = 22 }]\n'


def write(folder: Path, machine: str = "", **systems: str) -> None:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(f"{MACHINE}{machine}")
    for name, text in {"default": "", **systems}.items():
        (folder / f"hosts/gw/systems/{name}.toml").write_text(text)


def mistakes(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(BadConfiguration) as failure:
        load(folder)
    return failure.value.problems


@pytest.mark.parametrize("path", ["/var/lib/a", "/var/lib/a/b", "/var/lib"])
def test_what_one_system_shares_no_other_keeps_for_itself(tmp_path: Path, path: str) -> None:
    shared = '[persist]\nshared = ["/var/lib/a"]\n'
    write(tmp_path, one=shared, two=f'[persist]\npaths = ["{path}"]\n')
    (problem,) = mistakes(tmp_path)
    assert problem.fact == f"two keeps {path} for itself, but one shares /var/lib/a with all"
    assert (problem.place.file.name, problem.place.line) == ("two.toml", 2)


def test_what_systems_share_does_not_lie_within_each_other(tmp_path: Path) -> None:
    outer, inner = '[persist]\nshared = ["/var/lib/a"]\n', '[persist]\nshared = ["/var/lib/a/b"]\n'
    write(tmp_path, one=outer, two=inner, three=outer)
    first, second = mistakes(tmp_path)
    assert first.fact == "two shares /var/lib/a/b, which lies in /var/lib/a that one shares"
    assert (first.place.file.name, first.place.line) == ("two.toml", 2)
    assert "three" in second.fact


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        ("users.ann.uid = 1500", "users.ann.uid = 1501", "is 1501 in two"),
        ("users.ann.uid = 1500", "users.bob.uid = 1500", "one gives ann the number 1500"),
        ("users.ann.uid = 1500", "users.ann.uid = 1500", ""),
        ("users.ann.uid = 1500", "users.ann = {}", ""),
    ],
)
def test_a_user_has_one_number_on_all_systems(
    tmp_path: Path, one: str, two: str, told: str
) -> None:
    write(tmp_path, one=one, two=two)
    if told:
        (problem,) = mistakes(tmp_path)
        assert told in problem.fact
        assert problem.place.file.name == "two.toml"
    else:
        load(tmp_path)


def test_two_systems_that_keep_the_same_path_are_asked_whether_they_mean_it(
    tmp_path: Path,
) -> None:
    own = '[persist]\npaths = ["/var/lib/a"]\n'
    write(tmp_path, one=own, two=own)
    (note,) = load_with_places(tmp_path).warnings
    assert note.fact == "/var/lib/a is kept by one as well, and each has its own"
    assert note.place.file.name == "two.toml"


def test_what_the_machine_or_a_module_says_once_is_meant(tmp_path: Path) -> None:
    machine = '[persist]\npaths = ["/var/lib/a"]\n'
    broker = "mosquitto.enable = true\n"
    write(tmp_path, machine, one=broker, two=broker)
    assert not load_with_places(tmp_path).warnings


NEEDS_DATA = {
    "[Unit]\\nRequires=run-reconix-data.mount": "run-reconix-data.mount",
    "[Unit]\\nBindsTo=a.mount var-lib-a.mount": "var-lib-a.mount",
    "[Unit]\\nAssertPathIsMountPoint=/var/lib/a": "/var/lib/a",
    "[Service]\\nExecStart=-/var/lib/a/program --x": "/var/lib/a/program",
    "[Service]\\nExecStart = /run/reconix/data/program": "/run/reconix/data/program",
}


@pytest.mark.parametrize("text", NEEDS_DATA)
@pytest.mark.parametrize("table", ['units."x.service"', 'files."systemd/system/x.service.d/y"'])
def test_the_default_system_starts_without_data(tmp_path: Path, text: str, table: str) -> None:
    own = f'[persist]\npaths = ["/var/lib/a"]\n[{table}]\ntext = "{text}\\n"\n'
    write(tmp_path, default=own)
    (problem,) = mistakes(tmp_path)
    assert problem.key == table
    assert f"needs {NEEDS_DATA[text]}, which is on the data" in problem.fact
    assert problem.place.line == 3


def test_a_unit_whose_file_is_missing_is_told_as_that(tmp_path: Path) -> None:
    write(tmp_path, default='units."x.service".source = "x.service"\n')
    (problem,) = mistakes(tmp_path)
    assert problem.fact.startswith("there is no file")


def test_a_check_of_the_default_system_does_not_look_at_data(tmp_path: Path) -> None:
    check = 'health.checks = [{ command = ["/bin/test", "-d", "/run/reconix/data/x"] }]\n'
    write(tmp_path, default=check)
    (problem,) = mistakes(tmp_path)
    assert "/run/reconix/data/x" in problem.fact


def test_wanting_data_is_not_needing_them_and_other_systems_may(tmp_path: Path) -> None:
    wants = "[Unit]\\nWants=run-reconix-data.mount\\n[Service]\\nExecStart=/usr/bin/x\\n"
    needs = "[Unit]\\nRequires=run-reconix-data.mount\\n"
    write(
        tmp_path,
        default=f'[units."x.service"]\ntext = "{wants}"\n',
        other=f'[units."x.service"]\ntext = "{needs}"\n',
    )
    assert load(tmp_path)


@pytest.mark.parametrize("path", ["/var/lib/a", "/var/lib/a-b", "/srv/a b/ü", "/x.y:z_1", "/.h"])
def test_paths_are_escaped_as_systemd_does(path: str, need: Callable[..., None]) -> None:
    need("systemd-escape")
    assert run("systemd-escape", "--path", path).decode().strip() == escaped(path)


def test_options_of_what_no_system_switches_on_have_no_effect(tmp_path: Path) -> None:
    write(tmp_path, "[mosquitto]\nport = 8883\n", one="ssh.enable = true\n")
    (note,) = load_with_places(tmp_path).warnings
    assert (note.key, note.fact) == (
        "mosquitto.port",
        "has no effect: mosquitto.enable is not set",
    )
    (tmp_path / "hosts/gw/systems/one.toml").write_text("mosquitto.enable = true\n")
    assert not load_with_places(tmp_path).warnings


def test_what_another_system_switches_on_has_no_effect_here(tmp_path: Path) -> None:
    write(tmp_path, one="[mosquitto]\nport = 8883\n", two="mosquitto.enable = true\n")
    (note,) = load_with_places(tmp_path).warnings
    assert (note.key, note.place.file.name) == ("mosquitto.port", "one.toml")


def test_what_the_machine_says_counts_if_one_system_switches_it_on(tmp_path: Path) -> None:
    write(tmp_path, "[mosquitto]\nport = 8883\n", one="mosquitto.enable = true\n", two="")
    assert not load_with_places(tmp_path).warnings
