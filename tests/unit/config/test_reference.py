import os
from pathlib import Path

import pytest

from reconix.config.reference import print_markdown, print_schemas

DOCS = Path(__file__).parents[3] / "docs"
GENERATED = {
    "options.md": print_markdown(),
    **{f"schema/{name}": content for name, content in print_schemas().items()},
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
