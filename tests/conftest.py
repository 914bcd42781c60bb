"""What every test may use."""

import os
import shutil
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from reconix.base.progress import Silent, listen

# How long an example takes depends on what else the machine does; speed is measured in bench/.
settings.register_profile("reconix", deadline=None)
settings.load_profile("reconix")


LONGEST = ("test_packages.py", "test_tutorials.py", "test_demo.py", "test_schedule.py")
"""Files of tests/vm that take many minutes: begun last, they would keep one worker waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; all else keeps its order."""
    items.sort(
        key=lambda item: (
            LONGEST.index(item.path.name)
            if item.path.parent.name == "vm" and item.path.name in LONGEST
            else len(LONGEST)
        )
    )


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """What a command listens with ends with its test; its stream does too."""
    yield
    listen(Silent())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail in CI what is skipped at home: what CI does not run, nobody runs."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which nothing may be in CI: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of tests are on this machine, whatever the network around it needs."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@pytest.fixture
def need() -> "Need":
    """Give a function that names the programs a test cannot do without."""
    return Need()


class Need:
    def __call__(self, *programs: str) -> None:
        """Skip at home when a program is missing; in CI that is a failure."""
        missing = [program for program in programs if shutil.which(program) is None]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
