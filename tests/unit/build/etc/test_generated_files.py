"""Generated files: what the configuration says, in the words of the programs that read them."""

from pathlib import Path

import pytest
from tests.project_files import enough

from reconix.build.etc.generated_files import Etc, make_etc
from reconix.build.root.described import Packages
from reconix.build.units.enabling import UnknownUnit
from reconix.build.users.accounts import Accounts, UnknownAccount
from reconix.build.users.configured_users import with_users
from reconix.config.schema.containers import Container
from reconix.config.schema.health import Health, UnitCheck
from reconix.config.schema.software import Secret
from reconix.config.schema.system import File as ConfiguredFile
from reconix.config.schema.system import Kernel, Network, Services, System, Unit, User
from reconix.store.images.nodes import Metadata
from reconix.store.tree import File, Symlink, files

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me"
KERNEL = Kernel(package="linux-image-cloud-amd64")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\nmosquitto:x:100:101::/:/bin/x\n")
    (etc / "group").write_text("root:x:0:\nadm:x:4:\nmosquitto:x:101:\n")
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for name in ("systemd-networkd", "dropbear"):
        (units / f"{name}.service").write_text("[Install]\nWantedBy=multi-user.target\n")
    return tmp_path


def make(system: System, root: Path) -> Etc:
    return make_etc(
        system,
        hostname="gw",
        accounts=with_users(Accounts.read(root / "etc"), system.users, {"ann": 31415}),
        packages=Packages(root, {}),
        agent="/nix/store/x/agent.pyz",
        agent_units={},
    )


def text(etc: Etc, path: str) -> str:
    node = dict(files(etc.tree))[path]
    assert isinstance(node, File)
    return node.content.decode()


def test_a_device_knows_its_name_and_the_way_to_its_agent(root: Path) -> None:
    etc = make(System(kernel=KERNEL), root)
    assert text(etc, "hostname") == "gw\n"
    assert dict(files(etc.tree))["reconix/reconix-device.pyz"] == Symlink("/nix/store/x/agent.pyz")
    assert text(etc, "machine-id") == ""


def test_a_unit_gets_its_secrets_and_one_that_is_not_there_is_told(root: Path) -> None:
    secrets = {"banner": Secret(units=("dropbear.service",))}
    etc = make(System(kernel=KERNEL, secrets=secrets), root)
    drop_in = "systemd/system/dropbear.service.d/reconix-secrets.conf"
    assert "LoadCredential=banner:/run/reconix/data/" in text(etc, drop_in)
    with pytest.raises(UnknownUnit, match=r"secrets\.banner is for dropbaer\.service") as failure:
        make(System(kernel=KERNEL, secrets={"banner": Secret(units=("dropbaer.service",))}), root)
    assert failure.value.hint == "did you mean dropbear.service?"


def test_a_unit_of_a_container_may_be_waited_for_and_gets_its_secrets_where_it_is(
    root: Path,
) -> None:
    """It is in the object with the containers, which can change while all of this stays."""
    unit = "container-web.service"
    system = System(
        kernel=KERNEL,
        containers={"web": Container(image=None, packages=("nginx",), secrets=("token",))},
        secrets={"token": Secret(units=("dropbear.service", unit))},
        health=Health(checks=(UnitCheck(unit=unit),)),
    )
    paths = [path for path, _ in files(make(system, root).tree)]
    assert "systemd/system/dropbear.service.d/reconix-secrets.conf" in paths
    assert not [path for path in paths if unit in path]


def test_a_network_is_described_to_networkd_which_is_started(root: Path) -> None:
    lan = Network(match="en*", address=("192.0.2.2/24",), gateway="192.0.2.1", dns=("192.0.2.1",))
    etc = make(System(kernel=KERNEL, network={"lan": lan}), root)
    assert text(etc, "systemd/network/10-lan.network") == (
        "[Match]\nName=en*\n\n[Network]\nDHCP=no\nAddress=192.0.2.2/24\n"
        "Gateway=192.0.2.1\nDNS=192.0.2.1\n"
    )
    link = "systemd/system/multi-user.target.wants/systemd-networkd.service"
    assert link in dict(files(etc.tree))


