"""What rides with a system: files that nobody knows to be needless, and all programs."""

from pathlib import Path

import pytest
from tests.device_trees import Tree, write

from reconix.build.minify.graph import Because
from reconix.build.minify.reasons import Reasons
from reconix.build.minify.removed import removed
from reconix.device.settings.removed import Removed

ROOT: Tree = {
    "bin": "> usr/bin",
    "usr/bin/ss": "12345",
    "usr/bin/netstat": "> /bin/ss",
    "usr/bin/man": "123",
    "usr/bin/broken": "> nowhere",
    "usr/bin/xdg-open": "1",
    "usr/share/man/man1/ss.1": "12",
    "usr/lib/libtss.so.0": "1",
    "usr/lib/gone": None,
    "usr/lib/gone/x": "1234",
    "usr/bin/both": "1",
}
WENT = Because("", "nothing reaches it")
MANUALS = Because("manuals", "nobody reads manuals on a device")
GOES = {
    **dict.fromkeys(("usr/bin/ss", "usr/bin/netstat", "usr/bin/broken", "usr/lib/gone/x"), WENT),
    **dict.fromkeys(("usr/lib/gone", "usr/bin/both", "usr/bin/xdg-open"), WENT),
    **dict.fromkeys(("usr/bin/man", "usr/share/man/man1/ss.1"), MANUALS),
    "usr/lib/libtss.so.0": Because("", "only suggested by /usr/bin/x, for tpm"),
}
STAYS = {"usr/bin/both": Because("", "is the first program")}


@pytest.fixture
def listed(tmp_path: Path) -> dict[str, Removed]:
    reasons = Reasons(STAYS, GOES)
    return dict(removed(write(tmp_path, ROOT), reasons, {"/usr/bin/xdg-open": "no browser"}))


def test_each_has_its_size_a_link_that_of_what_it_leads_to(listed: dict[str, Removed]) -> None:
    found = {path: each.size_bytes for path, each in listed.items() if not each.is_expected}
    assert found == {
        "/usr/bin/ss": 5,
        "/usr/bin/netstat": 5,
        "/usr/bin/broken": 0,
        "/usr/lib/gone/x": 4,
    }


def test_of_what_goes_by_a_sentence_only_programs_are_named(listed: dict[str, Removed]) -> None:
    assert {path: each.because for path, each in listed.items() if each.is_expected} == {
        "/usr/bin/man": "nobody reads manuals on a device",
        "/usr/bin/xdg-open": "nothing reaches it",
    }
