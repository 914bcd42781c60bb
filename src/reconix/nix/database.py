"""The database of a Nix store: which paths are valid, and what is known about them.

It is an SQLite file, ``<root>/nix/var/nix/db/db.sqlite``, in schema 10; a second file ``schema``
holds the number. Three tables: ``ValidPaths``, ``Refs`` between them, and the outputs of
derivations. The real Nix may use the same file at the same time, so we do as it does: write-ahead
log, foreign keys on, one transaction for each change, wait while another process writes, and hold
``big-lock`` shared for as long as the database is open, so that nobody changes the schema under
us.

This is the only module with SQL in it.

Source: ``libstore/schema.sql`` and ``libstore/local-store.cc`` of Nix 2.8.
Tested by ``tests/compat/test_nix_store.py``: the schema equals that of a store which Nix made,
and Nix queries, verifies and collects a store that we made.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base.digests import BadDigest, Digest
from reconix.base.errors import ReconixError
from reconix.base.files import open_lock, read_bounded, write_durably
from reconix.store.closure import BadClosure, StoreObject
from reconix.store.paths import BadStorePath, StorePath, base32_decode

SCHEMA = 10
BUSY_SECONDS = 600.0
"""How long we wait for another process that writes."""

# letter by letter what Nix creates
_TABLES = """
create table if not exists ValidPaths (
    id               integer primary key autoincrement not null,
    path             text unique not null,
    hash             text not null,
    registrationTime integer not null,
    deriver          text,
    narSize          integer,
    ultimate         integer, -- null implies "false"
    sigs             text, -- space-separated
    ca               text -- if not null, an assertion that the path is \
content-addressed; see ValidPathInfo
);

create table if not exists Refs (
    referrer  integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
);

create index if not exists IndexReferrer on Refs(referrer);
create index if not exists IndexReference on Refs(reference);

