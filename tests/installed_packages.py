"""Made-up packages as dpkg leaves them in a root, and the lock that they were installed from.

shell ──► library ──► base        shell is essential, tool and server are asked for
tool ───► library                 server needs a mailer, which post provides
server ─► mailer │ nothing
"""

from collections.abc import Mapping
from pathlib import Path

from tests.config_projects import write

from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.build import cached_recipes, recipes
from reconix.build.minify import minified
from reconix.build.minify.minified import Inputs, above
from reconix.build.minify.plan import Wanted
from reconix.config.lock.document import FILE_NAME, print_lock
from reconix.config.lock.hosts import HostLock, Lock, SystemLock
from reconix.config.lock.packages import LockedPackage, SourcePackage
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, system_images
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar, print_sidecar
from reconix.store.tree import File, Symlink, folder

KERNEL = "linux-image-cloud-amd64"
ASKED = ("tool",)
SYSTEMS = {
    "default": "",
    "mail": """\
packages = ["server"]
files."mail/conf".text = "x"
files."mail/own".text = "x"
persist.paths = ["/var/lib/other", "/var/lib/server"]
files."/srv/mail/x".text = "x"
[trees."/opt/air"]
source = "../../../air"
[trees."/usr/local/air"]
source = "../../../air"
""",
}
FIELDS = {
    "base": "",
    "library": "Source: sources (1:2-3)\nDepends: base\n",
    "shell": "Essential: yes\nPre-Depends: library (>= 2)\n",
    "tool": "Source: tools\nDepends: library (>= 2~), base\n",
    "server": "Depends: absent | mailer, tool\n",
    "post": "Provides: mailer, old-name (= 3)\n",
}
FILES = {
    "base": ("usr", "usr/bin", "usr/share", "usr/share/base"),
    "library": ("usr", "usr/lib", "usr/lib/library.so"),
    "shell": ("bin/shell", "usr", "usr/bin"),
    "tool": ("usr", "usr/bin", "usr/bin/tool", "usr/lib/tool/tool.py"),
    "server": ("usr/sbin/server", "usr/bin/post", "etc/mail", "etc/mail/conf"),
    "post": ("usr/bin/post",),
}
KERNEL_FILE = File(b"k" * 3000)
MODULE = File(b"m" * 200)
SCRIPT = "#!/bin/sh\ntouch /etc/made-by-server /etc/made-by-server-not\n"
COPYRIGHT = """\
Format: https://example.org/copyright-format/1.0/

Files: *
License: Expat

Files: x
License: own words
"""
OF_SYSTEM = {"default": ("base", "library", "shell", "tool"), "mail": tuple(FIELDS)}


def status(*names: str) -> bytes:
    """dpkg's status with some of the packages."""
    head = "Package: {0}\nStatus: install ok installed\nInstalled-Size: 1\nArchitecture: amd64\n"
    return "\n".join(f"{head.format(each)}Version: 2-1\n{FIELDS[each]}" for each in names).encode()


def locked(name: str, version: str = "2-1") -> LockedPackage:
    """One of the packages as a lock has it."""
    path, date = f"pool/main/{name}.deb", "20260101T000000Z"
    return LockedPackage(
        name,
        version,
        "amd64",
        100,
        Digest.of(name.encode()),
        "debian",
        path,
        date,
        SourcePackage(name, version),
    )


def lock_of() -> HostLock:
    """The lock of the host that has the two systems."""
    kernel = (locked("linux-image-6.12-amd64", "6.12-1"),)
    asked = {"default": ASKED, "mail": ("server", *ASKED)}
    systems = {
        name: SystemLock(tuple(sorted(asked[name])), tuple(map(locked, names)), KERNEL, kernel)
        for name, names in OF_SYSTEM.items()
    }
    loader, initrd = (locked("systemd-boot-efi"),), (locked("busybox-static"),)
    return HostLock(
        "amd64", ("trixie", "trixie-updates", "trixie-security"), ("main",), loader, initrd, systems
    )


def make_project(folder: Path) -> Path:
    """The project that asks for these packages, with its lock."""
    (folder / "air").mkdir(parents=True)
    write(folder, **SYSTEMS)
    machine = f'packages = {[*ASKED]}\nkernel.package = "{KERNEL}"\n'
    (folder / "hosts/gw/machine.toml").write_text(machine)
    (folder / FILE_NAME).write_bytes(print_lock(Lock({"gw": lock_of()})))
    return folder


def install(store: ChrootStore) -> None:
    """Have the packages of each system installed in a store, as a build does."""
    lock = lock_of()
    for name, system in lock.systems.items():

        def make(into: Path, name: str = name) -> None:
            make_root(into, name)

        recipes.realise(store, cached_recipes.root_recipe(system, lock), make)


