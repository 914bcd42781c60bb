"""Two generations of `examples/gateway`, as reconix itself builds them.

Between them is what the demo changes: a page of the web server, a package more, a setting of the
kernel. Everything is in them that a device gets: three systems, agent, kernel and initrd.
"""

import shutil
from pathlib import Path

from bench.minify import KEY, MINIFY
from bench.switch import EXAMPLE, RECONIX
from bench.updates import closure
from bench.updates.ours import HOST

from reconix.base.documents import Fields
from reconix.base.process import run
from reconix.store.paths import StorePath

_HOST = f"hosts/{HOST}"
_CHANGES = (
    ("systems/web/index.html", "<h1>gateway</h1>", "<h1>second edition</h1>"),
    ("systems/web.toml", '["nginx"]', '["nginx", "less"]'),
    ("machine.toml", "[persist]", '[sysctl]\n"vm.swappiness" = 10\n\n[persist]'),
)


def build(folder: Path, store: Path, *, minified: bool) -> None:
    """Build both.

    Args:
        folder: for the project while they are built; does not exist yet.
        store: a folder that does not exist yet; becomes a chroot store.
        minified: whether their systems are.
    """
    (folder / "hosts").mkdir(parents=True)
    for name in ("keys", "reconix.toml"):
        run("cp", "-r", EXAMPLE / name, folder)
    shutil.copytree(EXAMPLE / "hosts/gateway", folder / _HOST)
    (folder / "keys/operator.pub").write_text(KEY)
    if minified:
        with (folder / _HOST / "machine.toml").open("a") as machine:
            machine.write(MINIFY)
    old = _generation(folder, store)
    for name, before, after in _CHANGES:
        _edit(folder / _HOST / name, before, after)
    closure.remember(store, old, _generation(folder, store))
    shutil.rmtree(folder)


def _generation(folder: Path, store: Path) -> StorePath:
    ours = (RECONIX, "--project", folder, "--store", store)
    run(*ours, "lock")
    said = Fields.parse(run(*ours, "build", "--json"), source="build")
    return StorePath.parse(said.text("generation"))


def _edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text, file
    file.write_text(text.replace(before, after))
