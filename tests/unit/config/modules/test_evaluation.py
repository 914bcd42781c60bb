"""Modules of a project, from the table in TOML to what a system is in the end."""

from pathlib import Path

import pytest

from reconix.config.load import Loaded, load, load_with_places
from reconix.config.problems import BadConfiguration, Problem
from reconix.config.schema.health import TcpCheck, UnitCheck
from reconix.config.schema.system import System
from reconix.config.show import rows

MACHINE = 'kernel.package = "linux-image-cloud-amd64"\n'
HEAD = """\
from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment, OptionError
from reconix.config.options import Option
from reconix.config.schema.health import Health, TcpCheck
from reconix.config.schema.system import File, Services, Unit
from reconix.config.schema.values import Port
"""
HELLO = f"""\
{HEAD}from reconix.config.services.firewall import Options as Firewall


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    "A program that says hello."

    word: Annotated[str, Option("What it says.", '"hello"')] = ""
    port: Annotated[Port, Option("Where it says it.", "80")] = 4000


def configure(options: Options) -> Fragment:
    if options.word == "nothing":
        raise OptionError("word", "is no word", "say hello")
    return Fragment(
        packages=("netcat-openbsd",),
        services=Services(enable=("hello.service",)),
        units={{"hello.service": Unit(text=f"[Service]\\nExecStart=echo {{options.word}}\\n")}},
        files={{"hello": File(text=options.word, mode=0o600)}},
        ports={{str(options.port): "hello"}},
        health=Health(checks=(TcpCheck(tcp=options.port),)),
        set_modules=(Firewall(tcp=(options.port,)),),
    )
"""


FORMERLY = {
    "modules.fragment": "addition",
    "Fragment": "Addition",
    "OptionError": "Mistake",
    "set_modules": "others",
}


