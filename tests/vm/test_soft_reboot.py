"""Systems take over from one another under the same kernel, again and again, and leave nothing.

Two systems of one package set: the default one, and one that keeps a counter and serves files. The
kernel, systemd and the scripts are the real ones.
"""

from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import PROGRAMS, booted
from tests.vm.device import Device
from tests.vm.project import KEEPS_HOST_KEY, MACHINE, Project

WORKER = """\
[units."worker.service"]
text = '''
[Service]
RuntimeDirectory=worker
ExecStartPre=/bin/sh -c 'echo started >> /var/lib/worker/starts; echo x > /run/left-behind'
ExecStart=/usr/bin/python3 -m http.server 8080
[Install]
WantedBy=multi-user.target
'''
[persist]
paths = ["/var/lib/worker", "/opt/air/data"]
[users.air]
system = true
[trees."/opt/air"]
source = "../../../air"
owner = "air"
[trees."/usr/local/share/air"]
source = "../../../air/share"
[files."/srv/air/notes/one"]
text = "one"
owner = "air"
[units."air.service"]
exec = "/opt/air/bin/air"
user = "air"
[files."tmpfiles.d/worker.conf"]
text = "d /var/lib/worker 0755 root root -"
[health]
checks = [{ unit = "worker.service" }, { tcp = 8080 }, { failed_units = 0 }]
"""
AIR = """\
#!/bin/sh
id -un >> /opt/air/data/runs
touch /opt/air/x || echo read-only >> /opt/air/data/runs
exec sleep infinity
"""
SEEN = (
    "stat -c '%a %U' /opt/air/bin/air /srv/air/notes/one /usr/local/share/air/note; "
    "cat /srv/air/notes/one /usr/local/share/air/note; echo; cat /opt/air/data/runs"
)
"""What a system has of the team's own: bound, laid over the root, and what its program has kept."""
BROKEN = """\
[health]
timeout = "20s"
checks = [{ tcp = 4444 }]
"""
VARIABLES = "/sys/firmware/efi/efivars"
LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"


def write_variable(name: str, text: str) -> str:
    """The command that sets a variable of the boot loader, as bootctl(1) would."""
    content = b"\7\0\0\0" + f"{text}\0".encode("utf-16-le")
    spelled = "".join(f"\\{byte:03o}" for byte in content)
    return f"printf '{spelled}' > {VARIABLES}/{name}-{LOADER}"


INHIBITED = (
    "(systemd-inhibit --what=shutdown --who=recorder --why='the film is not whole' --mode=block "
    "sleep 60 > /dev/null 2>&1 & echo $! > /run/recorder); sleep 2; "
    "reconix-device boot default --now --full 2>&1; echo $?; kill $(cat /run/recorder)"
)
"""A restart while a program is in the way; then it is not any more."""

RUDE = (
    "systemd-run --quiet --unit=rude --uid=nobody sh -c 'touch /dev/shm/..hidden; "
    "for path in $(find /run/reconix -perm -o=r ! -type l ! -path */nix/* 2> /dev/null); do "
    "flock $path sleep infinity & done; wait'"
)
"""`nobody` locks whatever it can open, for as long as it runs, and leaves something in memory."""

SET_BY_OTHERS = "; ".join(
    (
        write_variable("LoaderEntryDefault", "worker.conf"),
        write_variable("LoaderConfigTimeout", "1"),
    )
)
MOUNTS = "grep -v -e binfmt -e credentials /proc/self/mounts | cut -d ' ' -f 2 | sort"
"""Where something is mounted, but for what comes and goes while a system runs."""
LOOPS = "basename -a $(cat /sys/block/loop*/loop/backing_file) | sort"
"""The images that are mounted, each as often as it is."""


@pytest.mark.vm
@pytest.mark.archive
def test_systems_take_over_under_one_kernel_and_leave_nothing(tmp_path: Path, need: Need) -> None:
    need(*PROGRAMS)
    systems = {"default": "", "worker": WORKER, "broken": BROKEN}
    machine_with_login = MACHINE.replace('"python3"]', '"python3", "dbus"]')
    project = Project.make(tmp_path / "project", machine_with_login + KEEPS_HOST_KEY, systems)
    for name, text in {"bin/air": AIR, "share/note": "note", "data/.keep": ""}.items():
        (project.folder / "air" / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / "air" / name).write_text(text)
    (project.folder / "air/bin/air").chmod(0o700)
    project.reconix("lock")
    with booted(project.image(), tmp_path / "device", [22]) as machine:
        device = Device(machine, project.login)
        device.wait_for("default", soft_reboots=0)
        boot_id = device.status().object("booted").text("boot_id")
        assert device.status().objects("events") == [], (
            "OVMF and systemd-boot leave nothing to remove"
        )
        mounts: dict[str, set[str]] = {"worker": set(), "default": set()}
        device.ask(RUDE)
        device.wait_until("! flock -n /run/reconix/system/reconix true", "it locks nothing")
        device.ask("systemd-run --unit=doomed /bin/false")  # and it counts for nobody after this
        device.wait_until("systemctl is-failed doomed", "it does not fail")
        for number, system in enumerate(("worker", "default", "worker", "default"), 1):
            device.switch(system)
            device.wait_for(system, soft_reboots=number)
            runs = device.status().object("booted")
            assert (runs.text("system"), runs.number("soft_reboots")) == (system, number)
            assert runs.text("boot_id") == boot_id
            mounts[system].add(device.ask(MOUNTS))
            if system == "worker":
                device.wait_until("systemctl is-active --quiet air", "its program does not run")
                runs_of_air = ["air", "read-only"] * ((number + 1) // 2)
                assert device.ask(SEEN).split() == [
                    *("755", "air", "644", "air", "644", "root", "onenote", *runs_of_air),
                ]
            assert device.ask(f"{MOUNTS} | grep /nix/store") == "/nix/store"
            images = device.ask("tr , '\\n' < /run/reconix/images")
            assert device.ask(LOOPS) == images, "and no image of the system before"
            assert device.ask("ls -A /run/nextroot /dev/shm | grep -c hidden; true") == "0"
            assert device.ask("ls /run/nextroot | wc -l") == "0"
            assert device.status().items("faults") == []
        assert [len(each) for each in mounts.values()] == [1, 1], "the mounts are always the same"
        assert device.ask("systemctl list-units --all --plain 'worker*'").count("0 loaded") == 1
        assert device.ask("ls /run/left-behind /etc/tmpfiles.d/worker.conf 2>&1 | wc -l") == "2"
        assert device.ask("ls -d /run/left-behind /run/worker 2>/dev/null | wc -l") == "0"
        said = device.ask(INHIBITED)
        assert "recorder (the film is not whole) is in the way" in said and said.endswith("73")
        device.ask("reconix-device boot default --always")  # it is taken back
        device.ask(SET_BY_OTHERS)
        ahead = device.status().object("next")
        assert (ahead.text("system"), "LoaderConfigTimeout" in ahead.text("astray")) == (
            "worker",
            True,
        )
        device.switch("broken")  # which removes that; it is not healthy: a real boot follows
        device.wait_for("default", soft_reboots=0)
        after = device.status()
        assert after.object("booted").text("boot_id") != boot_id
        events = [event.text("event") for event in after.objects("events")]
        assert events[-3:] == ["setting-removed", "setting-removed", "system-unhealthy"]
        assert after.object("next").text("system") == "default"
        assert not after.object("next").has("astray")
        kept = device.ask("cat /run/reconix/data/systems/worker/var/lib/worker/starts")
        assert kept.split() == ["started"] * 2
