"""Which system calls a container has.

Most of what has been found in the kernel was behind a call that no server needs. So there is a list
of what programs do need, and everything else is refused: with ``EPERM`` what programs expect to be
refused to whom is not root, with ``ENOSYS`` the rest, as if the kernel did not have it yet; then C
libraries take an older way.

The list is that of the engines without what belongs to other machines, and without what podman
allows for containers in containers: mounting, namespaces of one's own, keys. Sockets are of the
families that programs on devices use. A name that libseccomp does not know is passed over by crun.

Only calls of the machine's own kind are allowed: a program for 32 bits is ended (decision 0077).

Source: containers-common, ``seccomp.json``; moby, ``profiles/seccomp/default.json``; OCI runtime
specification 1.0, *Seccomp*.
Tested by ``tests/unit/containers/runtime/test_seccomp.py``, against the list of containers-common.
"""

from collections.abc import Iterator, Mapping

from reconix.base.documents import JsonInput

ARCHITECTURES = {
    "amd64": "SCMP_ARCH_X86_64",
    "arm64": "SCMP_ARCH_AARCH64",
    "armhf": "SCMP_ARCH_ARM",
}

ALLOWED = """
accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown
chroot clock_adjtime clock_getres clock_gettime clock_nanosleep close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate
fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork
fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv
futex_wake futimesat get_mempolicy get_robust_list get_thread_area getcpu getcwd getdents getdents64
getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority
getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday
getuid getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel
io_destroy io_getevents io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill
landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen
listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack mbind
membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap
mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl
msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open
openat openat2 pause pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv
process_vm_writev pselect6 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv
recvfrom recvmmsg recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl
semget semop semtimedop sendfile sendmmsg sendmsg sendto set_mempolicy set_mempolicy_home_node
set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid
setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr
setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat
statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork wait4
waitid write writev
"""
"""With any arguments."""

REFUSED = """
acct add_key bpf clock_settime delete_module fanotify_init finit_module fsconfig fsmount fsopen
fspick get_kernel_syms init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp
kexec_file_load kexec_load keyctl lookup_dcookie migrate_pages mount mount_setattr move_mount
move_pages open_by_handle_at open_tree perf_event_open pivot_root quotactl quotactl_fd reboot
request_key setdomainname sethostname setns settimeofday swapoff swapon syslog umount2 unshare
userfaultfd vhangup vmsplice
"""
"""As to whom is not root."""

_ALLOW, _ERROR = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
_EPERM, _ENOSYS = 1, 38
_CLONE_NAMESPACES = 0x7E02_0000
"""``CLONE_NEWNS``, ``NEWCGROUP``, ``NEWUTS``, ``NEWIPC``, ``NEWUSER``, ``NEWPID``, ``NEWNET``."""
_PER_LINUX32, _UNAME26, _WHICH = 0x8, 0x2_0000, 0xFFFF_FFFF
_PERSONALITIES = (0, _PER_LINUX32, _UNAME26, _UNAME26 | _PER_LINUX32, _WHICH)
"""Those of the engines: plain Linux, of 32 bits, with old version numbers, and the question."""
_UNIX, _IPV4, _IPV6, _NETLINK, _PACKET, _CAN, _BLUETOOTH = 1, 2, 10, 16, 17, 29, 31
_FAMILIES = (_UNIX, _IPV4, _IPV6, _PACKET, _CAN, _BLUETOOTH)
_NETLINK_AUDIT = 9


def profile(architecture: str) -> Mapping[str, JsonInput]:
    """What crun is told, for one architecture as Debian calls it."""
    return {
        "defaultAction": _ERROR,
        "defaultErrnoRet": _ENOSYS,
        "architectures": [ARCHITECTURES[architecture]],
        "syscalls": [
            {"names": REFUSED.split(), "action": _ERROR, "errnoRet": _EPERM},
            {"names": ALLOWED.split(), "action": _ALLOW},
            *_with_arguments(),
        ],
    }


def _with_arguments() -> Iterator[JsonInput]:
    yield _rule("clone", _argument(0, _CLONE_NAMESPACES, "SCMP_CMP_MASKED_EQ"))
    for personality in _PERSONALITIES:
        yield _rule("personality", _argument(0, personality))
    for family in _FAMILIES:
        yield _rule("socket", _argument(0, family))
    audit = _argument(2, _NETLINK_AUDIT, "SCMP_CMP_NE")
    yield _rule("socket", _argument(0, _NETLINK), audit)


def _rule(name: str, *arguments: JsonInput) -> JsonInput:
    return {"names": [name], "action": _ALLOW, "args": arguments}


def _argument(index: int, value: int, operator: str = "SCMP_CMP_EQ") -> JsonInput:
    """A number that an argument must be; of masked ones, the bits that must not be set."""
    return {"index": index, "value": value, "valueTwo": 0, "op": operator}
