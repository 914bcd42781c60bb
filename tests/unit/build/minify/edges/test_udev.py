"""What rules of udev reach."""

from pathlib import Path

from tests.device_trees import make

from reconix.build.minify.edges.scripts import ScriptEdges
from reconix.build.minify.edges.udev import UdevEdges
from reconix.build.minify.edges.units import UnitEdges

RULES = r"""
# RUN+="/usr/bin/commented"
KERNEL=="sd*", PROGRAM="ata_id --x $devnode", IMPORT{program}="cdrom_id", \
  RUN+="/usr/bin/tool --on /etc/tool.conf"
SUBSYSTEM=="tty", ENV{SYSTEMD_WANTS}+="a.service b@$name.service", RUN{builtin}+="kmod load x"
ENV{SYSTEMD_USER_WANTS}="c.service", IMPORT{builtin}="path_id", RUN:="%k"
"""


def test_rules_reach_programs_and_units(tmp_path: Path) -> None:
    units = {
        "usr/lib/systemd/system/a.service": "",
        "usr/lib/systemd/system/b@.service": "",
        "usr/lib/systemd/user/c.service": "",
    }
    files = make(tmp_path, units)
    scripts = ScriptEdges(files)
    edges = UdevEdges(scripts, UnitEdges(files, scripts))
    found = [edge.target for edge in edges.of("usr/lib/udev/rules.d/60-x.rules", RULES.encode())]
    assert found == [
        *("usr/lib/udev/ata_id", "usr/lib/udev/cdrom_id", "usr/bin/tool", "usr/bin/tool"),
        *("etc/tool.conf", *list(units)[:2], "usr/lib/udev/%k", list(units)[2]),
    ]
    assert not list(edges.of("etc/other.rules", RULES.encode()))
