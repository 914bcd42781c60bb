"""How registries are reached, as the environment and the project say it."""

from pathlib import Path

import pytest

from reconix.base.address import Address
from reconix.base.errors import UsageError
from reconix.base.http import Route
from reconix.cli import registries
from reconix.config.load import load_project
from reconix.config.problems import BadConfiguration
from reconix.config.schema.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    text = '[registries]\n"registry.example:5000" = { http = true }\n"other.example" = {}\n'
    (tmp_path / "reconix.toml").write_text(f'name = "test"\n{text}')
    return load_project(tmp_path)


def test_only_registries_that_the_project_names_are_asked_without_tls(project: Project) -> None:
    assert registries.access(project).without_tls == {"registry.example:5000"}


def test_log_ins_are_those_of_podman_and_docker(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    assert registries.access(project).logins.files == (tmp_path / "auth.json",)


def test_proxies_are_those_of_the_user_but_for_this_machine(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    route = Route.of(registries.access(project).route.proxies)
    for host in ("localhost:5000", "127.0.0.1:5000", "[::1]:5000", "inside.example"):
        assert route.proxy_for(Address.parse(f"http://{host}/")) is None
    assert route.proxy_for(Address.parse("https://registry.example/")) is not None


def test_a_proxy_that_is_none_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy.example")
    with pytest.raises(UsageError, match="proxy"):
        registries.access(project)


@pytest.mark.parametrize("host", ["registry.example/apps", "https://registry.example", "A.example"])
def test_a_registry_is_named_as_references_have_it(tmp_path: Path, host: str) -> None:
    (tmp_path / "reconix.toml").write_text(f'name = "a"\n[registries."{host}"]\nhttp = true\n')
    with pytest.raises(BadConfiguration, match="is not a registry in quotes"):
        load_project(tmp_path)
