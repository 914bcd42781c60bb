import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.architecture import Architecture
from reconix.base.errors import UsageError
from reconix.config.load import find_project, load, load_with_places
from reconix.config.merge import settings
from reconix.config.problems import BadConfiguration
from reconix.config.schema.health import TcpCheck, UnitCheck
from reconix.config.schema.hosts import Configuration
from reconix.config.schema.system import System

EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA test@here"

PROJECT = 'name = "test"\n'
MACHINE = 'kernel.package = "linux-image-cloud-amd64"\n'


class Folder:
    """A project that is written file by file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("reconix.toml", PROJECT)
        self.write("hosts/gw/machine.toml", MACHINE)
        self.write("hosts/gw/systems/default.toml", "")

    def write(self, name: str, content: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def load(self) -> Configuration:
        return load(self.path)

    def system(self, name: str = "default") -> System:
        return self.load().hosts["gw"].systems[name]

    def mistakes(self) -> list[str]:
        """What is wrong, one line each, without the folder."""
        with pytest.raises(BadConfiguration) as failure:
            self.load()
        assert failure.value.exit_code == 2
        return [str(problem).replace(f"{self.path}/", "") for problem in failure.value.problems]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_example_says_what_it_seems_to_say(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "gateway")
    (tmp_path / "gateway/keys/operator.pub").write_text(f"{KEY}\n# comment\n\n")
    host = load(tmp_path / "gateway").hosts["gateway"]
    assert (host.hostname, host.architecture) == ("gateway", Architecture.AMD64)
    assert list(host.systems) == ["default", "mqtt", "web"]
    mqtt = host.systems["mqtt"]
    assert set(mqtt.packages) - set(host.systems["default"].packages) == {"mosquitto"}
    assert mqtt.users["root"].keys() == (KEY,)
    assert mqtt.health.checks == (
        TcpCheck(tcp=22),
        UnitCheck(unit="mosquitto.service"),
        TcpCheck(tcp=1883),
    )
    assert host.systems["web"].files["gateway/www/index.html"].read().startswith(b"<!doctype")


def test_a_system_is_its_machine_plus_its_own_file(folder: Folder) -> None:
    folder.write(
        "hosts/gw/machine.toml",
        f'{MACHINE}packages = ["systemd"]\n[users.root]\ngroups = ["adm"]\n[health]\ntimeout = 5\n',
    )
    folder.write(
        "hosts/gw/systems/web.toml",
        'packages = ["nginx", "systemd"]\n[users.root]\nuid = 0\n[health]\ntimeout = "5s"\n',
    )
    web = folder.system("web")
    assert web.packages == ("systemd", "nginx")
    assert (web.users["root"].groups, web.users["root"].uid) == (("adm",), 0)
    assert web.health.timeout == 5
    assert folder.system().packages == ("systemd",)


def test_what_is_set_twice_must_agree_or_be_forced(folder: Folder) -> None:
    folder.write("hosts/gw/systems/web.toml", 'kernel.package = "linux-image-amd64"\n')
    (mistake,) = folder.mistakes()
    assert mistake.startswith("hosts/gw/systems/web.toml:1:8: kernel.package: is ")
    assert "hosts/gw/machine.toml:1:8" in mistake
    folder.write("hosts/gw/systems/web.toml", 'kernel.package = { force = "linux-image-amd64" }\n')
    assert folder.system("web").kernel.package == "linux-image-amd64"


def test_all_errors_of_all_files_are_reported_at_once(folder: Folder) -> None:
    folder.write("reconix.toml", 'nmae = "test"\n')
    folder.write("hosts/gw/machine.toml", "[boot]\nslots = 9\n")
    folder.write("hosts/gw/systems/web.toml", "[helth]\n[boot]\nslots = 3\n")
    folder.write("hosts/gw/systems/bad.toml", "a = = 1\n")
    mistakes = folder.mistakes()
    assert [mistake.partition("\n")[0] for mistake in mistakes] == [
        "hosts/gw/machine.toml:2:1: boot.slots: expected a number from 2 to 8, found 9",
        "hosts/gw/systems/bad.toml: kernel.package: is missing",
        "hosts/gw/systems/bad.toml:1:5: invalid TOML: invalid value",
        "hosts/gw/systems/default.toml: kernel.package: is missing",
        "hosts/gw/systems/web.toml: kernel.package: is missing",
        "hosts/gw/systems/web.toml:1:2: helth: unknown option",
        "hosts/gw/systems/web.toml:2:2: boot: unknown option",
        "reconix.toml: name: is missing",
        "reconix.toml:1:1: nmae: unknown option",
    ]
    assert "did you mean health?" in mistakes[5]
    assert "machine.toml" in mistakes[6]
    assert 'for example name = "gateway"' in mistakes[7]
    assert 'nmae = "test"' in mistakes[8]


@pytest.mark.parametrize(
    "line",
    [
        'keys = ["k:AAAA"]',
        'keys_files = ["a.pub"]',
        "threshold = 2",
        'revoked = ["k:AAAA"]',
        "key_set = 2",
        "require_signature = false",
    ],
)
def test_an_option_that_has_moved_names_its_place(folder: Folder, line: str) -> None:
    name = line.partition(" ")[0]
    folder.write("reconix.toml", f'name = "test"\n[update]\n{line}\n')
    (mistake,) = folder.mistakes()
    assert mistake.startswith(f"reconix.toml:3:1: update.{name}: unknown option")
    assert f"write it as trust.{name}" in mistake


def test_an_option_of_another_table_is_found(folder: Folder) -> None:
    folder.write("hosts/gw/systems/web.toml", "trial_timeout = 5\n")
    (mistake,) = folder.mistakes()
    assert "did you mean update.trial_timeout?" in mistake


def test_a_password_is_refused_with_what_to_use_instead(folder: Folder) -> None:
    folder.write("hosts/gw/systems/web.toml", '[users.root]\npassword = "secret"\n')
    (mistake,) = folder.mistakes()
    assert "authorized_keys" in mistake


def test_a_missing_file_is_an_error_at_the_place_that_names_it(folder: Folder) -> None:
    folder.write(
        "hosts/gw/systems/web.toml",
        'imports = ["no.toml"]\n[users.root]\nauthorized_keys_files = ["../../../keys/me.pub"]\n'
        '[files.x]\nsource = "x.conf"\n',
    )
    mistakes = folder.mistakes()
    assert len(mistakes) == 3
    assert mistakes[0].startswith("hosts/gw/systems/web.toml:1:12: imports: no such file")
    assert "ssh-keygen" in mistakes[1]
    assert mistakes[2].startswith("hosts/gw/systems/web.toml:5:1: files.x.source: no such file")


def test_a_missing_key_is_told_with_the_command_that_makes_one(folder: Folder) -> None:
    folder.write("reconix.toml", f'{PROJECT}trust.keys_files = ["keys/update.pub"]\n')
    (mistake,) = folder.mistakes()
    assert mistake.endswith("create a key: reconix keys generate --file keys/update")


def test_imports_come_first_and_paths_are_seen_from_their_own_file(folder: Folder) -> None:
    folder.write("shared/base.toml", 'packages = ["one"]\nimports = ["more/two.toml.md"]\n')
    folder.write(
        "shared/more/two.toml.md",
        '# Two\n\n```toml\npackages = ["two"]\n[files.x]\nsource = "x.conf"\n```\n',
    )
    folder.write("shared/more/x.conf", "content")
    folder.write(
        "hosts/gw/systems/web.toml", 'imports = ["../../../shared/base.toml"]\npackages = ["web"]\n'
    )
    web = folder.system("web")
    assert web.packages == ("two", "one", "web")
    assert web.files["x"].read() == b"content"


def test_files_that_import_each_other_count_once(folder: Folder) -> None:
    folder.write("shared/a.toml", 'imports = ["b.toml"]\npackages = ["aa"]\n')
    folder.write("shared/b.toml", 'imports = ["a.toml", "b.toml"]\npackages = ["bb"]\n')
    folder.write(
        "hosts/gw/systems/web.toml",
        'imports = ["../../../shared/a.toml", "../../../shared/b.toml"]\n',
    )
    assert folder.system("web").packages == ("bb", "aa")


def test_what_a_machine_and_a_system_import_alike_is_no_conflict(folder: Folder) -> None:
    folder.write("shared/a.toml", "health.timeout = 60\n")
    folder.write("hosts/gw/machine.toml", f'imports = ["../../shared/a.toml"]\n{MACHINE}')
    folder.write("hosts/gw/systems/web.toml", 'imports = ["../../../shared/a.toml"]\n')
    assert folder.system("web").health.timeout == 60


def test_a_system_may_not_import_what_belongs_to_the_machine(folder: Folder) -> None:
    folder.write("shared/a.toml", "boot.slots = 3\n")
    folder.write("hosts/gw/systems/web.toml", 'imports = ["../../../shared/a.toml"]\n')
    (mistake,) = folder.mistakes()
    assert mistake.startswith("shared/a.toml:1:1: boot: unknown option")


def test_items_are_taken_out_and_lists_replaced_only_when_said(folder: Folder) -> None:
    folder.write("hosts/gw/machine.toml", f'{MACHINE}packages = ["one", "two"]\n')
    folder.write("hosts/gw/systems/less.toml", 'packages = { remove = ["one"] }\n')
    folder.write("hosts/gw/systems/both.toml", 'packages = { add = ["three"], remove = ["two"] }\n')
    folder.write("hosts/gw/systems/only.toml", 'packages = { force = ["four"] }\n')
    systems = folder.load().hosts["gw"].systems
    assert systems["less"].packages == ("two",)
    assert systems["both"].packages == ("one", "three")
    assert systems["only"].packages == ("four",)


def test_a_system_has_the_budget_of_the_project_unless_it_has_its_own(folder: Folder) -> None:
    folder.write("reconix.toml", f'{PROJECT}[budgets]\nsystem = "300M"\n')
    folder.write("hosts/gw/systems/web.toml", 'budget = "400M"\n')
    assert (folder.system().budget, folder.system("web").budget) == (300 << 20, 400 << 20)


def test_a_literate_system_is_a_system_and_there_is_only_one(folder: Folder) -> None:
    folder.write("hosts/gw/systems/web.toml.md", '# Web\n```toml\npackages = ["nginx"]\n```\n')
    assert folder.system("web").packages == ("nginx",)
    folder.write("hosts/gw/systems/web.toml", "")
    (mistake,) = folder.mistakes()
    assert "conflicts with web.toml" in mistake


def test_hosts_and_systems_have_good_names(folder: Folder) -> None:
    folder.write("hosts/gw/systems/My System.toml", "")
    folder.write("hosts/G W/machine.toml", "")
    mistakes = folder.mistakes()
    assert ["a name of lower-case" in mistake for mistake in mistakes] == [True, True]


def test_a_host_needs_a_machine_and_a_project_a_host(folder: Folder) -> None:
    (folder.path / "hosts/gw/machine.toml").unlink()
    assert "has no machine.toml" in folder.mistakes()[0]
    shutil.rmtree(folder.path / "hosts")
    assert "contains no host" in folder.mistakes()[0]


def test_a_project_is_found_from_within(folder: Folder, tmp_path: Path) -> None:
    assert find_project(folder.path / "hosts/gw") == folder.path
    with pytest.raises(UsageError) as failure:
        find_project(Path("/proc"))
    assert "reconix init" in failure.value.hint


def test_every_value_knows_where_it_was_written(folder: Folder) -> None:
    folder.write("shared/a.toml", '\n[sysctl]\n"vm.swappiness" = 0\n')
    folder.write(
        "hosts/gw/systems/web.toml",
        'imports = ["../../../shared/a.toml"]\npackages = [\n  "nginx",\n]\n',
    )
    table = load_with_places(folder.path).systems["gw"]["web"]
    found = {
        f"{key}={setting.written}": f"{setting.place.file.name}:{setting.place.line}"
        for key, setting in settings(table)
    }
    assert found == {
        'kernel.package="linux-image-cloud-amd64"': "machine.toml:1",
        'packages="nginx"': "web.toml:3",
        'sysctl."vm.swappiness"=0': "a.toml:3",
    }


SETTINGS = (
    'packages = ["nginx"]',
    'health.timeout = "2min"',
    "users.ann.uid = 1005",
    "users.bob = {}",
    'files.motd.text = "hello"',
    'sysctl."vm.swappiness" = 0',
    "update.receive = false",
    'kernel.parameters = ["quiet"]',
)


@given(st.permutations(SETTINGS), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_it_does_not_matter_in_which_file_a_line_stands_nor_their_order(
    lines: list[str], files: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        folder.write("hosts/gw/systems/web.toml", "\n".join(SETTINGS))
        for number in range(4):
            mine = [line for line, file in zip(lines, files, strict=True) if file == number]
            folder.write(f"hosts/gw/systems/parts/{number}.toml", "\n".join(mine))
        names = ", ".join(f'"parts/{number}.toml"' for number in dict.fromkeys([*files, *range(4)]))
        folder.write("hosts/gw/systems/mqtt.toml", f"imports = [{names}]\n")
        assert folder.system("mqtt") == folder.system("web")
