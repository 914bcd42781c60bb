"""How long it takes to read and check a project of twenty hosts with ten systems each.

The bar is half a second, for everything: a mistake is told before anybody looks away.
"""

import tempfile
import time
from pathlib import Path

from reconix.config.load import load

HOSTS, SYSTEMS = 20, 10
EXAMPLE = Path(__file__).parents[1] / "examples" / "gateway"
SHARED = EXAMPLE / "hosts" / "gateway"


def write_project(folder: Path) -> None:
    """Write the example, many times over."""
    (folder / "keys").mkdir()
    (folder / "keys/operator.pub").write_text("ssh-ed25519 AAAA bench\n")
    (folder / "reconix.toml").write_bytes((EXAMPLE / "reconix.toml").read_bytes())
    for host in range(HOSTS):
        systems = folder / f"hosts/host-{host}/systems"
        systems.mkdir(parents=True)
        (systems.parent / "machine.toml").write_bytes((SHARED / "machine.toml").read_bytes())
        (systems / "default.toml").touch()
        for system in range(1, SYSTEMS):
            text = (SHARED / "systems/mqtt.toml").read_bytes()
            (systems / f"system-{system}.toml").write_bytes(text)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        for run in ("first", "second"):
            began = time.perf_counter()
            configuration = load(Path(folder))
            milliseconds = (time.perf_counter() - began) * 1000
            count = sum(len(host.systems) for host in configuration.hosts.values())
            print(f"{count} systems, {run} time  {milliseconds:6.0f} ms (bar: 500 ms)")


if __name__ == "__main__":
    main()
