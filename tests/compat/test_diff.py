"""What ``reconix diff`` proves from store paths is what a build makes."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.documents import Fields
from reconix.base.process import run

Need = Callable[..., None]
MACHINE = """\
[agent]
enable = true
[kernel]
package = "linux-image-cloud-amd64"
initrd_modules = ["virtio_blk"]
"""


def reconix(project: Path, *words: str) -> Fields:
    """Run the real command, as a process of its own."""
    code = "import sys; from reconix.cli.main import entry; sys.exit(entry())"
    options = ("--project", str(project), "--store", str(project / "store"))
    return Fields.parse(run(sys.executable, "-c", code, *options, *words, "--json"), source="diff")


def commit(project: Path) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.test")
    run("git", "add", ".", folder=project)
    run("git", *who, "commit", "--quiet", "--message", "a state", folder=project)


@pytest.mark.archive
def test_a_change_is_proven_to_reach_one_system_and_not_the_other(
    tmp_path: Path, need: Need
) -> None:
    need("git", "mmdebstrap", "depmod")
    (tmp_path / "hosts/box/systems").mkdir(parents=True)
    (tmp_path / "reconix.toml").write_text('name = "diff-test"\n')
    (tmp_path / "hosts/box/machine.toml").write_text(MACHINE)
    (tmp_path / "hosts/box/systems/default.toml").touch()
    web = tmp_path / "hosts/box/systems/web.toml"
    web.touch()
    (tmp_path / ".gitignore").write_text("store/\n.reconix/\n")
    run("git", "init", "--quiet", folder=tmp_path)
    reconix(tmp_path, "lock")
    commit(tmp_path)
    web.write_text('budget = "1G"\nfiles.greeting.text = "hello"\n')
    said = reconix(tmp_path, "diff")
    assert not said.object("default").flag("identical"), "nothing was built yet"
    proven = reconix(tmp_path, "diff", "--build")
    built = reconix(tmp_path, "build").object("systems")
    for name in ("default", "web"):
        assert proven.object(name).text("new") == built.text(name)
    assert proven.object("default").flag("identical")
    assert not proven.object("web").flag("identical")
    assert proven.object("web").texts("on_device") == ["etc → greeting is new"]
    assert reconix(tmp_path, "diff") == proven, "what is built is known without --build"
    web.write_text('budget = "1G"\n')
    harmless = reconix(tmp_path, "diff").object("web")
    assert harmless.flag("identical"), "a budget is no part of the device"
