"""A machine with containers, as far as scripts can tell: real images, real mounts, the real crun.

In namespaces of our own, with programs of trixie at ``/usr``: a system partition with the image of
a system, whose containers are written down by hand, and a folder as data. The root of the namespace
is changed for good (``pivot_root``): in one that is only changed for some programs (``chroot``)
nobody may make a user namespace.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.system_partitions import TOPLEVEL, SystemPartition, file, folder, link
from tests.trixie_programs import trixie

from reconix.base.process import run
from reconix.build.templates import DATA
from reconix.store.images.nodes import LINK, ImageLink, Metadata, Node

BASE = 0x10000000
IMAGE, LAYER, CONTAINERS = (
    f"{number}" * 32 + f"-{name}"
    for number, name in enumerate(("container-root", "container-layer-box", "containers-web"), 1)
)
BUSYBOX = Path("/bin/busybox")
_ENTER = """
mount -t tmpfs root {root} && cd {root} || exit 1
mkdir -p usr dev proc sys etc tmp old run new nix
ln -s usr/bin usr/sbin usr/lib usr/lib64 .
mount --bind {usr} usr || exit 1
for name in dev proc sys; do mount --rbind /$name $name || exit 1; done
umount --recursive --lazy sys/fs/cgroup && mount -t cgroup2 cgroup sys/fs/cgroup || exit 1
mount -t tmpfs run run && mkdir -p run/reconix/system run/reconix/data scripts || exit 1
mount --bind {place}/system run/reconix/system || exit 1
mount --bind {place}/data run/reconix/data || exit 1
cp {place}/scripts/* scripts/ && cp /bin/busybox scripts/
pivot_root . old && exec sh -c 'umount -l /old; rmdir /old; exec sh /scripts/script'
"""
_BEGIN = """
say() {{ echo "$*"; }}
fail() {{ say "$*"; exit 1; }}
(. /scripts/root.sh
 TOPLEVEL={toplevel} NEW=/new SYSTEM=/run/reconix/system IMAGES={images}
 make_store && umount /new/run/[0-9]*) && ln -s /new/nix/store /nix/store || exit 1
ln -s {toplevel} /nix/system; echo {images} > /run/reconix/images
container() {{ /bin/sh /scripts/container "$@"; }}
crun() {{ /usr/bin/crun --root=/run/reconix/crun --cgroup-manager=disabled "$@"; }}
box() {{ unshare --mount --propagation slave /bin/sh /scripts/container start box; }}
ended() {{
    for turn in $(seq 60); do [ -e /proc/$1 ] || return 0; sleep 0.05; done
    echo "$1 has not ended"
}}
end() {{
    pid=$(cat /run/reconix/containers/box/pid) && kill -"$1" "$pid" && ended "$pid"
}}
trap 'crun delete --force box > /dev/null 2>&1' EXIT
mkdir -p -m 0711 /run/reconix/containers/box
container images || exit 1
"""
"""A system runs; `box` starts its container as its unit does, in a mount namespace of its own."""
_BOOT = """
trap - EXIT
mkdir -p /etc/systemd/system /etc/systemd/system-generators /var/log /nix/system-agent
printf '[Manager]\\nDefaultTimeoutStopSec=1s\\n' > /etc/systemd/system.conf  # whatever is left
containers=$(readlink /nix/system/containers)
rm /nix/system; mkdir /nix/system; ln -s $containers /nix/system/containers
mkdir /nix/system/agent; cp /scripts/* /nix/system/agent/
cp /scripts/containers-generator /etc/systemd/system-generators/; chmod +x /etc/systemd/*/*
mount -t tmpfs units /usr/lib/systemd/system && cd /usr/lib/systemd/system || exit 1
for name in sysinit basic network shutdown multi-user timers paths sockets; do
    printf '[Unit]\\nDefaultDependencies=no\\n' > $name.target
