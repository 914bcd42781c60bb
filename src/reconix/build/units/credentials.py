"""How units get their secrets: a drop-in for each that may read one.

    /etc/systemd/system/air.service.d/reconix-secrets.conf
        [Service]
        LoadCredential=mqtt-password:/run/reconix/data/secrets/mqtt-password

The value is read by systemd when it starts the unit, and is for that unit alone. Without it the
unit does not start (243/CREDENTIALS). A value that is not required is looked for in another way,
which a missing file does not end: by its name in the credential store, where a link leads to it.

    LoadCredential=banner:reconix-banner
    /etc/credstore/reconix-banner -> /run/reconix/data/secrets/banner

Source: systemd.exec(5), *LoadCredential=*.
Tested by ``tests/unit/build/units/test_credentials.py`` and ``tests/vm/test_schedule.py``.
"""

from collections.abc import Mapping

from reconix.build.units.unit_files import FOLDER
from reconix.config.schema.software import Secret
from reconix.device.paths import Paths
from reconix.store.tree import File, Symlink

DROP_IN = "reconix-secrets.conf"


def make_files(secrets: Mapping[str, Secret]) -> dict[str, File | Symlink]:
    """The drop-ins and links, by path below ``/etc``."""
    lines: dict[str, list[str]] = {}
    for name, secret in sorted(secrets.items()):
        source = str(Paths().secrets / name) if secret.required else f"reconix-{name}"
        for unit in dict.fromkeys(secret.units):
            said = lines.setdefault(unit, ["[Service]"])
            said.append(f"LoadCredential={name}:{source}")
    return {
        **{
            f"{FOLDER}/{unit}.d/{DROP_IN}": File("".join(f"{line}\n" for line in said).encode())
            for unit, said in sorted(lines.items())
        },
        **{
            f"credstore/reconix-{name}": Symlink(str(Paths().secrets / name))
            for name, secret in sorted(secrets.items())
            if not secret.required
        },
    }
