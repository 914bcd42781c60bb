"""Images of containers as others make them: a broker in Docker's format, a Python app in OCI's.

Their programs are Debian's. The broker has a volume and a check of its own; the app runs as user
1000 and tells what it finds: its secret, its device, and what it has kept. Three servers are made
as their vendors make them: nginx, which says to links to /dev/stdout what it has to say; redis, as
a user of its own, with a volume; and a static program that has nothing else in its root.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.trixie_programs import installed

from reconix.base.process import run

CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
ACCEPTED = b"\x20\x02\x00\x00"
"""MQTT 3.1.1, sections 3.1 and 3.2."""
CONTAINERS = """\
[secrets.token]
[containers.broker]
image = "docker-archive:images/broker.tar"
ports = ["1883:1883"]
volumes = { data = "/mosquitto/data" }
files = { "/etc/mosquitto.conf" = { source = "../mosquitto.conf" } }
read_only = true
memory = "64M"
[containers.web]
image = "oci:images/web:1"
ports = ["8080:80"]
volumes = { state = "/srv/state" }
secrets = ["token"]
devices = ["/dev/zero"]
memory = "160M"
tasks = 32
"""
BROKER = """\
listener 1883
allow_anonymous true
persistence true
persistence_location /mosquitto/data/
autosave_interval 1
"""
APP = """\
import hashlib, os, pathlib, socket
from flask import Flask
app = Flask(__name__)
@app.route("/")
def seen():
    with open("/dev/stdout", "a") as said:
        print("somebody asks", file=said, flush=True)
    secret = pathlib.Path("/run/secrets/token").read_bytes()
    runs = pathlib.Path("/srv/state/runs")
    with runs.open("a") as kept:
        kept.write("asked ")
    zeros = open("/dev/zero", "rb").read(4)
    return f"{os.getuid()} {secret.decode().strip()} {zeros == bytes(4)} {runs.read_text()}"
@app.route("/eat")
def eat():
    return str(len([bytes(1 << 20) + os.urandom(1) for _ in range(400)]))
@app.route("/end")
def end():
    os._exit(3)
@app.route("/knock")
def knock():
    try:
        socket.create_connection(("127.0.0.1", 9000), 3)
    except OSError as error:
        return f"refused: {error}"
    return "let in"
app.run("0.0.0.0", 80)
"""

SERVERS = {
    "nginx": """\
[containers.nginx]
image = "{registry}/apps/nginx:1"
ports = ["8081:80"]
""",
    "redis": """\
[containers.redis]
image = "{registry}/apps/redis:1"
ports = ["6379:6379"]
volumes = {{ data = "/data" }}
read_only = true
""",
    "static": """\
