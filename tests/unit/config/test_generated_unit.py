"""The unit of a program of which only the command is said."""

from collections.abc import Callable
from pathlib import Path

from reconix.base.process import run
from reconix.config import generated_unit
from reconix.config.schema.system import Unit

Need = Callable[..., None]


def test_a_service_says_what_most_services_should() -> None:
    unit = Unit(
        exec="/opt/air/bin/air --config /etc/air.toml",
        user="air",
        state=True,
        environment={"LANG": "C.UTF-8"},
        after=("network-online.target",),
    )
    assert unit.read().decode() == (
        "[Unit]\n"
        "Description=/opt/air/bin/air\n"
        "Wants=network-online.target\n"
        "After=network-online.target\n"
        "\n"
        "[Service]\n"
        "Type=exec\n"
        "ExecStart=/opt/air/bin/air --config /etc/air.toml\n"
        "User=air\n"
        "StateDirectory=%p\n"
        'Environment="LANG=C.UTF-8"\n'
        "Restart=on-failure\n"
        "RestartSec=5s\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    )


def test_systemd_understands_it_and_reads_each_value_as_it_was_written(
    tmp_path: Path, need: Need
) -> None:
    need("systemd-analyze")
    value = r"""a "b" \\c %n 100% $HOME 'd' """
    text = generated_unit.text(
        "@/bin/echo a%%b", user="root", environment={"A": value}, after=("basic.target",)
    )
    (tmp_path / "x.service").write_text(text)
    run("systemd-analyze", "verify", "--recursive-errors=no", tmp_path / "x.service")
    line = next(line for line in text.splitlines() if line.startswith("Environment="))
    quoted = line.removeprefix('Environment="').removesuffix('"')
    unquoted = quoted.replace('\\"', '"').replace("\\\\", "\\").replace("%%", "%")
    assert unquoted == f"A={value}"