class Project:
    """A project that is written file by file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("reconix.toml", 'name = "test"\n')
        self.write("hosts/gw/machine.toml", MACHINE)

    def write(self, name: str, content: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def system(self, text: str) -> System:
        self.write("hosts/gw/systems/default.toml", text)
        return load(self.folder).hosts["gw"].systems["default"]

    def loaded(self, text: str) -> Loaded:
        self.write("hosts/gw/systems/default.toml", text)
        return load_with_places(self.folder)

    def mistakes(self, text: str = "") -> tuple[Problem, ...]:
        with pytest.raises(BadConfiguration) as failure:
            self.system(text)
        return failure.value.problems


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_module_makes_many_settings_out_of_few(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    system = project.system('[hello]\nword = "hi"\n')
    assert system.packages == ("netcat-openbsd",)
    assert system.units["hello.service"].text == "[Service]\nExecStart=echo hi\n"
    assert (system.files["hello"].text, system.files["hello"].mode) == ("hi", 0o600)
    assert system.health.checks == (TcpCheck(tcp=4000),)
    assert system.ports == {"4000": "hello"}


def test_a_module_of_before_the_word_fragment_goes_on_to_work(project: Project) -> None:
    text = '[hello]\nport = 7\nword = "hi"\n'
    project.write("modules/hello.py", HELLO)
    expected = project.system(text)
    old = HELLO
    for new, before in FORMERLY.items():
        old = old.replace(new, before)
    project.write("modules/hello.py", old)
    assert project.system(text) == expected
    told = [each for each in project.loaded(text).warnings if each.key == "module hello"]
    assert [(each.place.line, each.fact) for each in told] == [
        (4, "reconix.config.addition was renamed to reconix.config.modules.fragment")
    ]
    (problem,) = project.mistakes(text.replace('"hi"', '"nothing"'))
    assert problem.fact == "is no word"


def test_a_module_that_nobody_sets_adds_nothing(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    bare = project.system("")
    assert project.system("hello.port = 4000\n") == bare
    assert not bare.packages


def test_machine_and_system_set_options_of_a_module_together(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    project.write("hosts/gw/machine.toml", f"{MACHINE}[hello]\nport = 7\n")
    assert project.system('hello.word = "hi"\n').ports == {"7": "hello"}


def test_a_module_sets_options_of_other_modules(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    text = 'ssh.enable = true\nfirewall.enable = true\n[hello]\nword = "hi"\n'
    rules = project.system(text).files["nftables.conf"].text
    assert rules is not None
    assert "tcp dport { 22, 4000 } accept" in rules


def test_what_a_module_adds_knows_where_it_comes_from(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    loaded = project.loaded('[hello]\nword = "hi"\n')
    shown = {row.key: row for row in rows(loaded.shapes.system, loaded.systems["gw"]["default"])}
    (place,) = shown["packages"].places
    assert place.file == project.folder / "modules/hello.py"
    assert place.text == "def configure(options: Options) -> Fragment:"
    assert shown["hello.word"].places[0].file.name == "default.toml"


def test_a_module_that_contradicts_a_file_is_told_with_both_places(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    text = '[hello]\nword = "hi"\n[files.hello]\ntext = "other"\n'
    (problem,) = project.mistakes(text)
    assert problem.key == "files.hello.text"
    assert (problem.place.file.name, problem.place.line) == ("default.toml", 4), "where it is mine"
    assert "hello.py:" in problem.fact
    assert "force" in problem.hint
    assert project.system(text.replace('"other"', '{ force = "other" }')).files["hello"].text


def test_two_programs_that_want_one_port_are_told(project: Project) -> None:
    (problem,) = project.mistakes(
        "[mosquitto]\nenable = true\nport = 80\n[nginx]\nenable = true\n"
        '[nginx.sites.a]\nfolder = "/srv"\n'
    )
    assert problem.key == "ports.80"
    assert 'is "nginx" here, but "mosquitto" in' in problem.fact


def test_a_module_says_what_is_wrong_with_its_options(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    (problem,) = project.mistakes('[hello]\nword = "nothing"\n')
    assert (problem.key, problem.fact, problem.hint) == ("hello.word", "is no word", "say hello")
    assert (problem.place.file.name, problem.place.line) == ("default.toml", 2)


def test_options_of_a_module_are_checked_like_all_others(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    first, second = project.mistakes("[hello]\nport = 0\nwrod = 1\n")
    assert (first.key, first.fact) == ("hello.port", "expected a number from 1 to 65535, found 0")
    assert (second.key, second.hint) == ("hello.wrod", "did you mean hello.word?")


BROKEN = {
    "1 / 0": ("raised ZeroDivisionError: division by zero", "    1 / 0"),
    "return None": ("configure returned None instead of a Fragment", "def configure"),
    'return Fragment(packages="nginx")': ("packages: expected a list", "def configure"),
    'return Fragment(packages=("No Package",))': ("expected the name of a Debian", "def configure"),
    'return Fragment(set_modules=("x",))': ("str is not the Options of a module", "def configure"),
    "raise ValueError": ("raised ValueError", "    raise ValueError"),
    "return later()": ("raised RecursionError", "    return"),
}


@pytest.mark.parametrize("body", BROKEN)
def test_a_failing_module_names_itself_and_the_line(project: Project, body: str) -> None:
    options = 'OPTIONS = Options(word="x")\ndef later():\n    return configure(OPTIONS)\n'
    source = HELLO.partition("    if options")[0]
    options_of, configure = source.split("\n\ndef configure")
    project.write(
        "modules/hello.py", f"{options_of}\n{options}\ndef configure{configure}    {body}\n"
    )
    fact, line = BROKEN[body]
    (problem,) = project.mistakes('[hello]\nword = "hi"\n')
    assert problem.place.file.name == "hello.py"
    assert fact in problem.fact
    assert problem.place.text.startswith(line)


INCOMPLETE = {
    f'{HEAD}@dataclass\nclass Options:\n    "x"\n    x: float = 0\n\ndef configure(o): pass\n': (
        "float is not a type that an option can have"
    ),
    "x = 1\n": "has no dataclass Options",
    HELLO.partition("\n\ndef configure")[0]: "has no function configure",
    "def configure(:\n": "invalid Python",
    "import os\n": "imports os",
}


@pytest.mark.parametrize("source", INCOMPLETE)
def test_what_is_no_module_is_told(project: Project, source: str) -> None:
    project.write("modules/hello.py", source)
    (problem,) = project.mistakes()
    assert INCOMPLETE[source] in problem.fact
    assert problem.key == "module hello"


def test_an_option_without_a_default_must_be_written(project: Project) -> None:
    without = HELLO.replace('"hello"\')] = ""', '"hello"\')]')
    project.write("modules/hello.py", without)
    assert project.system("")
    (problem,) = project.mistakes("hello.port = 5\n")
    assert (problem.key, problem.fact) == ("hello.word", "is missing")
    assert problem.hint == 'for example hello.word = "hello"'


@pytest.mark.parametrize("name", ["packages", "ssh", "my-module"])
def test_a_module_needs_a_name_of_its_own(project: Project, name: str) -> None:
    project.write(f"modules/{name}.py", HELLO)
    (problem,) = project.mistakes()
    assert "name" in problem.fact


def test_a_module_may_use_another_one_of_the_project(project: Project) -> None:
    project.write("modules/hello.py", HELLO)
    project.write(
        "modules/polite.py",
        HEAD
        + "from modules.hello import Options as Hello\n"
        + "@dataclass(frozen=True, slots=True, kw_only=True)\nclass Options:\n"
        + '    "Says hello."\n    enable: bool = False\n\n'
        + 'def configure(options):\n    return Fragment(set_modules=(Hello(word="Good day"),))\n',
    )
    assert project.system("polite.enable = true\n").files["hello"].text == "Good day"


def test_modules_that_import_each_other_are_told(project: Project) -> None:
    project.write("modules/one.py", "from modules.two import Options\n")
    project.write("modules/two.py", "from modules.one import Options\n")
    assert "imports itself" in project.mistakes()[0].fact


def test_modules_that_never_agree_are_told(project: Project) -> None:
    project.write(
        "modules/one.py",
        HEAD
        + "@dataclass(frozen=True, slots=True, kw_only=True)\nclass Options:\n"
        + '    "Never content."\n    numbers: tuple[int, ...] = ()\n\n'
        + "def configure(options):\n"
        + "    return Fragment(set_modules=(Options(numbers=(max(options.numbers) + 1,)),))\n",
    )
    (problem,) = project.mistakes("one.numbers = [7]\n")
    assert "do not converge" in problem.fact


def test_a_service_is_one_line(project: Project) -> None:
    system = project.system("[mosquitto]\nenable = true\nanonymous = true\n")
    assert system.packages == ("mosquitto",)
    assert system.files["mosquitto/conf.d/reconix.conf"].text == (
        "listener 1883\nallow_anonymous true\n"
    )
    assert system.health.checks == (UnitCheck(unit="mosquitto.service"), TcpCheck(tcp=1883))


def test_the_example_in_the_manual_works(project: Project) -> None:
    manual = (Path(__file__).parents[4] / "docs/modules.md").read_text()
    project.write("modules/hello.py", manual.partition("```python\n")[2].partition("```")[0])
    assert project.system("hello.enable = true\n").ports == {"4000": "hello"}
    (problem,) = project.mistakes("[hello]\nenable = true\nport = 80\n")
    assert (problem.fact, problem.place.line) == ("is reserved for root", 3)


APPS = '''\
"""Programs of ours, each in a container."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option
from reconix.config.schema.containers import Container, ContainerFile
from reconix.config.schema.values import Name, PublishedPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    "Programs of ours."

    tags: Annotated[
        Mapping[Name, Name], Option("Which, and which tag.", '{ api = "2" }')
    ] = field(default_factory=dict)


