import os
from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.config.file_kinds import built_in_shapes
from reconix.config.reference import entries, print_markdown, print_schemas, select

DOCS = Path(__file__).parents[3] / "docs"
SHAPES = built_in_shapes()
GENERATED = {
    "options.md": print_markdown(SHAPES),
    **{f"schema/{name}": content for name, content in print_schemas(SHAPES).items()},
}


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_from_the_schema_is_current(name: str) -> None:
    file = DOCS / name
    if os.environ.get("ACCEPT"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(GENERATED[name])
    assert file.read_bytes() == GENERATED[name], "renew it: ACCEPT=1 pytest tests/unit/config"


def test_every_option_stands_in_the_manual_with_default_and_example() -> None:
    manual = GENERATED["options.md"].decode()
    assert "**`boot.slot_size`**" in manual
    assert 'Default: `"64M"`.' in manual
    assert '    boot.slot_size = "128M"' in manual
    assert "**`users.<name>.authorized_keys_files`**" in manual
    assert "**`kernel.package`**" in manual
    assert "Must be set." in manual
    assert "Set it when the network assigns addresses." in manual


def test_an_option_is_found_by_its_name_and_by_the_table_that_holds_it() -> None:
    assert [entry.key for entry in select(SHAPES, "boot.slots")] == ["boot.slots"]
    assert [entry.key for entry in select(SHAPES, "health")] == [
        "health.timeout",
        "health.checks",
        "health.containers",
        "health.stable",
        "health.retries",
    ]
    (shell,) = select(SHAPES, "users.operator.shell")
    assert shell.key == "users.<name>.shell"
    assert shell.default == 'Default: "/bin/bash".'
    assert shell.example == 'users.<name>.shell = "/bin/sh"'


def test_an_option_that_there_is_not_names_the_nearest() -> None:
    with pytest.raises(UsageError) as failure:
        select(SHAPES, "boot.slot")
    assert failure.value.hint == "did you mean boot.slots?"


def test_options_of_modules_stand_in_the_manual_beside_all_others() -> None:
    assert {"ssh.port", "nginx.sites.<name>.folder"} <= {entry.key for entry in entries(SHAPES)}
    assert "### `[nginx.sites.<name>]`" in GENERATED["options.md"].decode()
