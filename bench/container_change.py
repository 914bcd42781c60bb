"""How long a container is away when it is changed without a restart of the device.

The units of a container are started by the real systemd. It serves a page, which is asked for
every 10 ms while systemd does what it does when the agent changes a container: stop, read the units
again if they differ, start. For comparison it is started again, which is a stop and a start. What
is told is the longest time without an answer. Needs root.

    python -m bench.container_change
"""

import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.container_hosts import ContainerHost
from tests.system_partitions import SystemPartition

from reconix.base.files import remove_tree
from reconix.config.schema.containers import Container
from reconix.containers.runtime import units
from reconix.containers.runtime.network import networks

TURNS, MAX_MORE_SECONDS = 5, 1.0
SERVES = ("/dev/init", "--", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", "/etc")
INIT = ("../../../../usr/bin/catatonit", "/dev/init", "ro")
WAYS = {
    "a restart by systemd": "systemctl restart container-box",
    "a change, units as before": "systemctl stop container-box; systemctl start container-box",
    "a change, units differ": "systemctl stop container-box; systemctl daemon-reload; "
    "systemctl start container-box",
}
_SCRIPT = """
cat > /poll <<'POLL'
while :; do
    /scripts/busybox wget -q -O /dev/null 127.0.0.1:8080/of-image 2> /dev/null &&
        read -r now rest < /proc/uptime && echo $now >> /answers
    sleep 0.01
done
POLL
ip link set lo up
waits '/scripts/busybox wget -q -O /dev/null 127.0.0.1:8080/of-image'
sh /poll & poller=$!
waits '[ -s /answers ]'
for turn in $(seq {turns}); do
    {way}
    sleep 0.5
done
kill $poller; cat /answers
"""


def main() -> int:
    """Measure and print."""
    found = {}
    for name, way in WAYS.items():
        place = Path(tempfile.mkdtemp(prefix="reconix-bench-", dir="/var/tmp"))
        try:
            found[name] = silence(place, way)
        finally:
            remove_tree(place)
        print(f"{name:26} {found[name]:6.2f} s without an answer")
    restart, *changes = found.values()
    return int(max(changes) > restart + MAX_MORE_SECONDS)


def silence(place: Path, way: str) -> float:
    """The longest time without an answer, of several turns, in seconds."""
    container = Container(image=None, packages=("a",), network="host")
    running = units.Running(networks({"box": container}, {"box": 0})["box"], {}, "SIGTERM", None)
    made = units.of_container("box", container, running)
    every = {**made, **units.of_all(["box"], has_rules=False)}
    host = ContainerHost(SystemPartition.make(place), SERVES, units=every, mounts=(INIT,))
    said = host.boot(_SCRIPT.replace("{way}", way).replace("{turns}", str(TURNS)))
    return _longest([float(line) for line in said.splitlines()])


def _longest(times: Sequence[float]) -> float:
    return max(after - before for before, after in itertools.pairwise(times))


if __name__ == "__main__":
    sys.exit(main())
