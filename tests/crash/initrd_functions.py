"""Running functions of the scripts that start a device, cut before each of their steps.

The functions are those of the initrd. The programs that they use are replaced by shims that count,
and at one step end the shell and everything in it. Folders stand for partitions, and a mount
does nothing.
"""

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base.process import succeeds
from reconix.build.boot import initrd

SHIM = """\
#!/bin/sh
echo >> {count}
[ "$(wc -l < {count})" -le {allowed} ] || {{ kill -9 $PPID; exit 1; }}
{work}
"""
ENDS = "kill -9 $PPID"
"""What a restart is to a script."""
SCRIPTS = initrd.SCRIPTS


@dataclass(frozen=True)
class Functions:
    """Some functions of the scripts.

    Attributes:
        names: the last of them is run.
        arguments: of that.
        steps: programs that change something.
        folder: stands for ``/run/reconix``, and holds the shims.
        setting: variables of the script.
    """

    names: Sequence[str]
    steps: Sequence[str]
    folder: Path
    setting: Mapping[str, str]
    arguments: Sequence[str] = ()

    def run(self, *, allowed: int) -> bool:
        """Run the last function, cut after so many steps; whether it came to its end."""
        self._make_shims(allowed)
        head = [f"{name}={value}" for name, value in self.setting.items()]
        lines = [*head, f"PATH={self.folder}/shims:$PATH", "say() { :; }", *self._texts()]
        text = "\n".join([*lines, shlex.join([self.names[-1], *self.arguments])])
        return succeeds("sh", "-c", text.replace("/run/reconix", str(self.folder)))

    def _texts(self) -> list[str]:
        script = "".join(path.read_text() for path in SCRIPTS)
        return [function_of(script, name) for name in self.names]

    def _make_shims(self, allowed: int) -> None:
        shims, count = self.folder / "shims", self.folder / "count"
        shutil.rmtree(shims, ignore_errors=True)
        shims.mkdir(parents=True)
        count.write_text("")
        for name in self.steps:
            program = f'exec {shutil.which(name)} "$@"'
            work = {"mount": "true", "reboot": ENDS}.get(name, program)
            shim = shims / name
            shim.write_text(SHIM.format(count=count, allowed=allowed, work=work))
            shim.chmod(0o755)


def function_of(script: str, name: str) -> str:
    form = rf"^{name}\(\) {{( [^\n]* }}$|$.*?^}}$)"
    found = re.search(form, script, re.MULTILINE | re.DOTALL)
    assert found, f"the scripts have no function {name}"
    return found[0]
