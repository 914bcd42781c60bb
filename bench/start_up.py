"""How long `reconix --help` takes, beside an interpreter that does nothing.

The bar is 150 ms; decision 0002 stands on these figures.
"""

import statistics
import sys
import time

from reconix.base.process import run

TIMES = 15


def median_ms(code: str) -> float:
    """The median time of a new interpreter that runs ``code``."""
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        run(sys.executable, "-c", code)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def main() -> None:
    """Print the figures."""
    print(f"an interpreter that does nothing  {median_ms('pass'):6.0f} ms")
    code = "from reconix.cli.main import main; main(['--help'])"
    print(f"reconix --help                    {median_ms(code):6.0f} ms (bar: 150 ms)")


if __name__ == "__main__":
    main()
