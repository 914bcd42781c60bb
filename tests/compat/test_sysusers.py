"""What files in ``sysusers.d`` declare is what the real ``systemd-sysusers`` makes of them."""

from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.build.users import sysusers
from reconix.build.users.accounts import Accounts
from reconix.build.users.sysusers import BadDeclaration

PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nadm:x:4:\nvideo:x:44:\nnogroup:x:65534:\n"
CASES = {
    "a user": "u app\n",
    "with all fields": 'u app 1500 "My  App" /var/lib/app /bin/sh\n',
    "with a group that is there": "u app -:video - /srv\n",
    "with the number of a group": "u app 1500:4\n",
    "a group": "g data 1501\ng more -\n",
    "member of a group that comes later": "m app data\nm app adm\ng data 1500\nu app 1500\n",
    "members alone": "m app data\n",
    "who is there": "u root 5 x /y\ng adm 7\nm root adm\n",
    "comments": "# u one\n\n  u two\nr - 500-900\n",
    "taken": "g one 1500\nu two 1500\nu three 1500\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("usr/lib/sysusers.d", "etc"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text(PASSWD)
    (tmp_path / "root/etc/group").write_text(GROUP)
    return tmp_path / "root"


def told(accounts: Accounts) -> set[tuple[str, ...]]:
    """Who is who, without the numbers that are only the next free ones."""
    names = {group.gid: group.name for group in accounts.groups}
    fixed = {number for number in range(2000) if not 100 <= number <= 999}
    users = {
        (u.name, str(u.uid if u.uid in fixed else "?"), names[u.gid], u.comment, u.home, u.shell)
        for u in accounts.users
    }
    groups = {
        (g.name, str(g.gid if g.gid in fixed else "?"), *sorted(g.members)) for g in accounts.groups
    }
    return users | groups


@pytest.mark.parametrize("case", CASES)
def test_users_and_groups_are_those_that_systemd_makes(root: Path, need: Need, case: str) -> None:
    need("systemd-sysusers")
    (root / "usr/lib/sysusers.d/x.conf").write_text(CASES[case])
    ours = sysusers.with_declared(Accounts.read(root / "etc"), sysusers.declared(root, {}))
    run("systemd-sysusers", f"--root={root}")
    assert told(ours) == told(Accounts.read(root / "etc"))


def test_a_file_of_the_configuration_replaces_that_of_a_package(root: Path) -> None:
    (root / "usr/lib/sysusers.d/x.conf").write_text("u one\n")
    given = {"sysusers.d/x.conf": b"u! two - - - /bin/sh\n", "sysusers.d/notes": b"u three\n"}
    lines = sysusers.declared(root, given)
    assert lines == [sysusers.Line("u", "two", shell="/bin/sh")]


@pytest.mark.parametrize("line", ["u", "x one", 'u one "', "u one 1 2 3 4 5", "u %b"])
def test_a_line_that_cannot_be_understood_is_told(root: Path, line: str) -> None:
    with pytest.raises(BadDeclaration, match=r"x\.conf"):
        sysusers.declared(root, {"sysusers.d/x.conf": line.encode()})
