"""What the files reach by which a system knows users and names."""

from pathlib import Path

from tests.device_trees import make

from reconix.build.minify.edges.accounts import AccountEdges

LIBRARIES = "usr/lib/x86_64-linux-gnu"
PAM = """\
# auth required pam_commented.so
auth [success=1 default=ignore] pam_unix.so nullok
session optional /opt/pam/own.so
@include common-auth
session include other-one
"""


def targets(tmp_path: Path, path: str, content: str) -> set[str]:
    edges = AccountEdges(make(tmp_path, {}))
    return {edge.target for edge in edges.of(path, content.encode())}


def test_services_of_names_are_libraries(tmp_path: Path) -> None:
    said = "passwd: files systemd\nhosts: files myhostname [NOTFOUND=return] dns\n# group: ldap\n"
    found = targets(tmp_path, "etc/nsswitch.conf", said)
    for name in ("files", "systemd", "myhostname", "dns"):
        assert f"{LIBRARIES}/libnss_{name}.so.2" in found
    assert f"{LIBRARIES}/libnss_ldap.so.2" not in found


def test_pam_reaches_modules_and_what_is_included(tmp_path: Path) -> None:
    found = targets(tmp_path, "etc/pam.d/login", PAM)
    assert {f"{LIBRARIES}/security/pam_unix.so", "opt/pam/own.so"} <= found
    assert {"etc/pam.d/common-auth", "etc/pam.d/other-one"} <= found
    assert not any("commented" in path for path in found)


def test_log_in_shells_are_reached(tmp_path: Path) -> None:
    said = "root:x:0:0:root:/root:/bin/bash\nair:x:100:100::/:/usr/sbin/nologin\n"
    assert targets(tmp_path, "etc/passwd", said) == {"bin/bash", "usr/sbin/nologin"}


def test_other_files_say_nothing_of_users(tmp_path: Path) -> None:
    assert targets(tmp_path, "etc/hosts", "a:b:/bin/sh\n") == set()
