"""A secret has readers, and its value is not in the configuration, nor shown if it was."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load, load_with_places
from reconix.config.problems import BadConfiguration

SECRET = '[secrets.mqtt-password]\nunits = ["air.service"]\n'


def test_a_secret_of_the_machine_and_of_a_system_has_the_readers_of_both(tmp_path: Path) -> None:
    more = '[secrets.mqtt-password]\nunits = ["web.service"]\nrequired = false\n'
    write(tmp_path, SECRET, web=more)
    systems = load(tmp_path).hosts["gw"].systems
    assert systems["default"].secrets["mqtt-password"].units == ("air.service",)
    assert systems["web"].secrets["mqtt-password"].units == ("air.service", "web.service")
    assert not systems["web"].secrets["mqtt-password"].required


@pytest.mark.parametrize(
    ("text", "key", "fact", "line"),
    [
        ("[secrets.a]\n", "secrets.a", "no unit may read it", 1),
        (
            '[secrets.a]\nunits = ["air.socket"]\n',
            "secrets.a.units",
            "air.socket is no service, and reads nothing",
            2,
        ),
        ('[secrets."a/b"]\nunits = ["air.service"]\n', "secrets.a/b", "'a/b' is not a name of", 1),
        ('[secrets."../a"]\nunits = ["air.service"]\n', "secrets.", "'../a' is not a name of", 1),
    ],
)
def test_a_secret_without_a_reader_or_a_name_is_refused(
    tmp_path: Path, text: str, key: str, fact: str, line: int
) -> None:
    write(tmp_path, web=text)
    (problem,) = mistakes(tmp_path)
    assert problem.key.replace('"', "").startswith(key)
    assert problem.fact.startswith(fact)
    assert (problem.place.file.name, problem.place.line) == ("web.toml", line)


def test_a_unit_that_loads_a_secret_is_named_there(tmp_path: Path) -> None:
    unit = '[units."web.service"]\ntext = "[Service]\\nLoadCredential={}\\n"\n'
    write(
        tmp_path,
        web=SECRET + unit.format("mqtt-password"),
        one=SECRET + unit.format("mqtt-password:/etc/other"),
        two=SECRET.replace("air", "web") + unit.format("mqtt-password"),
    )
    (problem,) = mistakes(tmp_path)
    assert problem.fact == (
        "loads secret mqtt-password, and secrets.mqtt-password.units does not name it"
    )
    assert (problem.place.file.name, problem.place.line) == ("web.toml", 3)


VALUES = {
    "an option of its own": '[secrets.a]\nunits = ["air.service"]\nvalue = "hunter2"\n',
    "in place of the table": '[secrets]\na = "hunter2"\n',
    "in place of all": 'secrets = "hunter2"\n',
    "in place of units": '[secrets.a]\nunits = "hunter2"\n',
    "among units": '[secrets.a]\nunits = ["air.service", "hunter2"]\n',
    "in place of required": '[secrets.a]\nunits = ["air.service"]\nrequired = "hunter2"\n',
    "below it": '[secrets.a]\nunits = ["air.service"]\nvalue.text = "hunter2"\n',
    "a list": '[secrets]\na = ["hunter2"]\n',
    "a user's": '[users.root]\npassword = "hunter2"\n',
    "without quotes": '[secrets.a]\nunits = ["air.service"]\nvalue = hunter2\n',
    "without quotes or a word for it": "[secrets]\na = hunter2\n",
    "without a header": "secrets.a = hunter2\n",
    "twice": '[secrets.a]\nunits = ["air.service"]\nx = "hunter2"\nx = "hunter2"\n',
    "not ended": '[secrets.a]\nx = """\nhunter2\n""\n',
    "a user's, without quotes": "[users.root]\npassword = hunter2\n",
    "a module's": '[ssh]\ntoken = "hunter2"\n',
    "in one line": 'users = { root = { password = "hunter2" } }\n',
    "of Wi-Fi, not ended": '[network.lan]\nmatch = "en*"\npsk = "hunter2\n',
    "of Wi-Fi": '[network.lan]\nmatch = "en*"\ndhcp = true\npsk = "hunter2"\n',
}


@pytest.mark.parametrize("way", VALUES)
def test_a_value_is_refused_wherever_it_was_written_and_not_shown(tmp_path: Path, way: str) -> None:
    write(tmp_path, web=VALUES[way])
    with pytest.raises(BadConfiguration) as failure:
        load_with_places(tmp_path)
    assert "hunter2" not in str(failure.value)
    assert any(problem.place.line for problem in failure.value.problems)


def test_the_line_of_another_mistake_is_shown(tmp_path: Path) -> None:
    """Also of one that names a secret."""
    write(
        tmp_path, web="[network.lan]\npassword_secret = wifi\n", one="[secrets.a]\n[ssh]\nprt = 1\n"
    )
    with pytest.raises(BadConfiguration) as failure:
        load_with_places(tmp_path)
    assert "password_secret = wifi" in str(failure.value)
    assert "prt = 1" in str(failure.value)


def test_who_writes_a_value_is_told_where_it_belongs(tmp_path: Path) -> None:
    write(tmp_path, web=VALUES["an option of its own"])
    (problem,) = mistakes(tmp_path)
    assert (problem.key, problem.place.line) == ("secrets.a.value", 3)
    assert "put it into secrets/NAME" in problem.hint
