"""Systems that Nix built, as they are written in a project."""

from pathlib import Path

import pytest

from reconix.config.load import load
from reconix.config.problems import BadConfiguration
from reconix.config.schema.hosts import Host
from reconix.config.schema.nixos import Nixos

TOPLEVEL = "/nix/store/7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d-nixos-system-gateway"


class Folder:
    """A project with a system of Debian's and one that Nix built."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("reconix.toml", 'name = "test"\n')
        self.write("hosts/gw/machine.toml", 'kernel.package = "linux-image-amd64"\n')
        self.write("hosts/gw/systems/default.toml", "")

    def write(self, name: str, content: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def host(self, nix: str) -> Host:
        self.write("hosts/gw/systems/appliance.toml", nix)
        return load(self.path).hosts["gw"]

    def mistakes(self, nix: str) -> list[str]:
        with pytest.raises(BadConfiguration) as failure:
            self.host(nix)
        return [str(problem).replace(f"{self.path}/", "") for problem in failure.value.problems]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize("written", [f'nix = "{TOPLEVEL}"', f'nix = {{ path = "{TOPLEVEL}" }}'])
def test_a_store_path_is_a_whole_system(folder: Folder, written: str) -> None:
    host = folder.host(written)
    assert host.nixos == {"appliance": Nixos(path=TOPLEVEL)}
    assert list(host.systems) == ["default"]


def test_a_flake_of_this_machine_is_seen_from_its_file(folder: Folder) -> None:
    host = folder.host('nix = { flake = "../../nixos", attribute = "toplevel" }')
    assert host.nixos["appliance"].flake == str(folder.path / "hosts/nixos")
    host = folder.host('nix = { flake = "path:/elsewhere", attribute = "toplevel" }')
    assert host.nixos["appliance"].flake == "path:/elsewhere"


def test_an_imported_file_may_name_the_toplevel(folder: Folder) -> None:
    folder.write("shared/nix.toml", 'nix = { flake = "./here", attribute = "toplevel" }')
    host = folder.host('imports = ["../../../shared/nix.toml"]')
    assert host.nixos["appliance"].flake == str(folder.path / "shared/here")


def test_lists_of_the_machine_are_not_for_it(folder: Folder) -> None:
    folder.write(
        "hosts/gw/machine.toml",
        'packages = ["systemd"]\nkernel.package = "linux-image-amd64"\n'
        '[files."motd"]\ntext = "hello"\n',
    )
    assert "appliance" in folder.host(f'nix = "{TOPLEVEL}"').nixos


def test_nothing_else_may_stand_in_its_file(folder: Folder) -> None:
    written = f'nix = "{TOPLEVEL}"\npackages = ["nginx"]\n[files."motd"]\ntext = "hello"\n'
    packages, files = folder.mistakes(written)
    assert packages.startswith("hosts/gw/systems/appliance.toml:2:")
    assert "packages: this system is built by Nix" in packages
    assert "set it in the NixOS configuration, or remove nix" in packages
    assert "files: this system is built by Nix" in files


@pytest.mark.parametrize(
    ("written", "fact"),
    [
        ("nix = {}", "has neither path nor flake"),
        (
            f'nix = {{ path = "{TOPLEVEL}", flake = ".", attribute = "a" }}',
            "has path and flake",
        ),
        ('nix = { flake = "." }', "has flake without attribute"),
        (f'nix = {{ path = "{TOPLEVEL}", attribute = "a" }}', "has attribute without flake"),
        (
            f'nix = {{ path = "{TOPLEVEL}", specialisation = "a", all_specialisations = true }}',
            "has both specialisation and all_specialisations",
        ),
        ('nix = "/nix/store/short-name"', "expected a store path such as"),
        ("nix = 5", "expected a store path such as"),
        ("nix = []", "expected a store path such as"),
    ],
)
def test_what_cannot_be_a_toplevel_is_refused(folder: Folder, written: str, fact: str) -> None:
    (mistake,) = folder.mistakes(written)
    assert mistake.startswith("hosts/gw/systems/appliance.toml:1:")
    assert fact in mistake


def test_the_default_system_must_have_the_agent(folder: Folder) -> None:
    folder.write(
        "hosts/gw/machine.toml",
        'kernel.package = "linux-image-amd64"\nboot.default = "appliance"\n',
    )
    (mistake,) = folder.mistakes(f'nix = "{TOPLEVEL}"')
    assert mistake.startswith("hosts/gw/machine.toml:2:")
    assert "boot.default: system 'appliance' is built by Nix" in mistake


def test_a_machine_cannot_be_built_by_nix(folder: Folder) -> None:
    folder.write("hosts/gw/machine.toml", f'nix = "{TOPLEVEL}"\nkernel.package = "linux-image"\n')
    assert any("nix: unknown option" in one for one in folder.mistakes(""))
