"""Accounts: as packages have made them."""

from pathlib import Path

import pytest

from reconix.build.users.accounts import Accounts, BadAccounts


@pytest.fixture
def root(tmp_path: Path) -> Accounts:
    (tmp_path / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\nmosquitto:x:100:101::/var/lib/mosquitto:/bin/false\n"
    )
    (tmp_path / "group").write_text("root:x:0:\nadm:x:4:\nmosquitto:x:101:\n")
    return Accounts.read(tmp_path)


def test_accounts_of_the_root_are_printed_as_they_were_read(root: Accounts, tmp_path: Path) -> None:
    assert root.files()["passwd"] == (tmp_path / "passwd").read_bytes()
    assert root.files()["group"] == (tmp_path / "group").read_bytes()


@pytest.mark.parametrize("line", ["root", "root:x:0:zero::/:/bin/sh", f"root:x:{'1' * 5000}:0::/:"])
def test_a_line_that_is_none_is_told(root: Accounts, tmp_path: Path, line: str) -> None:
    (tmp_path / "passwd").write_text(f"{line}\n")
    with pytest.raises(BadAccounts):
        Accounts.read(tmp_path)
