"""What we write for Wi-Fi, read by the real wpa_supplicant and systemd."""

import random
import re
import string
import time
from pathlib import Path

from tests.conftest import Need

from reconix.base.process import run, start
from reconix.build.units import wifi
from reconix.config.schema.system import Kernel, Network, System
from reconix.device.settings.wifi import Wifi, wpa_supplicant

KEY = "00112233445566778899aabbccddeeff" * 2
NASTY = (
    '"quoted"',
    "a # not a comment",
    '\\"\\\\x41--',
    "  spaces  ",
    "}}}}}}}}",
    "x" * 63,
    'a"b"c"d"',
)
PRINTABLE = string.printable[:95]
_SECONDS = 30.0
_PASSPHRASE = re.compile(
    r"PSK \(ASCII passphrase\) - hexdump_ascii\(len=(\d+)\):\n((?:     .*\n)+)"
)
_SSID = re.compile(r"^ssid - hexdump_ascii\(len=(\d+)\):\n((?:     .*\n)+)", re.MULTILINE)


def passwords() -> list[str]:
    chance = random.Random(7)
    made = ["".join(chance.choices(PRINTABLE, k=chance.randint(8, 63))) for _ in range(40)]
    return [*NASTY, *made]


def read_by_wpa_supplicant(text: str, folder: Path) -> str:
    """What it says about its settings while it reads them, passwords included."""
    settings, log = folder / "settings", folder / "log"
    settings.write_text(text.replace("=/run/wpa_supplicant", f"={folder}/control"))
    child = start("wpa_supplicant", "-Dnone", "-ilo", f"-c{settings}", f"-f{log}", "-dd", "-K")
    try:
        deadline = time.monotonic() + _SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            if log.exists() and "Added interface" in log.read_text():
                break
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
    return log.read_text()


def dumped(found: list[tuple[str, str]]) -> list[bytes]:
    """The bytes of hexadecimal dumps; behind 16 of a line stand their letters."""
    texts = ["".join(line[5:52] for line in body.splitlines()) for _, body in found]
    return [bytes.fromhex(text)[: int(size)] for (size, _), text in zip(found, texts, strict=True)]


def test_every_password_and_name_is_read_as_it_was_meant(tmp_path: Path, need: Need) -> None:
    need("wpa_supplicant")
    wanted = passwords()
    names = [f'ü {number} "\\' for number in range(len(wanted))]
    texts = [
        wpa_supplicant(Wifi(name, "DE", "wifi"), password.encode()).decode()
        for name, password in zip(names, wanted, strict=True)
    ]
    head = texts[0].partition("network={")[0]
    networks = "".join(text.removeprefix(head) for text in texts)
    said = read_by_wpa_supplicant(head + networks, tmp_path)
    assert dumped(_PASSPHRASE.findall(said)) == [password.encode() for password in wanted]
    assert dumped(_SSID.findall(said)) == [name.encode() for name in names]
    assert "country='DE'" in said and "sae_pwe=2" in said
    assert said.count("key_mgmt: 0x502\n") == len(wanted)  # WPA-PSK, its SHA-256, SAE
    assert "Failed" not in said and "Invalid" not in said


def test_a_key_and_an_open_network_are_read(tmp_path: Path, need: Need) -> None:
    need("wpa_supplicant")
    told = wpa_supplicant(Wifi("a", None, "b"), KEY.encode()).decode()
    said = read_by_wpa_supplicant(told, tmp_path)
    (shown,) = re.findall(r"PSK - hexdump\(len=32\): ([0-9a-f ]+)", said)
    assert bytes.fromhex(shown) == bytes.fromhex(KEY)
    assert "key_mgmt: 0x102\n" in said
    (tmp_path / "log").unlink()
    said = read_by_wpa_supplicant(wpa_supplicant(Wifi("guests"), None).decode(), tmp_path)
    assert "key_mgmt: 0x4\n" in said


SYSTEM = System(
    kernel=Kernel(package="linux-image-amd64"),
    network={
        "workshop": Network(match="wl*", ssid="workshop", password_secret="wifi", dhcp=True),
        "wlan1": Network(ssid="guests", open=True, dhcp=True),
    },
)


def test_systemd_takes_the_units(tmp_path: Path, need: Need) -> None:
    need("systemd-analyze", "wpa_supplicant")
    for name, text in wifi.make_units(SYSTEM).items():
        unit = tmp_path / name.replace("@.", "@wlan0.")
        # Of systemd 254; that of the build machine may be older.
        unit.write_bytes(re.sub(rb"Restart(Steps|MaxDelaySec)=.*\n", b"", text))
        said = run("systemd-analyze", "verify", unit)
        assert said == b""
