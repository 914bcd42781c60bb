import shutil
from pathlib import Path

import pytest

from reconix.config.load import Loaded, load_with_places
from reconix.config.schema.machine import Machine
from reconix.config.shapes import shape_of
from reconix.config.show import Row, rows

EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    folder = tmp_path / "gateway"
    shutil.copytree(EXAMPLE, folder)
    (folder / "keys/operator.pub").write_text("ssh-ed25519 AAAA test\n")
    return folder


def shown(loaded: Loaded, system: str) -> dict[str, Row]:
    table = loaded.systems["gateway"][system]
    return {row.key: row for row in rows(loaded.shapes.system, table)}


def test_each_option_is_shown_with_its_value_and_its_places(example: Path) -> None:
    web = shown(load_with_places(example), "web")
    assert web["kernel.package"].value == '"linux-image-cloud-amd64"'
    assert web["kernel.package"].places[0].file.name == "machine.toml"
    assert web["health.timeout"].value == '"2min"'
    assert web["health.checks"].value == '[{ tcp = 22 }, { unit = "nginx.service" }, { tcp = 80 }]'
    assert {place.file.name for place in web["health.checks"].places} == {
        "machine.toml",
        "web.toml",
    }
    assert web["update.receive"] == Row("update.receive", "true", ())
    assert web["network.lan.gateway"] == Row("network.lan.gateway", None, ())
    assert web["ssh.enable"].value == "true"


def test_what_is_shown_is_the_same_configuration_when_it_is_read_again(example: Path) -> None:
    loaded = load_with_places(example)
    host = loaded.configuration.hosts["gateway"]
    machine = list(rows(shape_of(Machine), loaded.machines["gateway"]))
    hosts = example / "hosts"
    for name in host.systems:
        system = list(shown(loaded, name).values())
        other = hosts / f"copy-{name}"
        (other / "systems").mkdir(parents=True)
        lines = "".join(f"{row.key} = {row.value}\n" for row in machine if row.value)
        (other / "machine.toml").write_text(lines.replace('"default"', f'"{name}"'))
        text = "".join(f"{row.key} = {row.value}\n" for row in system if row.value)
        home = f'"{hosts.parent}/'
        (other / f"systems/{name}.toml").write_text(text.replace(home, '"../../../'))
    copies = load_with_places(example).configuration.hosts
    for name, system_of_host in host.systems.items():
        assert copies[f"copy-{name}"].systems[name] == system_of_host