def test_who_wants_to_be_online_waits_for_networkd_but_not_longer_than_a_trial(root: Path) -> None:
    units = root / "usr/lib/systemd/system"
    online = "systemd-networkd-wait-online.service"
    with (units / "systemd-networkd.service").open("a") as file:
        file.write(f"Also={online}\n")
    (units / online).write_text("[Install]\nWantedBy=network-online.target\n")
    lan, health = Network(dhcp=True), Health(timeout=60)
    etc = make(System(kernel=KERNEL, network={"lan": lan}, health=health), root)
    assert f"systemd/system/network-online.target.wants/{online}" in dict(files(etc.tree))
    assert "wait-online --timeout=30\n" in text(etc, f"systemd/system/{online}.d/reconix.conf")


def test_a_package_whose_secret_a_root_has_not_gets_one_that_is_made_before_it_starts(
    root: Path,
) -> None:
    (root / "usr/sbin").mkdir()
    (root / "usr/sbin/sshd").touch()
    etc = make(System(kernel=KERNEL), root)
    unit = "systemd/system/sysinit.target.wants/reconix-secret-openssh.service"
    assert unit in dict(files(etc.tree))
    place = "C /etc/ssh/ssh_host_rsa_key 0600 root root - /var/lib/reconix/secrets/openssh/"
    assert place in text(etc, "tmpfiles.d/reconix-secrets.conf")


def test_nobody_has_a_password_and_keys_are_those_of_the_generation(root: Path) -> None:
    people = {"ann": User(authorized_keys=(KEY,)), "root": User(authorized_keys=(KEY,))}
    etc = make(System(kernel=KERNEL, users=people), root)
    assert text(etc, "reconix/authorized_keys/ann") == f"{KEY}\n"
    accounts = enough(text(etc, "shadow").splitlines(), at_least=2, what="accounts")
    assert all(":*:" in line for line in accounts)


def test_a_file_may_be_a_link(root: Path) -> None:
    zone = ConfiguredFile(link="/usr/share/zoneinfo/Europe/Berlin")
    made = dict(files(make(System(kernel=KERNEL, files={"localtime": zone}), root).tree))
    assert made["localtime"] == Symlink("/usr/share/zoneinfo/Europe/Berlin")


def test_what_every_system_has_gives_way_to_what_is_configured(root: Path) -> None:
    path = "systemd/journald.conf.d/reconix.conf"
    assert "RuntimeMaxUse=16M" in text(make(System(kernel=KERNEL), root), path)
    own = {path: ConfiguredFile(text="[Journal]\n")}
    assert text(make(System(kernel=KERNEL, files=own), root), path) == "[Journal]\n"


def test_files_have_their_content_owner_and_mode(root: Path) -> None:
    secret = ConfiguredFile(text="a\n", mode=0o600, owner="mosquitto", group="mosquitto")
    etc = make(System(kernel=KERNEL, files={"mosquitto/passwd": secret}), root)
    assert text(etc, "mosquitto/passwd") == "a\n"
    said = dict(etc.metadata)
    assert said[b"mosquitto/passwd"] == Metadata(0o600, 100, 101)
    assert said[b"mosquitto"] == said[b"."] == Metadata(0o755)
    assert said[b"hostname"] == Metadata(0o644)


def test_what_gives_systemd_the_units_of_containers_can_be_run(root: Path) -> None:
    said = dict(make(System(kernel=KERNEL), root).metadata)
    assert said[b"systemd/system-generators/reconix-containers"] == Metadata(0o755)


def test_a_file_of_somebody_unknown_is_an_error(root: Path) -> None:
    file = ConfiguredFile(text="", owner="nobody-here")
    with pytest.raises(UnknownAccount, match="nobody-here"):
        make(System(kernel=KERNEL, files={"x": file}), root)


def test_kernel_settings_and_modules_are_files(root: Path) -> None:
    kernel = Kernel(package="linux-image-amd64", modules=("i6300esb",))
    etc = make(System(kernel=kernel, sysctl={"vm.swappiness": "10"}), root)
    assert text(etc, "sysctl.d/90-reconix.conf") == "vm.swappiness = 10\n"
    assert text(etc, "modules-load.d/reconix.conf") == "i6300esb\n"


def test_own_units_are_there_and_start(root: Path) -> None:
    unit = Unit(text="[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    etc = make(System(kernel=KERNEL, units={"own.service": unit}), root)
    assert "ExecStart" in text(etc, "systemd/system/own.service")
    assert "systemd/system/multi-user.target.wants/own.service" in dict(files(etc.tree))


def test_what_packages_would_do_by_themselves_is_off(root: Path) -> None:
    made = dict(files(make(System(kernel=KERNEL, services=Services()), root).tree))
    assert made["systemd/system/apt-daily.timer"] == Symlink("/dev/null")
