"""What programs and servers say to the agent is shown as text, and never kept beyond its end."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.servers import Request, Server, serving
from tests.unit.base.test_text import HARMFUL
from tests.unit.device.conftest import Units
from tests.unit.device.select.test_watch import on_trial
from tests.unit.device.trial.test_checks import web_server
from tests.unit.device.update.test_web import QUICK

from reconix.base import progress
from reconix.base.process import run
from reconix.base.progress_lines import JsonLines, Lines
from reconix.device import __main__ as agent
from reconix.device.__main__ import main
from reconix.device.select.watch import watch
from reconix.device.trial import checks
from reconix.device.update.web import LinkFailed, Meter, Web

HOSTILE = "\x1b]0;renamed\x07\x1b[2J\r" + "".join(HARMFUL) + "\ncommitted  /nix/store/evil"
BYTES = HOSTILE.encode(errors="ignore") + b"\x9b2J"


def is_only_text(said: str) -> bool:
    return said.replace("\n", "").isprintable()


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_what_a_server_said_to_a_failed_check_is_only_text(
    machine: Machine, units: Units, capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    """The server may be any program of the device; the one who looks is an operator or root."""
    with web_server(b"HTTP/1.1 500 " + BYTES) as (port, _):
        page = {"kind": "http", "port": port, "path": "/", "status": 200}
        on_trial(machine, health={"timeout_seconds": 1, "checks": [page]})
        progress.listen((JsonLines if form else Lines)(agent._say_progress))
        assert not watch(machine.device)
    machine.boot()
    assert main(["status", *form], machine.device) == 0
    shown = capsys.readouterr()
    assert "renamed" in shown.err and "renamed" in shown.out
    assert is_only_text(shown.out + shown.err)
    assert "\ncommitted  /nix/store/evil" not in shown.out + shown.err


@pytest.mark.parametrize("listener", [Lines, JsonLines])
def test_what_a_web_server_answers_instead_of_a_status_is_only_text(
    listener: Callable[[Callable[[str], None]], progress.Listener],
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress.listen(listener(agent._say_progress))

    def behave(request: Request) -> None:
        request.wfile.write(BYTES.replace(b"\n", b"") + b"\r\n\r\n")

    with serving(Server(behave)) as server:
        web = Web(server.url, meter=Meter(1000), retry=QUICK)
        with pytest.raises(LinkFailed):
            web.read(10)
    shown = capsys.readouterr().err
    assert "renamed" in shown
    assert is_only_text(shown)


def test_a_check_that_never_falls_silent_is_not_kept_in_memory(tmp_path: Path) -> None:
    code = """
import re
from pathlib import Path
from reconix.device.trial.checks import find
from reconix.device.settings.health import Check, CommandSucceeds
for status, where in (0, ""), (1, ""), (1, ">&2"):
    words = ("sh", "-c", f"head -c 600M /dev/zero {where}; echo the end {where}; exit {status}")
    found = find(Check(CommandSucceeds(words)), 60)
    assert found.holds is (status == 0), found
    assert found.holds or found.output.endswith("the end"), found
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
    source = str(Path(checks.__file__).parents[3])
    used_kib = int(run(sys.executable, "-c", code, environment={"PYTHONPATH": source}))
    assert used_kib < 64 << 10
