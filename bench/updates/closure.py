"""Two closures that the real Nix built, equal but for the bottom: every path above has a new name.

The packages are Debian's, so that contents and dependencies are real; what is done to them is what
nixpkgs does. Each becomes an object of its own, its programs and libraries are told by ``patchelf``
where the objects of its dependencies lie, and it names them in ``nix-support``. On top stands a
farm of links, as the ``sw`` of NixOS. The second closure differs in one line of one file of the C
library's object, which is what remains of many a rebuild.

Source: nixpkgs manual, *stdenv*, fixup phase. It is built with ``nix-build`` from local expressions
in a store below a folder.
"""

import re
from pathlib import Path

from bench.updates.peers.stores import nix_environment, split

from reconix.base.files import remove_tree
from reconix.base.process import run
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

WANTED = ("mosquitto", "nginx-light", "openssh-server", "python3-minimal", "systemd", "iproute2")
BOTTOM = "libc6"
_TOPS = "tops"

_CONFIGURATION = """
extra-experimental-features = nix-command
build-users-group =
substituters =
sandbox = true
sandbox-paths = /usr /bin=/usr/bin /lib=/usr/lib /lib64=/usr/lib64
"""

_BUILD = """
set -eu
export PATH=/usr/bin
cp -R "$src" "$out"
chmod -R u+w "$out"
mkdir -p "$out/nix-support"
echo "$dependencies" > "$out/nix-support/propagated-build-inputs"
if [ -n "$flags" ]; then
    echo "$flags" > "$out/nix-support/flags"
    exit
fi
places=$out/usr/lib/x86_64-linux-gnu
for each in $dependencies; do
    places=$places:$each/usr/lib/x86_64-linux-gnu
done
find "$out" -type f | while read -r file; do
    patchelf --set-rpath "$places" "$file" 2> /dev/null || continue
    if patchelf --print-interpreter "$file" > /dev/null 2>&1; then
        patchelf --set-interpreter "$bottom/usr/lib64/ld-linux-x86-64.so.2" "$file"
    fi
done
"""

_FARM = """
set -eu
export PATH=/usr/bin
mkdir -p "$out/sw/bin"
for each in $dependencies; do
    for file in "$each"/usr/bin/* "$each"/usr/sbin/*; do
        if [ -e "$file" ] || [ -L "$file" ]; then
            ln -sf "$file" "$out/sw/bin/${file##*/}"
        fi
    done
done
echo "$dependencies" > "$out/packages"
"""

_EXPRESSION = """
flags:
let
  base = {{ system = builtins.currentSystem; builder = "/bin/sh"; }};
  object = name: dependencies: more: derivation (base // {{
    inherit name dependencies;
    src = builtins.path {{ path = ./parts + "/${{name}}"; inherit name; }};
    args = [ ./build.sh ];
    flags = "";
    bottom = all."{bottom}";
  }} // more);
  all = {{
{packages}
  }};
in derivation (base // {{
  name = "system";
  dependencies = builtins.attrValues all;
  args = [ ./farm.sh ];
}})
"""


def build(root: Path, store: Path) -> None:
    """Build both closures from the packages of a Debian root.

    Args:
        root: has dpkg's lists.
        store: a folder that does not exist yet; becomes a chroot store.
    """
    work = store.with_name("expressions")
    remove_tree(work)
    split(root, work / "parts")
    dependencies = chosen(parse_dependencies((root / "var/lib/dpkg/status").read_text()))
    for name in dependencies:
        (work / "parts" / name).mkdir(exist_ok=True)
    (work / "default.nix").write_text(expression(dependencies))
    (work / "build.sh").write_text(_BUILD)
    (work / "farm.sh").write_text(_FARM)
    environment = {**nix_environment(work), "NIX_CONFIG": _CONFIGURATION}
    (store / "nix").mkdir(parents=True)
    tops = [
        run(
            *("nix-build", "--store", store, "--no-out-link"),
            *("-E", f'import {work}/default.nix "{flags}"'),
            environment=environment,
        )
        for flags in ("-O2 -g", "-O2 -g -fstack-clash-protection")
    ]
    remember(store, *(StorePath.parse(top.decode().strip()) for top in tops))
    remove_tree(work)


def remember(store: Path, old: StorePath, new: StorePath) -> None:
    """Write down which the two closures of a pair are."""
    (store / _TOPS).write_text(f"{old}\n{new}\n")


def tops(store: Path) -> tuple[StorePath, StorePath]:
    """The two closures in a store, as they were written down."""
    old, new = (store / _TOPS).read_text().split()
    return StorePath.parse(old), StorePath.parse(new)


def copy(store: Path, top: StorePath, place: Path) -> None:
    """The objects of a closure as a plain tree."""
    with ChrootStore(store) as opened:
        for path in opened.closure(top):
            target = place / str(path).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            run("cp", "-a", opened.path(path), target)
    run("chmod", "-R", "u+w", place)


def parse_dependencies(status: str) -> dict[str, list[str]]:
    """What each installed package needs, first alternatives only, from dpkg's ``status``."""
    found = {}
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Depends|Pre-Depends): (.*)$", paragraph, re.M))
        needs = f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}".split(",")
        names = [re.split(r"[ (:|]", need.strip(), maxsplit=1)[0] for need in needs]
        if "Package" in fields:
            found[fields["Package"]] = sorted({name for name in names if name})
    return found


def chosen(needs: dict[str, list[str]]) -> dict[str, list[str]]:
    """The wanted packages and all they need, each after its dependencies; cycles are cut open."""
    order: dict[str, list[str]] = {}
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name in begun or name not in needs:
            return
        begun.add(name)
        below = needs[name] if name != BOTTOM else []
        for one in below:
            visit(one)
        order[name] = [one for one in below if one in order]

    for name in (BOTTOM, *WANTED):
        visit(name)
    return order


def expression(dependencies: dict[str, list[str]]) -> str:
    """The Nix expression for packages and their dependencies."""
    lines = []
    for name, below in dependencies.items():
        needed = " ".join(f'all."{one}"' for one in dict.fromkeys([*below, BOTTOM]))
        bottom = name == BOTTOM
        more = '{ flags = flags; bottom = ""; }' if bottom else "{ }"
        lines.append(f'    "{name}" = object "{name}" [ {"" if bottom else needed} ] {more};')
    return _EXPRESSION.format(bottom=BOTTOM, packages="\n".join(lines))
