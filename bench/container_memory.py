"""What containers take of memory while they run: three of them, and the mounts of many files.

Three are images of Debian packages as a team has them: a broker, nginx and redis, started by
systemd. Their memory is what their processes and log pipes have (``Pss``: pages that several share
count in parts). For many files, the kernel's memory (as control groups count it) of a container
whose image has 19,000 of another owner is compared with that of one whose image has none. What it
keeps of names that were looked at is a cache. Needs root.

    python -m bench.container_memory
"""

import sys
import tempfile
from pathlib import Path

from tests.built_containers import BuiltHost
from tests.container_hosts import ContainerHost
from tests.container_images import BROKER, SERVERS, make_broker, make_servers
from tests.system_partitions import SystemPartition

from reconix.base.files import remove_tree

FILES, MAX_MB, MAX_KERNEL_KB = 19_000, 27.0, 1024
THREE = f"""\
[containers.broker]
image = "docker-archive:images/broker.tar"
volumes = {{ data = "/mosquitto/data" }}
files = {{ "/etc/mosquitto.conf" = {{ source = "../mosquitto.conf" }} }}
{SERVERS["nginx"].format(registry="oci:images/servers").replace("/apps/nginx:1", ":nginx")}\
{SERVERS["redis"].format(registry="oci:images/servers").replace("/apps/redis:1", ":redis")}\
"""
_RUN = """
for name in broker nginx redis; do
    waits "systemctl is-active -q container-$name"
    group=$(sed -n s/^0:://p /proc/$(cat /run/reconix/containers/$name/pid)/cgroup)
    pids="$pids $(/scripts/busybox find /sys/fs/cgroup$group -name cgroup.procs -exec cat {} +)"
done
sleep 2
for pid in $pids; do
    [ -e /proc/$pid ] || continue
    echo $(cat /proc/$pid/comm) $(sed -n 's/^Pss: *\\([0-9]*\\) kB/\\1/p' /proc/$pid/smaps_rollup)
done
"""
_KERNEL = """
mkdir /memory
if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    mount --bind /sys/fs/cgroup /memory; echo +memory > /memory/cgroup.subtree_control
    used() { sed -n 's/^kernel //p' /memory/reconix-bench/memory.stat; }
else
    mount -t cgroup -o memory memory /memory || exit 1
    used() { cat /memory/reconix-bench/memory.kmem.usage_in_bytes; }
fi
mkdir /memory/reconix-bench || exit 1
cat > /begin <<'END'
echo $$ > /memory/reconix-bench/cgroup.procs
exec unshare --mount --propagation slave /bin/sh /scripts/container start box
END
sh /begin || exit 1
sleep 1; used
cat > /look <<'END'
echo $$ > /memory/reconix-bench/cgroup.procs
exec /usr/bin/crun --root=/run/reconix/crun --cgroup-manager=disabled exec box ls -lR /srv
END
sh /look > /dev/null; used
pid=$(cat /run/reconix/containers/box/pid); kill -9 $pid; ended $pid
for turn in $(seq 50); do rmdir /memory/reconix-bench 2> /dev/null && break; sleep 0.1; done
"""


def main() -> int:
    """Measure and print."""
    place = Path(tempfile.mkdtemp(prefix="reconix-bench-", dir="/var/tmp"))
    try:
        running_mb = three(place / "three")
        (none, _), (many, looked) = (kernel(place / f"{count}", count) for count in (0, FILES))
    finally:
        remove_tree(place)
    more_kb = (many - none) / 1024
    print(f"three containers                {running_mb:8.1f} MB  (at most {MAX_MB})")
    print(f"the kernel, one without files   {none / 1024:8.0f} kB")
    print(f"{FILES} files more              {more_kb:8.0f} kB  (at most {MAX_KERNEL_KB})")
    print(f"once all were looked at, a cache  {(looked - many) / 1024:6.0f} kB")
    return int(running_mb > MAX_MB or more_kb > MAX_KERNEL_KB)


def three(place: Path) -> float:
    """What three containers have, in MB."""
    images = place / "project/images"
    images.mkdir(parents=True)
    (place / "project/hosts/gw").mkdir(parents=True)
    (place / "project/hosts/gw/mosquitto.conf").write_text(BROKER)
    (place / "broker").mkdir()
    make_broker(images, place / "broker")
    make_servers(images / "servers", place / "work")
    said = BuiltHost.make(place, THREE).boot(_RUN)
    print(said, end="")
    return sum(int(line.split()[-1]) for line in said.splitlines()) * 1024 / 1e6


def kernel(place: Path, files: int) -> tuple[int, int]:
    """The kernel's bytes for a container with so many files more: started, and all looked at."""
    place.mkdir()
    host = ContainerHost(SystemPartition.make(place), more_files=files)
    started, looked = host.do(_KERNEL).split()
    return int(started), int(looked)


if __name__ == "__main__":
    sys.exit(main())
