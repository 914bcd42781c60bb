"""How long a minified system takes to start, beside the full one.

Boots two disk images of `examples/gateway` in QEMU, one with all that its packages brought and one
that is minified, in turns, each so often, always from a new disk. A time begins when the device is
switched on and ends when systemd says that it reached `multi-user.target`. Bar: the minified one
takes at most 0.9 times as long.

An emulated device computes nearly all of that time, so what is compared are the seconds that
processors have worked for it; those of the clock say how busy the computer was. The firmware and
the loader are in both alike, and are told apart: what came before the first word of the kernel.

    python -m bench.minified_boot [--folder DIR] [--rounds N]

The images are made once, in the user's cache folder.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.minify import MINIFY
from bench.switch import Cost, example, switched_on

from reconix.cli import places
from reconix.vm.machine import BOOT_SECONDS

BAR = 0.9
KERNEL_BEGINS = "Linux version"
SYSTEM_RUNS = "Reached target multi-user.target"


def main() -> int:
    """Measure, print, and compare with the bar."""
    arguments = _parse()
    folder: Path = arguments.folder
    store = folder / "store"
    images = {
        "full": example(folder / "full", store=store)[0],
        "minified": example(folder / "minified", settings=MINIFY, store=store)[0],
    }
    costs: dict[str, list[Boot]] = {name: [] for name in images}
    for number in range(1, arguments.rounds + 1):
        for name, image in images.items():
            costs[name].append(boot(image))
            print(f"{name} {number}: {costs[name][-1]}", flush=True)
    return _compare(costs)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    default = places.cache_home() / "bench-minified-boot"
    parser.add_argument("--folder", type=Path, default=default, help="[%(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="[%(default)s]")
    return parser.parse_args()


@dataclass(frozen=True)
class Boot:
    """What a start took: all of it, and what came after the firmware and the loader."""

    whole: Cost
    system: Cost

    def __str__(self) -> str:
        return f"{self.whole}, since the kernel began {self.system}"


def boot(image: Path) -> Boot:
    """Switch a new device on until its system runs."""
    with (
        tempfile.TemporaryDirectory() as logs,
        switched_on(image, Path(logs)) as machine,
    ):
        begin = Cost.so_far(machine)
        machine.console.wait(KERNEL_BEGINS, seconds=BOOT_SECONDS)
        kernel = Cost.so_far(machine)
        machine.console.wait(SYSTEM_RUNS, seconds=BOOT_SECONDS)
        end = Cost.so_far(machine)
        return Boot(end.since(begin), end.since(kernel))


def _compare(costs: dict[str, list[Boot]]) -> int:
    ratio = _ratio({name: [each.whole for each in boots] for name, boots in costs.items()})
    rest = _ratio({name: [each.system for each in boots] for name, boots in costs.items()})
    print(f"minified / full = {ratio:.2f}, since the kernel began {rest:.2f}, bar {BAR}")
    return 0 if ratio <= BAR else 1


def _ratio(costs: dict[str, list[Cost]]) -> float:
    """Of the medians of what processors worked."""
    medians = {name: Cost.median(each).processor for name, each in costs.items()}
    return medians["minified"] / medians["full"]


if __name__ == "__main__":
    sys.exit(main())
