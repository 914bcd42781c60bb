"""The store paths that ``reconix diff`` tells are those that a build makes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.projects import reconix

from reconix.base.process import run

Need = Callable[..., None]
MACHINE = """\
[agent]
enable = true
[kernel]
package = "linux-image-cloud-amd64"
initrd_modules = ["virtio_blk"]
"""


def commit(project: Path) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.test")
    run("git", "add", ".", folder=project)
    run("git", *who, "commit", "--quiet", "--message", "a state", folder=project)


@pytest.mark.archive
def test_a_change_is_proven_to_reach_one_system_and_not_the_other(
    tmp_path: Path, need: Need
) -> None:
    need("git", "mmdebstrap", "depmod")
    project = tmp_path / "project"
    (project / "hosts/box/systems").mkdir(parents=True)
    (project / "reconix.toml").write_text('name = "diff-test"\n')
    (project / "hosts/box/machine.toml").write_text(MACHINE)
    (project / "hosts/box/systems/default.toml").touch()
    web = project / "hosts/box/systems/web.toml"
    web.touch()
    (project / ".gitignore").write_text(".reconix/\n")
    run("git", "init", "--quiet", folder=project)
    reconix(project, "lock")
    commit(project)
    web.write_text('budget = "1G"\nfiles.greeting.text = "hello"\n')
    said = reconix(project, "diff")
    assert not said.object("default").flag("identical"), "nothing was built yet"
    told = reconix(project, "diff", "--build")
    built = reconix(project, "build").object("systems")
    for name in ("default", "web"):
        assert told.object(name).text("new") == built.text(name)
    assert told.object("default").flag("identical")
    assert not told.object("web").flag("identical")
    assert told.object("web").texts("on_device") == ["etc → greeting is new"]
    assert reconix(project, "diff") == told, "what is built is known without --build"
    web.write_text('budget = "1G"\n')
    harmless = reconix(project, "diff").object("web")
    assert harmless.flag("identical"), "a budget is no part of the device"
