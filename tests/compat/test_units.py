"""Enabling and disabling units gives the links that the real ``systemctl --root`` makes."""

import shutil
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.build.units import enabling
from reconix.build.units.enabling import NotInstallable
from reconix.config.schema.system import Services

FOLDER = Path("etc/systemd/system")
MULTI = "[Install]\nWantedBy=multi-user.target\n"
UNITS = {
    # As systemd-networkd: its socket, and what tells that there is an address.
    "net.service": MULTI + "Also=net.socket\nAlias=dbus-org.net.service\nAlso=net-online.service\n",
    "net.socket": "[Install]\nWantedBy=sockets.target\n",
    "net-online.service": "[Install]\nWantedBy=network-online.target\nAlso=not-there.service\n",
    "circle.service": MULTI + "Also=round.service\n",
    "round.service": MULTI + "Also=circle.service\n",
    "only-also.service": "[Install]\nAlso=net.socket\n",
    "required.service": "[Install]\nRequiredBy=a.target b.target\nWantedBy=c.target\n",
    "line@.service": "[Install]\nDefaultInstance=tty1\nWantedBy=getty.target\n"
    "Alias=wire@.service\n",
    "disk-for@.service": "[Install]\nWantedBy=dev-%i.device x-%p-%j.target\n"
    "Alias=other-%p@%i.service\n",
    "reset.service": "[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target \\\n  c.target\n",
    "comment.service": "[Install]\n# WantedBy=a.target\n;WantedBy=a.target\nWantedBy = b.target\n",
    "added.service": "[Unit]\nDescription=its Install is in a drop-in\n",
    "added.service.d/x.conf": MULTI,
    "both.service": MULTI,
    "both.service.d/x.conf": "[Install]\nAlias=other.service\n",
}
ENABLED = [
    *("net.service", "net.socket", "circle.service", "only-also.service", "required.service"),
    *("line@.service", "line@tty7.service", "disk-for@sda.service", "reset.service"),
    *("comment.service", "added.service", "both.service", "name.service", "named@ttyS0.service"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "root"
    shipped = place / "usr/lib/systemd/system"
    for name, text in UNITS.items():
        (shipped / name).parent.mkdir(parents=True, exist_ok=True)
        (shipped / name).write_text(text)
    (shipped / "name.service").symlink_to("both.service")
    (shipped / "named@.service").symlink_to("/usr/lib/systemd/system/line@.service")
    (place / FOLDER).mkdir(parents=True)
    (place / "etc/os-release").touch()
    return place


def made_by_systemctl(root: Path, *words: str) -> dict[str, str]:
    """The links below ``/etc``, and the files that they lead to."""
    run("systemctl", "--root", root, *words)
    places = (path for path in (root / FOLDER).rglob("*") if path.is_symlink())
    return {str(path.relative_to(root / FOLDER)): path.readlink().name for path in places}


def made_by_us(root: Path, services: Services) -> dict[str, str]:
    made = enabling.links(services, [], {}, root)
    return {
        path.removeprefix("systemd/system/"): Path(link.target).name for path, link in made.items()
    }


@pytest.mark.parametrize("unit", ENABLED)
def test_enabling_links_what_systemctl_links(root: Path, need: Need, unit: str) -> None:
    need("systemctl")
    ours = made_by_us(root, Services(enable=(unit,)))
    assert ours == made_by_systemctl(root, "enable", unit)
    assert ours


@pytest.mark.parametrize("unit", [*ENABLED, "line@tty9.service"])
def test_disabling_takes_away_what_systemctl_takes_away(
    root: Path, need: Need, unit: str, tmp_path: Path
) -> None:
    need("systemctl")
    before = made_by_systemctl(root, "enable", *ENABLED, "line@tty9.service")
    shutil.copytree(root, tmp_path / "later", symlinks=True)
    after = made_by_systemctl(tmp_path / "later", "disable", unit)
    gone = made_by_us(root, Services(disable=(unit,)))
    assert gone.keys() == before.keys() - after.keys()
    assert set(gone.values()) == {"null"}


def test_a_template_needs_an_instance_as_with_systemctl(root: Path) -> None:
    (root / "usr/lib/systemd/system/many@.service").write_text(MULTI)
    with pytest.raises(NotInstallable, match="DefaultInstance"):
        made_by_us(root, Services(enable=("many@.service",)))
