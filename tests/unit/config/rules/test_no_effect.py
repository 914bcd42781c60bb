"""Options of modules that no system switches on."""

from pathlib import Path

from tests.config_projects import write

from reconix.config.load import load_with_places


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