-- Paths can refer to themselves, causing a tuple (N, N) in the Refs
-- table.  This causes a deletion of the corresponding row in
-- ValidPaths to cause a foreign key constraint violation (due to `on
-- delete restrict' on the `reference' column).  Therefore, explicitly
-- get rid of self-references.
create trigger if not exists DeleteSelfRefs before delete on ValidPaths
  begin
    delete from Refs where referrer = old.id and reference = old.id;
  end;

create table if not exists DerivationOutputs (
    drv  integer not null,
    id   text not null, -- symbolic output id, usually "out"
    path text not null,
    primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
);

create index if not exists IndexDerivationOutputs on DerivationOutputs(path);
"""

_COLUMNS = "id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca"


class DatabaseUnusable(ReconixError):
    """The database of a store has another schema, is damaged, or stays locked."""

    exit_code = 24


class NotValid(ReconixError):
    """A path is not registered in a store."""

    exit_code = 25

    def __init__(self, path: StorePath, *, needed_by: StorePath | None = None) -> None:
        reason = f"; {needed_by} refers to it" if needed_by else ""
        super().__init__(
            f"{path} is not valid in this store{reason}", hint="build or fetch it first"
        )
        self.path = path


class StillNeeded(ReconixError):
    """A path cannot be forgotten because another one refers to it."""

    exit_code = 25


@dataclass(frozen=True, slots=True)
class PathInfo:
    """A row of ``ValidPaths`` with its references."""

    object: StoreObject
    content_address: str | None = None  # as Nix spells it: fixed:r:sha256:<base 32>
    deriver: StorePath | None = None
    signatures: tuple[str, ...] = ()
    built_here: bool = False  # Nix: ultimate
    registered: int = 0  # seconds since the epoch

    @property
    def path(self) -> StorePath:
        """The name of the object."""
        return self.object.path


class Database:
    """The database of one store, open; make it with ``open_database``."""

    def __init__(self, connection: sqlite3.Connection, lock: int, source: Path) -> None:
        self._connection = connection
        self._lock = lock
        self._source = source

    def close(self) -> None:
        """Let go of file and lock."""
        self._connection.close()
        os.close(self._lock)

    def info(self, path: StorePath) -> PathInfo | None:
        """What is registered about a path, if it is valid."""
        with self._translating():
            found = self._connection.execute(
                f"select {_COLUMNS} from ValidPaths where path = ?", (str(path),)
            ).fetchone()
            return self._path_info(found) if found else None

    def valid_paths(self) -> set[StorePath]:
        """All valid paths."""
        with self._translating():
            rows = self._connection.execute("select path from ValidPaths")
            return {_path(value) for (value,) in rows}

    def references(self) -> list[tuple[StorePath, StorePath]]:
        """Who refers to whom, of all valid paths: referrer and reference."""
        with self._translating():
            rows = self._connection.execute(
                "select one.path, other.path from Refs "
                "join ValidPaths one on referrer = one.id "
                "join ValidPaths other on reference = other.id"
            )
            pairs = rows.fetchall()
        known = {value: _path(value) for pair in pairs for value in pair}
        return [(known[one], known[other]) for one, other in pairs]

    def register(self, infos: Iterable[PathInfo]) -> None:
        """Make paths valid, all of them or none; what is valid already is left as it is.

        Raises:
            NotValid: one refers to a path that is neither valid nor among them.
        """
        items = list(infos)
        with self._transaction():
            fresh = [info for info in items if self._insert(info)]
            for info in fresh:
                self._insert_references(info.object)

    def sign(self, path: StorePath, signatures: Iterable[str]) -> None:
        """Replace the signatures of a valid path."""
        with self._transaction():
            self._connection.execute(
                "update ValidPaths set sigs = ? where path = ?",
                (" ".join(sorted(set(signatures))), str(path)),
            )

    def forget(self, paths: Iterable[StorePath]) -> None:
        """Make paths invalid, all of them or none; the order does not matter.

        Raises:
            StillNeeded: a path that stays refers to one of them.
        """
        with self._transaction():
            rows = [row for row in (self._id(path) for path in paths) if row is not None]
            for row in rows:
                self._connection.execute("delete from Refs where referrer = ?", (row,))
            for row in rows:
                self._delete(row)

    def _delete(self, row: int) -> None:
        try:
            self._connection.execute("delete from ValidPaths where id = ?", (row,))
        except sqlite3.IntegrityError as error:
            (text,) = self._connection.execute(
                "select path from ValidPaths where id = ?", (row,)
            ).fetchone()
            raise StillNeeded(
                f"{text} is still needed",
                hint=f"see what refers to it: reconix store why {text}",
            ) from error

    def _insert(self, info: PathInfo) -> bool:
        item = info.object
        if self._id(item.path) is not None:
            return False
        self._connection.execute(
            "insert into ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, "
            "sigs, ca) values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                str(item.path),
                str(item.nar),
                info.registered or int(time.time()),
                str(info.deriver) if info.deriver else None,
                item.nar_size_bytes,
                1 if info.built_here else None,
                " ".join(info.signatures) or None,
                info.content_address,
            ),
        )
        return True

    def _insert_references(self, item: StoreObject) -> None:
        referrer = self._id(item.path)
        for path in item.references:
            reference = self._id(path)
            if reference is None:
                raise NotValid(path, needed_by=item.path)
            self._connection.execute(
                "insert into Refs (referrer, reference) values (?, ?)",
                (referrer, reference),
            )

    def _id(self, path: StorePath) -> int | None:
        row: tuple[int] | None = self._connection.execute(
            "select id from ValidPaths where path = ?", (str(path),)
        ).fetchone()
        return row[0] if row else None

    def _path_info(self, row: tuple[object, ...]) -> PathInfo:
        (
            identity,
            path,
            digest,
            registered,
            deriver,
            size,
            ultimate,
            signatures,
            address,
        ) = row
        references = self._connection.execute(
            "select path from Refs join ValidPaths on reference = id where referrer = ?",
            (identity,),
        )
        return PathInfo(
            object=StoreObject(
                path=_path(path),
                nar=_parse_digest(_text(digest)),
                nar_size_bytes=_number(size),
                references=tuple(sorted(_path(value) for (value,) in references)),
            ),
            content_address=_text(address) or None,
            deriver=_path(deriver) if deriver else None,
            signatures=tuple(_text(signatures).split()),
            built_here=bool(ultimate),
            registered=_number(registered),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translating():
            self._connection.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, BadDigest, BadClosure, BadStorePath) as error:
            raise _unusable(self._source, error) from error


def open_database(folder: Path, *, busy_seconds: float = BUSY_SECONDS) -> Database:
    """Open the database in ``<root>/nix/var/nix/db``; make it if there is none.

    Raises:
        DatabaseUnusable: it has another schema, is damaged, or is locked for too long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "db.sqlite"
    lock = open_lock(folder / "big-lock")
    try:
        _check_schema(folder, lock)
        connection = _connect(source, busy_seconds)
    except BaseException:
        os.close(lock)
        raise
    return Database(connection, lock, source)


def _check_schema(folder: Path, lock: int) -> None:
    """Take the lock shared, and write the number of the schema if the store is new."""
    number = folder / "schema"
    if not number.exists():
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not number.exists():
            _create(folder / "db.sqlite")
            write_durably(number, str(SCHEMA).encode())
    fcntl.flock(lock, fcntl.LOCK_SH)
    found = read_bounded(number, 32).decode(errors="replace").strip()
    if found != str(SCHEMA):
        raise DatabaseUnusable(
            f"{folder} has schema {found!r}; this program knows {SCHEMA}",
            hint="use another store, or let Nix upgrade it",
        )


def _create(source: Path) -> None:
    try:
        connection = sqlite3.connect(source, isolation_level=None)
        with contextlib.closing(connection):
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_TABLES)
    except sqlite3.DatabaseError as error:
        raise _unusable(source, error) from error


def _connect(source: Path, busy_seconds: float) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{source.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("pragma foreign_keys = on")
            connection.execute("pragma synchronous = full")  # a commit survives a power cut
            connection.execute("pragma journal_mode = wal")
            connection.execute("select count(*) from Refs").fetchone()
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise _unusable(source, error) from error
    return connection


def _text(value: object) -> str:
    """A text of the database, which keeps any kind of value in any column; nothing is "".

    Source: SQLite, *Datatypes*, section 3: the type of a column is only a recommendation.
    """
    if not isinstance(value, str | None):
        raise sqlite3.DataError(f"{str(value)[:80]!r} stands where there should be a text")
    return value or ""


def _number(value: object) -> int:
    if not isinstance(value, int | None):
        raise sqlite3.DataError(f"{str(value)[:80]!r} stands where there should be a number")
    return value or 0


def _path(value: object) -> StorePath:
    return StorePath.parse(_text(value))


def _parse_digest(text: str) -> Digest:
    """Read the digest of an archive, hexadecimal as today or base 32 as in old stores."""
    digits = text.removeprefix("sha256:")
    if len(digits) == 52:
        return Digest(base32_decode(digits, 32))
    return Digest.parse(digits)


def _unusable(source: Path, error: Exception) -> DatabaseUnusable:
    hint = "restore it from a copy, or remove the store and build again"
    if "locked" in str(error):
        hint = "another process writes for very long; wait for it or end it"
    return DatabaseUnusable(f"{source}: {error}", hint=hint)
