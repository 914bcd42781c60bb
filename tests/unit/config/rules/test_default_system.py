"""The default system starts without the data partition."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load

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
    assert problem.fact.startswith("no such file")


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
