"""Names of units, as systemd spells them."""

from collections.abc import Callable

import pytest

from reconix.base.process import run
from reconix.base.unit_names import escaped


@pytest.mark.parametrize("path", ["/var/lib/a", "/var/lib/a-b", "/srv/a b/ü", "/x.y:z_1", "/.h"])
def test_paths_are_escaped_as_systemd_does(path: str, need: Callable[..., None]) -> None:
    need("systemd-escape")
    assert run("systemd-escape", "--path", path).decode().strip() == escaped(path)
