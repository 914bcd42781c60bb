from pathlib import Path

import pytest

from reconix.base.address import Address
from reconix.build.archive.logins import Files, Login, headers_for, parse_logins

TEXT = """\
# of the vendor
machine packages.example login me password se:cret
machine http://mirror.example:8080/deb
  login you
  password word
machine incomplete.example login me
"""


def test_logins_are_read_as_apt_reads_them() -> None:
    assert list(parse_logins(TEXT)) == [
        Login("packages.example", "me", "se:cret"),
        Login("http://mirror.example:8080/deb", "you", "word"),
    ]


@pytest.mark.parametrize(
    ("machine", "address", "fits"),
    [
        ("packages.example", "https://packages.example/x.deb", True),
        ("packages.example", "https://packages.example:8443/x.deb", True),
        ("packages.example", "http://packages.example/x.deb", False),
        ("http://packages.example", "http://packages.example/x.deb", True),
        ("http://packages.example", "https://packages.example/x.deb", False),
        ("packages.example", "https://other.packages.example/x.deb", False),
        ("packages.example:8443", "https://packages.example/x.deb", False),
        ("packages.example/deb", "https://packages.example/deb/x.deb", True),
        ("packages.example/deb", "https://packages.example/x.deb", False),
    ],
)
def test_a_login_is_told_to_its_server_only(machine: str, address: str, *, fits: bool) -> None:
    login = Login(machine, "me", "secret")
    found = headers_for(Address.parse(address), [login])
    assert found == ({"Authorization": "Basic bWU6c2VjcmV0"} if fits else {})


def test_the_first_login_that_fits_counts(tmp_path: Path) -> None:
    (tmp_path / "auth.conf").write_text("machine a.example login one password x\n")
    (tmp_path / "more").mkdir()
    for name, who in (("b.conf", "three"), ("a.conf", "two"), ("c.txt", "four")):
        (tmp_path / "more" / name).write_text(f"machine a.example login {who} password x\n")
    files = Files(str(tmp_path / "auth.conf"), str(tmp_path / "more"))
    assert [login.name for login in files.logins()] == ["one", "two", "three"]
    assert Files(str(tmp_path / "none"), str(tmp_path / "none")).logins() == ()
    assert Files("", "").logins() == ()
