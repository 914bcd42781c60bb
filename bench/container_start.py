"""What the start of a container costs beside its program, and what stays.

Its image has 19,000 files of another owner, as one of Node; its program is a `sleep`. Times are of
the processor, for one of many starts: the script with all that it begins. For comparison the files
are given to another owner one by one in the root of a container, as engines do without such mounts.
Needs root.

    python -m bench.container_start
"""

import sys
import tempfile
from pathlib import Path

from tests.container_hosts import ContainerHost
from tests.system_partitions import SystemPartition

from reconix.base.files import remove_tree

STARTS, FILES = 20, 19_000
MAX_MS, MAX_PIPE_KB = 15.0, 512

ROOM = {"CHANGES_BYTES": str(256 << 20)}

_SCRIPT = f"""
cat > /starts <<'END'
for turn in $(seq {STARTS}); do
    unshare --mount --propagation slave /bin/sh /scripts/container start box
    echo $(cat /run/reconix/containers/box/pid) >> /pids
    rm -r /run/reconix/crun/box
done
times
END
cat > /nothing <<'END'
for turn in $(seq {STARTS}); do
    unshare --mount --propagation slave /bin/true
    echo $(cat /dev/null) >> /pids
    rm -r /tmp/nothing 2> /dev/null
done
times
END
cat > /chown <<'END'
cd /proc/$1/root/srv && times
chown -R {0x10000000}:{0x10000000} modules && times
END
sh /starts > /said; tail -n 1 /said
sh /nothing | tail -n 1
read -r log < /run/reconix/containers/box/log.pid
grep ^Pss: /proc/$log/smaps_rollup | cut -c 5-
set -- $(cat /pids)
sh /chown $1
for pid in "$@"; do kill -9 $pid; done
"""


def main() -> int:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="reconix-bench-", dir="/var/tmp"))
    try:
        host = ContainerHost(SystemPartition.make(folder), more_files=FILES, settings=ROOM)
        said = host.do(_SCRIPT).splitlines()
    finally:
        remove_tree(folder)
    started, nothing, pipe, _, before, _, chowned = said
    start = (_seconds(started) - _seconds(nothing)) / STARTS * 1000
    chown = (_seconds(chowned) - _seconds(before)) * 1000
    pipe_kb = int(pipe.split()[0])
    print(f"start with {FILES} files of another owner  {start:8.1f} ms  (at most {MAX_MS})")
    print(f"giving each file to another owner         {chown:8.1f} ms")
    print(f"what stays: a pipe                        {pipe_kb:8} kB  (at most {MAX_PIPE_KB})")
    return int(start > MAX_MS or pipe_kb > MAX_PIPE_KB)


def _seconds(said: str) -> float:
    """User and system time of the children, as a shell tells them."""
    parts = (each.rstrip("s").split("m") for each in said.split())
    return sum(float(minutes) * 60 + float(seconds) for minutes, seconds in parts)


if __name__ == "__main__":
    sys.exit(main())
