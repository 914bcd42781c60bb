"""The database: whole transactions, right errors, and nothing that Nix would not understand."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.nix.database import (
    Database,
    DatabaseUnusable,
    NotValid,
    PathInfo,
    StillNeeded,
    open_database,
)
from reconix.store.closure import StoreObject
from reconix.store.paths import StorePath, base32_encode

A, B, C = (StorePath(letter * 32, letter) for letter in "abc")


def info(path: StorePath, *references: StorePath) -> PathInfo:
    item = StoreObject(path, Digest.of(path.basename.encode()), 112, references)
    return PathInfo(item, registered=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(open_database(tmp_path / "db")) as database:
        yield database


def test_what_was_registered_is_known(database: Database) -> None:
    full = PathInfo(
        StoreObject(A, Digest.of(b""), 112, (A, B)),
        content_address="fixed:r:sha256:x",
        deriver=C,
        signatures=("k:1", "k:2"),
        built_here=True,
        registered=7,
    )
    database.register([full, info(B)])
    assert database.info(A) == full
    assert database.info(C) is None
    assert database.valid_paths() == {A, B}
    assert sorted(database.references()) == [(A, A), (A, B)]


def test_references_may_come_in_any_order(database: Database) -> None:
    database.register([info(A, B), info(B, C), info(C)])
    assert database.valid_paths() == {A, B, C}


def test_an_open_closure_registers_nothing(database: Database) -> None:
    with pytest.raises(NotValid, match=r"cccc-c is not valid in this store; .*bbbb-b refers to it"):
        database.register([info(A), info(B, C)])
    assert database.valid_paths() == set()


def test_registering_again_changes_nothing(database: Database) -> None:
    database.register([info(B), info(A, B)])
    before = database.info(A)
    database.register([PathInfo(StoreObject(A, Digest.of(b"other"), 1), registered=9)])
    assert database.info(A) == before


def test_what_is_needed_cannot_be_forgotten(database: Database) -> None:
    database.register([info(A, A, B), info(B)])
    with pytest.raises(StillNeeded, match="bbbb-b is still needed"):
        database.forget([B])
    assert database.valid_paths() == {A, B}
    database.forget([B, A, C])
    assert database.valid_paths() == set()


def test_signatures_are_replaced(database: Database) -> None:
    database.register([info(A)])
    database.sign(A, ["k:2", "k:1", "k:2"])
    found = database.info(A)
    assert found is not None
    assert found.signatures == ("k:1", "k:2")


def test_a_digest_in_base_32_is_understood(database: Database, tmp_path: Path) -> None:
    database.register([info(A)])
    text = f"sha256:{base32_encode(info(A).object.nar.value)}"
    with contextlib.closing(sqlite3.connect(tmp_path / "db/db.sqlite")) as other, other:
        other.execute("update ValidPaths set hash = ?", (text,))
    assert database.info(A) == info(A)


@pytest.mark.parametrize("schema", ["9", "11", "", "ten"])
def test_another_schema_is_refused(schema: str, tmp_path: Path) -> None:
    open_database(tmp_path / "db").close()
    (tmp_path / "db/schema").write_text(schema)
    with pytest.raises(DatabaseUnusable, match=rf"has schema '{schema}'; this program knows 10"):
        open_database(tmp_path / "db")


def test_a_corrupt_database_is_refused(tmp_path: Path) -> None:
    open_database(tmp_path / "db").close()
    (tmp_path / "db/db.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(DatabaseUnusable, match=r"db\.sqlite: ") as caught:
        open_database(tmp_path / "db")
    assert "restore it from a copy" in caught.value.hint


def test_a_database_without_tables_is_refused(tmp_path: Path) -> None:
    open_database(tmp_path / "db").close()
    (tmp_path / "db/db.sqlite").write_bytes(b"")
    with pytest.raises(DatabaseUnusable, match="no such table"):
        open_database(tmp_path / "db")


def test_a_missing_database_is_refused_and_not_made_anew(tmp_path: Path) -> None:
    open_database(tmp_path / "db").close()
    (tmp_path / "db/db.sqlite").unlink()
    with pytest.raises(DatabaseUnusable, match="unable to open"):
        open_database(tmp_path / "db")


def test_a_database_with_a_wrong_digest_is_refused(database: Database, tmp_path: Path) -> None:
    database.register([info(A)])
    with contextlib.closing(sqlite3.connect(tmp_path / "db/db.sqlite")) as other, other:
        other.execute("update ValidPaths set hash = 'sha256:xyz'")
    with pytest.raises(DatabaseUnusable, match="is no SHA-256 digest"):
        database.info(A)


def test_a_database_that_stays_locked_is_told(tmp_path: Path) -> None:
    with (
        contextlib.closing(open_database(tmp_path / "db", busy_seconds=0.05)) as database,
        contextlib.closing(sqlite3.connect(tmp_path / "db/db.sqlite")) as other,
    ):
        other.execute("begin immediate")
        with pytest.raises(DatabaseUnusable, match="locked") as caught:
            database.register([info(A)])
        assert "another process" in caught.value.hint
        other.execute("rollback")
        database.register([info(A)])


TEXTS = ("path", "hash", "deriver", "sigs", "ca")
NUMBERS = ("narSize", "registrationTime")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((column, value) for column in TEXTS for value in (b"blob", b"\xff")),
        *((column, value) for column in NUMBERS for value in (b"blob", "text", 1.5)),
        ("path", "no path"),
        ("hash", "sha256:" + "e" * 52),
        ("deriver", "/nix/store/x"),
        ("narSize", -1),
    ],
)
def test_a_value_of_another_kind_is_told(
    tmp_path: Path, column: str, value: bytes | float | str
) -> None:
    """SQLite keeps what it is given: a column has a type only on paper."""
    with contextlib.closing(open_database(tmp_path / "db")) as database:
        database.register([info(B), info(A, B)])
    with contextlib.closing(sqlite3.connect(tmp_path / "db/db.sqlite")) as connection:
        connection.execute(f"update ValidPaths set {column} = ? where path = ?", (value, str(B)))
        connection.commit()
    with (
        contextlib.closing(open_database(tmp_path / "db")) as database,
        pytest.raises(DatabaseUnusable),
    ):
        database.info(A if column == "path" else B)


def test_a_text_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    with contextlib.closing(open_database(tmp_path / "db")) as database:
        database.register([info(A)])
    with contextlib.closing(sqlite3.connect(tmp_path / "db/db.sqlite")) as connection:
        connection.execute("update ValidPaths set sigs = cast(x'edA080' as text)")
        connection.commit()
    with (
        contextlib.closing(open_database(tmp_path / "db")) as database,
        pytest.raises(DatabaseUnusable),
    ):
        database.info(A)