def add_generation(
    store: ChrootStore,
    containers: Mapping[str, StorePath] | None = None,
    minify: Mapping[str, Wanted] | None = None,
    *,
    modules_apart: bool = False,
) -> StorePath:
    """A generation of both systems, as a build leaves it; ``install`` comes first.

    Args:
        store: where it goes.
        containers: the objects with the containers of systems, by the names of these.
        minify: what those systems want that are minified.
        modules_apart: whether the modules of the kernel are an object of their own.
    """
    lock = lock_of()
    both = {"vmlinuz": KERNEL_FILE, "modules/x.ko": MODULE}
    linux = kernel = store.add_files(folder(both), "linux-6.12")
    if modules_apart:
        kernel = store.add_files(folder({"vmlinuz": KERNEL_FILE}), "linux-6.12")
        linux = store.add_files(folder({"modules/x.ko": MODULE}), "linux-modules-6.12")
    agent = store.add_files(folder({"agent.pyz": File(b"a" * 300)}), "reconix-device")
    initrd = store.add_files(folder({"initrd": File(b"i" * 500)}), "initrd")
    shared = {"modules": Symlink(f"{linux}/modules"), "agent": Symlink(str(agent))}
    toplevels = {}
    for name, system in lock.systems.items():
        root = recipes.known(store, cached_recipes.root_recipe(system, lock))
        assert root is not None
        etc = store.add_files(folder({"conf": File(name.encode() * 50)}), f"etc-{name}")
        said = Sidecar(root, (), (b"metadata",))
        if minify and name in minify:
            inputs = Inputs(root, above(etc, agent, (), ()), minify[name])
            said = minified.minify(store, inputs, said, "amd64")
            root = said.subject
        described = store.add_files(File(print_sidecar(said)), f"{root.name}.sidecar", [root])
        links = {"root": Symlink(str(root)), "etc": Symlink(str(etc)), **shared}
        links["sidecars/root"] = Symlink(str(described))
        needed = [root, etc, *dict.fromkeys((kernel, linux)), agent, initrd, described]
        if containers and name in containers:
            links["containers"] = Symlink(str(containers[name]))
            needed.append(containers[name])
        named = f"{initrd}/initrd" + (f" {kernel}/vmlinuz" if modules_apart else "")
        tree = folder({**links, "boot.json": File(named.encode())})
        toplevels[name] = store.add_files(tree, f"system-{name}", needed)
    boot = store.add_files(folder({"kernel": KERNEL_FILE, "loader": File(b"l" * 400)}), "boot-gw")
    trees = DeviceTrees(store)
    text = print_json(
        {
            "version": 2,
            "host": "gw",
            "architecture": "amd64",
            "default": "default",
            "systems": {
                name: {"toplevel": str(path), "images": _digests(trees, path)}
                for name, path in toplevels.items()
            },
            "boot": str(boot),
            "slot": {"image_sha256": "0" * 64, "image_size_bytes": 512, "slot_size_bytes": 512},
        }
    )
    links = {f"systems/{name}": Symlink(str(path)) for name, path in toplevels.items()}
    tree = folder({"generation.json": File(text), **links})
    return store.add_files(tree, "generation-gw", [boot, *toplevels.values()])


def _digests(trees: DeviceTrees, toplevel: StorePath) -> list[str]:
    return [image.entry.sha256.hex() for image in system_images(trees, toplevel)]


def make_root(into: Path, system: str) -> None:
    """The root of a system, as a build leaves it."""
    names = OF_SYSTEM[system]
    info = into / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (into / "usr/bin").mkdir(parents=True)
    (into / "bin").symlink_to("usr/bin")
    (into / "var/lib/dpkg/status").write_bytes(status(*names))
    for name in names:
        (info / f"{name}.list").write_text("".join(f"/{p}\n" for p in (".", *FILES[name])))
        for path in FILES[name]:
            _make(into / path, f"{name} {path}" * 9)
    if system == "mail":
        (into / "var/lib/dpkg/diversions").write_text(
            "/usr/bin/post\n/usr/bin/post.of-server\npost\n"
        )
        _make(into / "usr/bin/post.of-server", "moved")
        (info / "server.postinst").write_text(SCRIPT)
        _make(into / "etc/made-by-server", "made")
        _make(into / "etc/made-by-nobody", "made")
    _make(into / "usr/lib/tool/__pycache__/tool.cpython-313.pyc", "compiled")
    (into / "etc/alternatives").mkdir(parents=True)
    (into / "etc/alternatives/editor").symlink_to("/usr/bin/tool")
    (into / "usr/bin/editor").symlink_to("/etc/alternatives/editor")
    copyright_file = into / "usr/share/doc/tool/copyright"
    copyright_file.parent.mkdir(parents=True)
    copyright_file.write_text(COPYRIGHT)
    (into / "usr/lib/os-release").write_text('ID=debian\nVERSION_ID="13"\n')
    (into / "etc/os-release").symlink_to("../usr/lib/os-release")
    (into / "metadata").write_text("what is not on a device" * 99)
    (into / "usr/bin/shell-too").write_bytes((into / "usr/bin/shell").read_bytes())
    (into / "usr/bin/shell-too").chmod(0o755)
    (into / "usr/bin/circle").symlink_to("circle")


def _make(file: Path, text: str) -> None:
    """A file if its name looks like one; what has something below it is a folder."""
    if file.name in ("usr", "bin", "share", "lib", "mail") or file.name == "base":
        file.mkdir(parents=True, exist_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
