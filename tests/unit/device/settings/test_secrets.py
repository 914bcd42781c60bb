"""What a system says about its secrets is read as it was written."""

import pytest
from tests.asking import ASKED
from tests.device_model import Machine

from reconix.base.documents import BadDocument
from reconix.base.secret_values import BadSecret
from reconix.device.settings.secrets import parse_secrets, print_secrets, read_secrets


def test_printing_and_parsing_are_inverse_in_any_order() -> None:
    printed = print_secrets(ASKED)
    assert print_secrets(reversed(ASKED)) == printed
    assert parse_secrets(printed, source="x") == tuple(sorted(ASKED))


def test_a_system_that_says_nothing_asks_for_none(machine: Machine) -> None:
    machine.boot()
    for system in machine.read(machine.generations["one"]).systems:
        assert read_secrets(machine.registry, system.toplevel) == ()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"{}", BadDocument),
        (b'{"version": 2, "secrets": []}', BadDocument),
        (
            b'{"version": 1, "secrets": [{"name": "a", "units": [1], "required": true}]}',
            BadDocument,
        ),
        (b'{"version": 1, "secrets": [{"name": "a/b", "units": [], "required": true}]}', BadSecret),
    ],
)
def test_what_is_malformed_is_refused(content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_secrets(content, source="x")
