"""Keep the agent of this release, so that later ones are tried against it.

``python tools/keep_release.py NAME``: packs the agent as devices get it and writes it, compressed,
to ``tests/data/agents/NAME.pyz.xz``. A file there is never changed: devices in the field have that
agent, and it must take the next release. ``tests/unit/device/test_kept_agents.py`` tries that.
"""

import argparse
import lzma
import sys
from pathlib import Path

from reconix.build.agent import zipapp

AGENTS = Path(__file__).resolve().parents[1] / "tests" / "data" / "agents"


def main(words: list[str]) -> int:
    """Write the agent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", help="of the release, such as 1-layout-2")
    place = AGENTS / f"{parser.parse_args(words).name}.pyz.xz"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        file.write(lzma.compress(zipapp.pack(), preset=9 | lzma.PRESET_EXTREME))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