[containers.static]
image = "{registry}/apps/static:1"
ports = ["8082:80"]
""",
}
"""Containers of a system, by name; their images are in a registry."""
NGINX = """\
daemon off;
user app app;
events {}
http { server { listen 80; root /srv; } }
"""
REDIS = '"redis-server","--dir","/data","--appendonly","yes","--protected-mode","no"'
STATIC = "echo static: it runs; exec /busybox httpd -f -p 80 -h /pages"


def make_image(
    folder: Path, tree: Path, owned: tuple[str, int], config: Sequence[str], target: str
) -> None:
    """An image of one layer, made by buildah from a folder; one path in it has another owner."""
    store = ("--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs")
    made = run("buildah", *store, "from", "scratch").decode().strip()
    run("buildah", *store, "copy", made, tree, "/")
    path, owner = owned
    root = Path(run("buildah", *store, "mount", made).decode().strip())
    shutil.chown(root / path, owner, owner)
    run("buildah", *store, "umount", made)
    run("buildah", *store, "config", *config, made)
    kind = "docker" if target.startswith("docker") else "oci"
    words = ("commit", f"--format={kind}", "--disable-compression", made, target)
    run("buildah", *store, *words)


def with_users(tree: Path, folder: Path, **files: str) -> Path:
    """A copy of a tree that has users, temporary folders and some files, by path."""
    copy = folder / "tree"
    shutil.copytree(tree, copy, symlinks=True)
    (copy / "tmp").mkdir(exist_ok=True)
    (copy / "tmp").chmod(0o1777)
    for place in ("etc", "srv", "var/lib"):
        (copy / place).mkdir(parents=True, exist_ok=True)
    users = "root:x:0:0::/:/bin/sh\nmosquitto:x:300:300::/:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n"
    (copy / "etc/passwd").write_text(users)
    (copy / "etc/group").write_text("root:x:0:\nmosquitto:x:300:\napp:x:1000:\n")
    for path, text in files.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text)
    return copy


def make_images(place: Path, work: Path) -> None:
    """Those of the project, of packages of Debian."""
    place.mkdir()
    for name in ("broker", "web"):
        (work / name).mkdir(parents=True)
    make_broker(place, work / "broker")
    _make_web(place, work / "web")


def make_broker(place: Path, work: Path) -> None:
    """The image ``broker.tar``."""
    tree = with_users(installed("mosquitto", "mosquitto-clients", "dash"), work)
    (tree / "mosquitto/data").mkdir(parents=True)
    check = "CMD mosquitto_sub -t $SYS/broker/uptime -C 1 -W 20"
    options = ("--healthcheck-interval=5s", "--healthcheck-timeout=25s")
    command = '--cmd=["/usr/sbin/mosquitto","-c","/etc/mosquitto.conf"]'
    make_image(
        work / "store",
        tree,
        ("mosquitto/data", 300),
        (command, f"--healthcheck={check}", *options),
        f"docker-archive:{place / 'broker.tar'}:example.com/broker:1",
    )


def _make_web(place: Path, work: Path) -> None:
    packages = ("python3-flask", "dash", "coreutils")
    tree = with_users(installed(*packages), work, **{"srv/app.py": APP})
    (tree / "srv/state").mkdir()
    command = '--cmd=["/usr/bin/python3","/srv/app.py"]'
    config = ("--user=1000:1000", command, "--env=PYTHONUNBUFFERED=1")
    make_image(work / "store", tree, ("srv/state", 1000), config, f"oci:{place / 'web'}:1")


def make_servers(layout: Path, work: Path) -> None:
    """The images of ``SERVERS``, in an OCI layout."""
    for name in SERVERS:
        (work / name).mkdir(parents=True)
    _make_nginx(layout, work / "nginx")
    _make_redis(layout, work / "redis")
    _make_static(layout, work / "static")


def _make_nginx(layout: Path, work: Path) -> None:
    files = {"etc/nginx/nginx.conf": NGINX, "srv/index.html": "of nginx\n"}
    tree = with_users(installed("nginx"), work, **files)
    for name, target in (("access.log", "/dev/stdout"), ("error.log", "/dev/stderr")):
        (tree / "var/log/nginx" / name).symlink_to(target)
    config = ('--cmd=["nginx"]', "--stop-signal=SIGQUIT")
    make_image(work / "store", tree, ("srv/index.html", 1000), config, f"oci:{layout}:nginx")


def _make_redis(layout: Path, work: Path) -> None:
    tree = with_users(installed("redis-server"), work)
    (tree / "data").mkdir()
    config = ("--user=app", f"--cmd=[{REDIS}]")
    make_image(work / "store", tree, ("data", 1000), config, f"oci:{layout}:redis")


def _make_static(layout: Path, work: Path) -> None:
    (work / "tree/pages").mkdir(parents=True)
    (work / "tree/pages/index.html").write_text("of a program alone\n")
    shutil.copy(shutil.which("busybox") or "", work / "tree/busybox")
    config = (f'--cmd=["/busybox","sh","-c","{STATIC}"]',)
    make_image(work / "store", work / "tree", ("pages", 1000), config, f"oci:{layout}:static")