def configure(options: Options) -> Fragment:
    return Fragment(
        containers={
            name: Container(
                image=f"registry.example.com/apps/{name}:{tag}",
                command=("run", "run"),
                ports=(PublishedPort(8000 + number, 80),),
                files={"/etc/app.toml": ContainerFile(text="a = 1", mode=0o600)},
            )
            for number, (name, tag) in enumerate(options.tags.items())
        }
    )
'''


def test_a_module_may_make_containers(project: Project) -> None:
    project.write("modules/apps.py", APPS)
    text = '[apps.tags]\napi = "2"\nweb = "1"\n[containers.web]\nmemory = "64M"\n'
    system = project.system(f"{text}[firewall]\nenable = true\n")
    api, web = system.containers["api"], system.containers["web"]
    assert api.image == "registry.example.com/apps/api:2"
    assert api.command == ("run", "run")
    assert [str(port) for port in (*api.ports, *web.ports)] == ["8000:80", "8001:80"]
    assert api.files["/etc/app.toml"].mode == 0o600
    assert (api.memory, web.memory) == (None, 64 << 20)
    assert {"crun", "nftables"} <= set(system.packages)
    assert 'iifname "reconix-*" accept' in str(system.files["nftables.conf"].text)


def test_what_is_wrong_with_a_container_of_a_module_is_told(project: Project) -> None:
    project.write("modules/apps.py", APPS)
    (problem,) = project.mistakes('[apps.tags]\napi = "2"\n[ports]\n"8000" = "mine"\n')
    assert problem.key == "containers.api.ports"
    assert problem.place.file.name == "apps.py"