done
mount -t tmpfs none /usr/lib/systemd/system-generators
for unit in $containers/units/container-*.service; do
    mkdir /etc/systemd/system/${{unit##*/}}.d
    printf '[Service]\\nStandardOutput=append:/journal\\nStandardError=inherit\\n' \
        > /etc/systemd/system/${{unit##*/}}.d/journal.conf
done
cat > /etc/systemd/system/default.target <<'END'
[Unit]
Wants=multi-user.target test.service
END
cat > /etc/systemd/system/test.service <<'END'
[Unit]
DefaultDependencies=no
After=multi-user.target
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/sh /test
StandardOutput=truncate:/said
StandardError=inherit
END
cat > /test <<'END'
waits() {{
    for turn in $(seq 100); do eval "$1" > /dev/null 2>&1 && return; sleep 0.1; done
    echo "not: $1"
}}
shows() {{ systemctl show --value -p "$2" "$1"; }}
crun() {{ /usr/bin/crun --root=/run/reconix/crun --cgroup-manager=disabled "$@"; }}
{script}
true
END
echo 'd41d8cd98f00b204e9800998ecf8427e' > /etc/machine-id
cd /; own=/sys/fs/cgroup/reconix-test-$$; mkdir $own && echo $$ > $own/cgroup.procs || exit 1
container=tests unshare --pid --cgroup --fork --kill-child --mount-proc sh -c '
mkdir /whole; mount -t proc whole /whole  # or nobody may mount one in a user namespace
mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys
mount --bind /proc/sys/net /proc/sys/net; mount -o remount,bind,rw /proc/sys/net
umount /sys/fs/cgroup; mount -t cgroup2 cgroup /sys/fs/cgroup
mount --make-rshared /
exec /usr/lib/systemd/systemd --log-target=console --log-level=warning --show-status=no
' > /log 2>&1 < /dev/null
status=$?
echo $$ > ${{own%/*}}/cgroup.procs; /scripts/busybox find $own -depth -type d -exec rmdir {{}} ';'
cat /said 2> /dev/null
[ $status = 0 ] || {{ cat /log; exit 1; }}
"""
"""Process 1 is systemd in a namespace; it knows no units but those of containers."""
SETTINGS: Mapping[str, str] = {
    "LAYERS": f"{LAYER}/root {IMAGE}/root",
    "BASE": str(BASE),
    "IDS": "65536",
    "OWNER": f"{BASE + 1000}:{BASE + 50}",
    "VOLUMES": "",
    "SECRETS": "",
    "DEVICES": "",
    "NETWORK": "host",
    "NETNS": "",
    "JOINS": "",
    "INTERFACE": "",
    "ADDRESS": "",
    "PEER": "",
    "READ_ONLY": "",
    "CHANGES_BYTES": "1048576",
    "STOP_SIGNAL": "15",
    "STOP_SECONDS": "5",
    "HEALTH_TIMEOUT": "5",
    "HEALTH_START": "0",
    "HEALTH_RETRIES": "2",
}


@dataclass
class ContainerHost:
    """A system with one container, ``box``.

    Attributes:
        partition: of the system.
        command: what runs in the container.
        user: and who it is there.
        settings: besides ``SETTINGS``.
        mounts: of places on the device in the container: source, destination and options.
        health: the command of its health check.
        read_only: whether its root is.
        own: a program in it that is root's whoever starts it.
        rules: for the networks of all containers.
        more_files: so many in the image, of user 1000.
        units: of its containers, by name.
    """

    partition: SystemPartition
    command: Sequence[str] = ("sleep", "600")
    user: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[tuple[str, str, str]] = ()
    health: Sequence[str] = ("true",)
    read_only: bool = False
    own: Path = BUSYBOX
    rules: str = ""
    more_files: int = 0
    units: Mapping[str, str] = field(default_factory=dict)

    def do(self, text: str) -> str:
        """Run a script there; what it prints.

        Raises:
            CommandFailed: it exits with another status than 0.
        """
        return run(*self._words(text)).decode()

    def boot(self, text: str) -> str:
        """Let the real systemd start the units of the system, and then a script; what it prints."""
        return self.do(_BOOT.format(script=text))

    def complaint(self, text: str) -> str:
        """Run a script that must fail; all that it prints."""
        words = self._words(text)
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout.decode()

    def _words(self, text: str) -> tuple[str, ...]:
        Need()("unshare", "busybox", "apt-get", "pivot_root")
        if os.geteuid() != 0:
            pytest.skip("only root can mount images")
        place, scripts = self.partition.place, self.partition.place / "scripts"
        for name in ("root.sh", "container", "containers-generator"):
            (scripts / name).write_bytes((DATA / name).read_bytes())
        begin = _BEGIN.format(toplevel=TOPLEVEL, images=self._images())
        (scripts / "script").write_text(begin + text)
        root = self.partition.place / "root"
        enter = _ENTER.format(root=root, place=place, usr=trixie())
        return ("unshare", "--mount", "--net", "sh", "-c", enter)

    def _images(self) -> str:
        image = {
            IMAGE: folder(
                {"root": image_root(self.partition, self.own, self.more_files)}, Metadata(0o700)
            )
        }
        others = {
            LAYER: folder({"root": layer_root()}, Metadata(0o700)),
            CONTAINERS: self._containers(),
            TOPLEVEL.rpartition("/")[2]: folder(
                {"containers": link(f"/nix/store/{CONTAINERS}")},
            ),
        }
        return ",".join(sorted(self.partition.image(each) for each in (image, others)))

    def _containers(self) -> Node:
        settings = "".join(f"{k}='{v}'\n" for k, v in {**SETTINGS, **self.settings}.items())
        files = {
            "settings": settings,
            "config.json": json.dumps(self._configuration()),
            "health.json": json.dumps(_process(self.health, self.user)),
            "hosts": "127.0.0.1 localhost\n",
        }
        usual = {"container-box.service": "[Unit]\n", "containers.target": "[Unit]\n"}
        units = {name: self._file(text) for name, text in (self.units or usual).items()}
        own = folder({name: self._file(text) for name, text in files.items()})
        return folder(
            {"box": own, "units": folder(units), "nftables": self._file(self.rules)},
        )

    def _file(self, text: str) -> Node:
        self.partition.content(text.encode())
        return file(text.encode())

    def _configuration(self) -> Mapping[str, object]:
        first = int(self.settings.get("BASE", BASE))
        ids = [{"containerID": 0, "hostID": first, "size": 65536}]
        kinds = ("cgroup", "ipc", "mount", "pid", "user", "uts")
        spaces = [{"type": kind} for kind in kinds]
        if name := self.settings.get("NETNS"):
            spaces.append({"type": "network", "path": f"/run/netns/{name}"})
        place = "/run/reconix/containers/box"
        given = [("resolv.conf", "/etc/resolv.conf", "ro"), ("hosts", "/etc/hosts", "ro")]
        return {
            "ociVersion": "1.0.2",
            "process": _process(self.command, self.user),
            "root": {"path": f"{place}/root", "readonly": self.read_only},
            "hostname": "box",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
                {"destination": "/run", "type": "tmpfs", "source": "tmpfs"},
                *(
                    {
                        "destination": to,
                        "type": "bind",
                        "source": f"{place}/{source}",
                        "options": ["rbind", "rprivate", options],
                    }
                    for source, to, options in (*given, *self.mounts)
                ),
            ],
            "linux": {"namespaces": spaces, "uidMappings": ids, "gidMappings": ids},
        }


def _process(command: Sequence[str], user: int) -> Mapping[str, object]:
    kinds = ("bounding", "effective", "permitted")
    capabilities = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID")
    return {
        "args": [*command],
        "cwd": "/",
        "env": ["PATH=/bin"],
        "user": {"uid": user, "gid": 50 if user else 0},
        "capabilities": {kind: [] if user else capabilities for kind in kinds},
        "noNewPrivileges": False,
    }


APPLETS = (
    *("cat", "chown", "echo", "false", "httpd", "id", "ls", "mknod", "nc", "sh", "sleep", "stat"),
    *("touch", "true", "wget", "kill", "head", "dd", "ip", "rm", "seq", "wc"),
)


def image_root(partition: SystemPartition, own: Path, more_files: int) -> Node:
    """The root of an image: owners of all kinds, and busybox as its program."""
    busybox = BUSYBOX.read_bytes()
    partition.content(busybox)
    partition.content(own.read_bytes())
    set_id = file(own.read_bytes(), Metadata(0o4755, 0, 0, 9))
    links: dict[str, Node] = {name: ImageLink(LINK, b"busybox") for name in APPLETS}
    public = Metadata(0o755)
    return folder(
        {
            "bin": folder({"busybox": file(busybox, public), "own": set_id, **links}, public),
            "srv": folder(
                {
                    "data": folder(
                        {"as-delivered": file(b"by the image", Metadata(0o640, 1000, 50))},
                        Metadata(0o750, 1000, 50),
                    ),
                    "away": link("/tmp"),
                    "modules": folder(
                        {
                            f"{number}.js": file(b"%d" % number, Metadata(0o644, 1000, 1000))
                            for number in range(more_files)
                        }
                    ),
                },
                public,
            ),
            "etc": folder({"of-image": file(b"image"), "both": file(b"image")}, public),
            "tmp": folder({}, Metadata(0o1777)),
            **{name: folder({}, public) for name in ("proc", "dev", "run")},
        },
        Metadata(0o755),
    )


def layer_root() -> Node:
    """What a system lays over it."""
    return folder(
        {
            "etc": folder(
                {"both": file(b"layer"), "resolv.conf": file(b""), "hosts": file(b"")},
                Metadata(0o755),
            )
        },
        Metadata(0o755),
    )
