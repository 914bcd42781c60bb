"""The list of system calls, against the one that podman uses."""

import json
from pathlib import Path

import pytest

from reconix.containers.runtime import seccomp

PODMAN = Path("/usr/share/containers/seccomp.json")
NESTED = {
    *("clone3", "fsconfig", "fsmount", "fsopen", "fspick", "keyctl", "mount", "mount_setattr"),
    *("move_mount", "open_tree", "pivot_root", "reboot", "setns", "umount", "umount2", "unshare"),
}
"""What podman allows so that containers can be made in containers."""
NEWER = {
    *("cachestat", "fchmodat2", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake"),
    *("getxattrat", "listxattrat", "map_shadow_stack", "mseal", "removexattrat"),
    *("set_mempolicy_home_node", "setxattrat"),
}
"""What podman's list of 2022 does not know."""


def podman() -> set[str]:
    if not PODMAN.exists():
        pytest.skip("not installed: golang-github-containers-common")
    rules = json.loads(PODMAN.read_text())["syscalls"]
    return {
        name
        for rule in rules
        if rule["action"] == "SCMP_ACT_ALLOW"
        and set(rule.get("includes") or {}) <= {"arches", "caps"}
        and (rule.get("includes") or {}).get("caps", ["CAP_SYS_CHROOT"])[0]
        in ("CAP_SYS_CHROOT", "CAP_AUDIT_WRITE")
        for name in rule["names"]
    }


def test_nothing_is_allowed_that_podman_refuses() -> None:
    ours = {*seccomp.ALLOWED.split(), "clone", "personality", "socket"}
    assert ours - podman() <= NEWER | {"io_pgetevents"}


def test_programs_lack_only_what_nested_containers_need() -> None:
    allowed = {*seccomp.ALLOWED.split(), "clone", "personality", "socket"}
    native = {
        name
        for name in podman() - allowed
        if not name.endswith(("32", "64", "_time64", "time64"))
        and not name.startswith(("arm_", "s390_", "_"))
    }
    old = {
        *("breakpoint", "cacheflush", "epoll_ctl_old", "epoll_wait_old", "fanotify_mark", "ipc"),
        *("mmap2", "modify_ldt", "readdir", "recv", "send", "set_tls", "sigaction", "signal"),
        *("sigpending", "sigprocmask", "sigreturn", "sigsuspend", "socketcall", "sync_file_range2"),
        *("syscall", "syslog", "timerfd", "ugetrlimit", "waitpid"),
    }
    assert native - NESTED == old


def test_no_call_is_in_both_lists() -> None:
    allowed, refused = seccomp.ALLOWED.split(), seccomp.REFUSED.split()
    assert allowed == sorted(set(allowed))
    assert refused == sorted(set(refused))
    assert not {*allowed, "clone", "personality", "socket"} & {*refused}


@pytest.mark.parametrize(
    ("architecture", "name"), [("amd64", "SCMP_ARCH_X86_64"), ("arm64", "SCMP_ARCH_AARCH64")]
)
def test_only_calls_of_the_own_architecture_are_allowed(architecture: str, name: str) -> None:
    assert seccomp.profile(architecture)["architectures"] == [name]
