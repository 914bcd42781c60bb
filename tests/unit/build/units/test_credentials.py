"""The drop-ins that give secrets to units."""

from reconix.build.units.credentials import make_files
from reconix.config.schema.software import Secret
from reconix.store.tree import File, Symlink


def test_each_unit_has_one_drop_in_with_all_that_it_reads() -> None:
    made = make_files(
        {
            "mqtt": Secret(units=("air.service", "web@.service", "air.service")),
            "cert": Secret(units=("air.service",)),
        }
    )
    folder = "/run/reconix/data/secrets"
    assert made == {
        "systemd/system/air.service.d/reconix-secrets.conf": File(
            f"[Service]\nLoadCredential=cert:{folder}/cert\n"
            f"LoadCredential=mqtt:{folder}/mqtt\n".encode()
        ),
        "systemd/system/web@.service.d/reconix-secrets.conf": File(
            f"[Service]\nLoadCredential=mqtt:{folder}/mqtt\n".encode()
        ),
    }


def test_a_unit_starts_without_what_is_not_required() -> None:
    made = make_files({"banner": Secret(units=("air.service",), required=False)})
    assert made == {
        "systemd/system/air.service.d/reconix-secrets.conf": File(
            b"[Service]\nLoadCredential=banner:reconix-banner\n"
        ),
        "credstore/reconix-banner": Symlink("/run/reconix/data/secrets/banner"),
    }


def test_nothing_is_made_for_nothing() -> None:
    assert make_files({}) == {}
