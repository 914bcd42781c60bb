"""Create a new project that locks, builds and boots as it is.

The project describes one host, `gateway`, with three systems: `default` for maintenance, `mqtt`
with a message broker, `web` with a web server. With --template minimal it is one host with one
system that you can log in to; with --template nixos there is a second system, which Nix builds once
you uncomment a line. --template python-app is a program of one's own with the libraries that it
needs, --template vendor-deb one that comes as a Debian package; both are built before the first
lock, and the last lines of this command say how.

All systems are minified: on the device is only what something there reaches, and `reconix why` says
of each file how, or why it went. Take the last lines of `machine.toml` away, and systems have all
that their packages bring.

Two keys are created: `keys/operator` lets you log in, `keys/update` signs updates for the devices
of this project. Both are secret and stay out of version control; `keys/operator.pub` and
`keys/update.pub` go to the device. Edit the files, which explain themselves, then:

    reconix lock && reconix image && reconix run

Exit status: 0 the project was created, 2 the folder is not empty.
"""

import argparse
import shlex
import shutil
from pathlib import Path

from reconix.base import process
from reconix.base.errors import UsageError
from reconix.cli import needs
from reconix.cli.answers import say
from reconix.config.load import load_project
from reconix.project.secrets import keep_out_of_git
from reconix.signing.project_keys import root_in

_TEMPLATES = Path(__file__).with_name("templates")
_BUILT_FIRST = {
    "python-app": "pip wheel --no-deps --wheel-dir dist ./app",
    "vendor-deb": "mkdir dist && dpkg-deb --root-owner-group --build package dist",
}
"""What makes the software of a template."""
_MINIFY = """
# On the device is only what something there reaches: `reconix why SYSTEM PATH` says of each file
# how, or why it went, and which line would have it back. Without these lines all is there.
[minify]
enable = true
"""
"""The last lines of each machine; projects that are older have what they had."""
TEMPLATES = tuple(sorted(folder.name for folder in _TEMPLATES.iterdir() if folder.is_dir()))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), help="where to create it (default: here)"
    )
    parser.add_argument(
        "--template", choices=TEMPLATES, default="gateway", help="what to start from"
    )


def run(arguments: argparse.Namespace) -> int:
    """Create the project."""
    needs.expect(*needs.NEEDED_BY["init"])
    folder: Path = arguments.folder
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder.absolute()} is not empty", hint="name a new folder: reconix init FOLDER"
        )
    shutil.copytree(_TEMPLATES / arguments.template, folder, dirs_exist_ok=True, ignore=_made)
    for machine in folder.glob("hosts/*/machine.toml"):
        machine.write_text(f"{machine.read_text()}{_MINIFY}")
    key = folder / "keys/operator"
    process.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", key)
    keep_out_of_git(folder)
    root_in(folder.absolute(), load_project(folder.absolute()))
    say(f"{folder / 'keys/update'} signs updates: keep it safe, and never give it to a device")
    lines = _next_lines(folder, arguments.template)
    say(f"created a project in {folder.absolute()}; next:\n{lines}")
    return 0


def _next_lines(folder: Path, template: str) -> str:
    """What to type."""
    if folder.absolute() == Path.cwd():
        lines = ["reconix lock", "reconix image", "reconix run"]
    else:
        lines = [f"cd {shlex.quote(str(folder))}", "reconix lock && reconix image", "reconix run"]
    if template in _BUILT_FIRST:
        lines.insert(-2, _BUILT_FIRST[template])
    return "\n".join(f"  {line}" for line in lines)


def _made(folder: str, names: list[str]) -> set[str]:
    """What commands have made in an example of the checkout, which belongs to nobody else."""
    if Path(folder).name == "keys":
        return {name for name in names if not name.startswith(".")}
    return {".reconix", "reconix.lock", "dist"} & set(names)
