"""A unit whose user systemd makes up has its folders behind links, and links cannot persist."""

from pathlib import Path

import pytest

from reconix.config.load import load
from reconix.config.problems import BadConfiguration, Problem
from reconix.config.rules.dynamic_user import links

DYNAMIC = "[Service]\nDynamicUser=yes\n"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([f"{DYNAMIC}StateDirectory=app"], ("/var/lib/app",)),
        (
            [f"{DYNAMIC}StateDirectory=a b/c\nStateDirectory=d:e"],
            (
                "/var/lib/a",
                "/var/lib/b/c",
                "/var/lib/d",
            ),
        ),
        ([f"{DYNAMIC}CacheDirectory=a\nLogsDirectory=b"], ("/var/cache/a", "/var/log/b")),
        ([f"{DYNAMIC}StateDirectory=%N-%i-%p"], ("/var/lib/app@one-one-app",)),
        ([f"{DYNAMIC}StateDirectory=a\nStateDirectory=\nStateDirectory=b"], ("/var/lib/b",)),
        ([f"{DYNAMIC}StateDirectory=a", "[Service]\nDynamicUser=no\n"], ()),
        (["[Service]\nStateDirectory=a", "[Service]\nDynamicUser = true\n"], ("/var/lib/a",)),
        ([f"{DYNAMIC}RuntimeDirectory=a\nConfigurationDirectory=b"], ()),
        (["[Unit]\nDynamicUser=yes\nStateDirectory=a"], ()),
        ([f"{DYNAMIC}StateDirectory=a \\\n  b\n# StateDirectory=c"], ("/var/lib/a", "/var/lib/b")),
    ],
)
def test_a_unit_has_links_for_what_it_says(texts: list[str], expected: tuple[str, ...]) -> None:
    assert links("app@one.service", texts) == expected


def mistakes(folder: Path, text: str) -> tuple[Problem, ...]:
    (folder / "hosts/gw/systems").mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(
        f'kernel.package = "linux-image-cloud-amd64"\n{text}'
    )
    (folder / "hosts/gw/systems/default.toml").write_text("")
    try:
        load(folder)
    except BadConfiguration as error:
        return error.problems
    return ()


UNIT = f'[units."app.service"]\ntext = """{DYNAMIC}StateDirectory=app"""\n'
DROP_IN = '[files."systemd/system/app.service.d/x.conf"]\ntext = "[Service]\\nDynamicUser=yes"\n'


@pytest.mark.parametrize(
    ("text", "behind"),
    [
        (f'persist.paths = ["/var/lib/app"]\n{UNIT}', "/var/lib/private/app"),
        (f'persist.shared = ["/var/lib/app/sub"]\n{UNIT}', "/var/lib/private/app/sub"),
        (f'[volumes.x]\npath = "/var/lib/app"\n{UNIT}', "/var/lib/private/app"),
        (
            'persist.paths = ["/var/lib/app"]\n'
            f'units."app.service".text = "[Service]\\nStateDirectory=app"\n{DROP_IN}',
            "/var/lib/private/app",
        ),
    ],
)
def test_check_tells_what_should_persist_instead(tmp_path: Path, text: str, behind: str) -> None:
    (problem,) = mistakes(tmp_path, text)
    assert "app.service has DynamicUser= and would not start" in problem.fact
    assert problem.hint == f'persist "{behind}" instead'
    assert problem.place.line > 1 or "volumes" in text


@pytest.mark.parametrize("kept", ["/var/lib/private/app", "/var/lib/application", "/var/lib/other"])
def test_what_is_not_in_the_way_is_good(tmp_path: Path, kept: str) -> None:
    assert mistakes(tmp_path, f'persist.paths = ["{kept}"]\n{UNIT}') == ()
