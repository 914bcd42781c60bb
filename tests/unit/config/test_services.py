"""Built-in services: what few options come to, in the words of the programs behind them."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconix.base.process import run
from reconix.config.modules.evaluation import BUILT_IN
from reconix.config.modules.fragment import Fragment, OptionError
from reconix.config.schema.containers import Container
from reconix.config.schema.health import UnitCheck
from reconix.config.schema.values import PublishedPort
from reconix.config.services import (
    agent,
    chrony,
    console,
    containers,
    firewall,
    journal,
    mosquitto,
    nginx,
    postgresql,
    ssh,
    time,
    watchdog,
)
from reconix.config.shapes import shape_of


def text(fragment: Fragment, path: str) -> str:
    return fragment.files[path].text or ""


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_has_a_docstring_and_options_with_one(name: str) -> None:
    module = importlib.import_module(f"reconix.config.services.{name}")
    assert module.__doc__
    assert shape_of(module.Options).doc.endswith(".")


def test_the_key_of_a_host_is_made_once_whole_and_kept() -> None:
    made = ssh.configure(ssh.Options(enable=True, host_keys="/var/lib/k", port=2222))
    said = made.units["reconix-host-key.service"].text or ""
    assert "ConditionFileNotEmpty=!/var/lib/k/ed25519\n" in said
    assert "mv /var/lib/k/ed25519.new /var/lib/k/ed25519 && sync" in said
    assert "&& rm -f /var/lib/k/ed25519.new.pub && sync" in said
    assert made.persist.shared == ("/var/lib/k",)
    assert made.packages == ("dropbear",)


def test_nobody_logs_in_with_a_password() -> None:
    made = ssh.configure(ssh.Options(enable=True))
    assert text(made, "default/dropbear") == (
        'DROPBEAR_PORT=22\nDROPBEAR_EXTRA_ARGS="-s -r /var/lib/dropbear/ed25519"\n'
    )


def test_openssh_answers_by_key_only_and_a_generation_without_it_is_not_kept() -> None:
    made = ssh.configure(ssh.Options(enable=True, server=ssh.Server.OPENSSH, port=2222))
    settings = text(made, "ssh/sshd_config.d/20-reconix.conf")
    assert settings.startswith("Port 2222\nPasswordAuthentication no\n")
    assert made.packages == ("openssh-server",)
    assert made.health.checks == (UnitCheck(unit="ssh.service"),)
    assert made.set_modules == (firewall.Options(tcp=(2222,)),)


def test_a_folder_for_the_key_of_dropbear_is_a_mistake_where_openssh_answers() -> None:
    with pytest.raises(OptionError) as failure:
        ssh.configure(ssh.Options(enable=True, server=ssh.Server.OPENSSH, host_keys="/var/lib/k"))
    assert failure.value.option == "host_keys"


def test_a_firewall_lets_in_what_is_named() -> None:
    options = firewall.Options(enable=True, tcp=(80, 22), udp=(123,), trusted=("vpn*",), ping=False)
    rules = text(firewall.configure(options), "nftables.conf")
    assert "policy drop;" in rules
    assert "tcp dport { 22, 80 } accept" in rules
    assert "udp dport { 123 } accept" in rules
    assert 'iifname "lo" accept' in rules
    assert 'iifname "vpn*" accept' in rules
    assert "echo-request" not in rules


def test_a_firewall_passes_on_only_what_is_behind_an_interface_and_wanted() -> None:
    closed = text(firewall.configure(firewall.Options(enable=True)), "nftables.conf")
    assert "iifname" not in closed.partition("chain forward")[2]
    options = firewall.Options(enable=True, forward=("reconix-*",))
    chain = text(firewall.configure(options), "nftables.conf").partition("chain forward")[2]
    assert 'iifname "reconix-*" accept' in chain
    assert 'oifname "reconix-*" ct status dnat accept' in chain
    assert "policy drop;" in chain


@pytest.mark.parametrize(
    ("said", "packages"),
    [
        ({"network": "host"}, ("crun",)),
        ({"network": "none", "init": True}, ("crun", "iproute2", "catatonit")),
        ({}, ("crun", "iproute2", "nftables")),
    ],
)
def test_containers_bring_what_starts_them(said: dict[str, Any], packages: tuple[str, ...]) -> None:
    container = Container(image="oci:a", **said)
    made = containers.configure(containers.Options(containers={"a": container}))
    assert made.packages == packages
    assert containers.configure(containers.Options()) == Fragment()


def test_ports_of_a_program_that_listens_itself_are_opened() -> None:
    ports = tuple(
        map(PublishedPort.parse, ("80:80", "53:53/udp", "127.0.0.1:81:81", "[::1]:82:82"))
    )
    both = {
        "host": Container(image="oci:a", network="host", ports=ports),
        "private": Container(image="oci:a", ports=(PublishedPort(8080, 80),)),
    }
    made = containers.configure(containers.Options(containers=both))
    assert made.set_modules == (firewall.Options(tcp=(80,), udp=(53,), forward=("reconix-*",)),)


@pytest.mark.parametrize(
    "options",
    [
        firewall.Options(enable=True),
        firewall.Options(enable=True, tcp=(22, 80), udp=(123,), trusted=("eth1", "vpn*")),
        firewall.Options(enable=True, forward=("eth1", "reconix-*")),
    ],
    ids=["bare", "full", "forward"],
)
def test_nft_takes_the_rules(
    options: firewall.Options, need: Callable[..., None], tmp_path: Path
) -> None:
    need("nft", "unshare")
    rules = tmp_path / "nftables.conf"
    rules.write_text(text(firewall.configure(options), "nftables.conf"))
    run("unshare", "--net", "--map-root-user", "nft", "--check", "--file", rules)


def test_a_site_is_files_or_another_program() -> None:
    pages = nginx.Site(folder="/srv/www")
    program = nginx.Site(port=8080, proxy="http://127.0.0.1:3000", settings=("gzip on;",))
    made = nginx.configure(nginx.Options(enable=True, sites={"pages": pages, "api": program}))
    assert text(made, "nginx/sites-enabled/default") == (
        "# api\nserver {\n    listen 8080;\n    listen [::]:8080;\n"
        "    location / { proxy_pass http://127.0.0.1:3000; }\n    gzip on;\n}\n"
        "\n# pages\nserver {\n    listen 80;\n    listen [::]:80;\n    root /srv/www;\n}\n"
    )
    assert made.ports == {"80": "nginx", "8080": "nginx"}


@pytest.mark.parametrize("site", [nginx.Site(), nginx.Site(folder="/a", proxy="http://b.test")])
def test_a_site_is_not_both_or_nothing(site: nginx.Site) -> None:
    with pytest.raises(OptionError) as failure:
        nginx.configure(nginx.Options(enable=True, sites={"a": site}))
    assert failure.value.option == "sites.a"


def test_a_web_server_needs_a_site_and_chrony_a_server() -> None:
    with pytest.raises(OptionError):
        nginx.configure(nginx.Options(enable=True))
    with pytest.raises(OptionError):
        chrony.configure(chrony.Options(enable=True))


def test_a_broker_listens_where_it_is_told() -> None:
    options = mosquitto.Options(enable=True, port=8883, settings=("max_connections 9",))
    made = mosquitto.configure(options)
    assert text(made, "mosquitto/conf.d/reconix.conf") == (
        "listener 8883\nallow_anonymous false\nmax_connections 9\n"
    )
    assert made.set_modules == (firewall.Options(tcp=(8883,)),)


def test_the_folders_of_a_broker_are_there_without_programs_of_its_unit() -> None:
    made = mosquitto.configure(mosquitto.Options(enable=True))
    assert text(made, "systemd/system/mosquitto.service.d/reconix.conf") == (
        "[Service]\nExecStartPre=\n"
    )
    assert text(made, "tmpfiles.d/reconix-mosquitto.conf").splitlines() == [
        "d /var/lib/mosquitto 0700 mosquitto mosquitto",
        "d /var/log/mosquitto 0740 mosquitto mosquitto",
        "d /run/mosquitto 0740 mosquitto mosquitto",
    ]


def test_a_database_is_judged_by_its_cluster_and_open_to_whom_one_names() -> None:
    alone = postgresql.configure(postgresql.Options(enable=True, settings=("fsync = on",)))
    assert text(alone, "postgresql/17/main/conf.d/reconix.conf") == "port = 5432\nfsync = on\n"
    assert alone.health.checks[0] == UnitCheck(unit="postgresql@17-main.service")
    assert (alone.persist.paths, alone.set_modules) == (("/var/lib/postgresql",), ())
    options = postgresql.Options(enable=True, version=15, port=5433, allow=("192.0.2.0/24",))
    open_ = postgresql.configure(options)
    rules = open_.files["postgresql/15/main/pg_hba.conf"]
    assert (rules.text or "").endswith("host all all 192.0.2.0/24 scram-sha-256\n")
    assert (rules.mode, rules.owner) == (0o640, "postgres")
    assert open_.set_modules == (firewall.Options(tcp=(5433,)),)


def test_a_log_is_in_memory_or_kept() -> None:
    path = "systemd/journald.conf.d/reconix.conf"
    small = journal.configure(journal.Options(size=1 << 20, level=journal.Level.NOTICE))
    assert text(small, path) == (
        "[Journal]\nStorage=volatile\nRuntimeMaxUse=1048576\nMaxLevelStore=notice\n"
    )
    kept = journal.configure(journal.Options(keep=True, burst=10))
    assert "Storage=persistent\nSystemMaxUse=16777216\n" in text(kept, path)
    assert "RateLimitIntervalSec=30\nRateLimitBurst=10\n" in text(kept, path)
    assert kept.persist.paths == ("/var/log/journal",)


def test_the_clock_has_a_zone_and_is_set_by_whom_one_names() -> None:
    made = time.configure(time.Options(zone="Europe/Berlin", ntp=True, servers=("192.0.2.1",)))
    assert made.files["localtime"].link == "/usr/share/zoneinfo/Europe/Berlin"
    assert text(made, "systemd/timesyncd.conf.d/reconix.conf") == (
        "[Time]\nNTP=192.0.2.1\nFallbackNTP=\n"
    )
    assert made.packages == ("tzdata", "systemd-timesyncd")
    assert time.configure(time.Options()) == Fragment()


def test_chrony_keeps_the_drift_and_may_give_time() -> None:
    options = chrony.Options(enable=True, servers=("192.0.2.1",), allow=("192.0.2.0/24",))
    made = chrony.configure(options)
    assert "server 192.0.2.1 iburst\nallow 192.0.2.0/24\n" in text(made, "chrony/chrony.conf")
    assert made.persist.paths == ("/var/lib/chrony",)
    assert made.set_modules == (firewall.Options(udp=(123,)),)


def test_a_watchdog_can_be_told_how_long_or_not_at_all() -> None:
    path = "systemd/system.conf.d/reconix.conf"
    made = watchdog.configure(watchdog.Options(timeout=30, modules=("i6300esb",)))
    assert "RuntimeWatchdogSec=30\nRebootWatchdogSec=120\n" in text(made, path)
    assert made.kernel.initrd_modules == ("i6300esb",)
    assert made.kernel.parameters == ("reconix.watchdog=30",)
    off = watchdog.configure(watchdog.Options(enable=False))
    assert "RuntimeWatchdogSec=0\nRebootWatchdogSec=0\n" in text(off, path)
    assert off.kernel.parameters == ()


def test_a_console_speaks_and_lets_in_only_whom_one_names() -> None:
    silent = console.configure(console.Options(serial="ttyS0"))
    assert silent.kernel.parameters == ("console=ttyS0,115200",)
    assert silent.services.mask == ("serial-getty@ttyS0.service",)
    open_ = console.configure(console.Options(serial="ttyAMA0", speed=9600, login="root"))
    assert open_.kernel.parameters == ("console=ttyAMA0,9600",)
    said = text(open_, "systemd/system/serial-getty@ttyAMA0.service.d/reconix.conf")
    assert "--autologin root " in said
    assert (open_.packages, open_.services.mask) == (("login",), ())


def test_a_console_needs_a_line() -> None:
    with pytest.raises(OptionError):
        console.configure(console.Options(login="root"))


def test_the_agent_brings_what_it_runs_on() -> None:
    assert "python3" in agent.configure(agent.Options(enable=True)).packages
    assert agent.configure(agent.Options()) == Fragment()


@pytest.mark.parametrize(
    ("setting", "listen"), [("ssl_certificate /etc/a;", "443 ssl;"), ("gzip on;", "443;")]
)
def test_a_site_with_a_certificate_answers_with_tls(setting: str, listen: str) -> None:
    site = nginx.Site(port=443, folder="/etc/www", settings=(setting,))
    made = nginx.configure(nginx.Options(enable=True, sites={"a": site}))
    text = made.files["nginx/sites-enabled/default"].text or ""
    assert f"listen {listen}\n" in text
    assert f"listen [::]:{listen}\n" in text
