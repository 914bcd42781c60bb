"""A kernel with a few more types is a small stream, for agents that know how they move."""

import io
import zipfile

from tests.unit.transfer.conftest import Workshop
from tests.unit.transfer.made_btf import kernel, structures
from tests.unit.transfer.sending.test_targets import differences

from reconix.store.tree import File, folder
from reconix.transfer.codecs import compiled
from reconix.transfer.codecs.references import Moved, Shifts
from reconix.transfer.format.plan import Copies
from reconix.transfer.format.stream import (
    AGENT,
    AGENT_FEATURES,
    FEATURES,
    MOVED_TYPES,
    VERSION,
    StreamReader,
)
from reconix.transfer.sending import covers, targets

OLD, NEW = (kernel(structures(2000, step=step).printed(), b"before") for step in (0, 40))
KNOWING, OLDER = FEATURES, FEATURES & ~MOVED_TYPES


def agent(features: int) -> File:
    """What tells which features are known."""
    application = io.BytesIO()
    with zipfile.ZipFile(application, "w") as archive:
        archive.writestr(zipfile.ZipInfo(AGENT_FEATURES), f"{VERSION} {features}\n")
    return File(application.getvalue())


def received(workshop: Workshop, features: int) -> bytes:
    """The stream from one kernel to the other; a device has taken it."""
    own = {AGENT: agent(features), compiled.file_name("x86_64"): File(b"")}
    base, target = (
        workshop.generation(root=folder({**own, "vmlinux": File(content)}))
        for content in (OLD, NEW)
    )
    stream = workshop.stream(base, target)
    registry = workshop.device(base)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, target)
    return stream


def test_types_are_moved_for_agents_that_know_how(workshop: Workshop) -> None:
    moved, as_it_is = (received(workshop, features) for features in (KNOWING, OLDER))
    header, before = (StreamReader(io.BytesIO(each).read).header for each in (moved, as_it_is))
    assert header.moved_types == header.moved_parts == 1
    assert header.features & MOVED_TYPES
    assert before.moved_types == 0
    assert not before.features & MOVED_TYPES
    assert len(moved) < 0.5 * len(as_it_is), f"{len(moved)} bytes, older {len(as_it_is)}"


def test_what_new_types_change_is_foreseen() -> None:
    plain = covers.find(OLD, NEW)
    found = targets.find(OLD, NEW, Copies.of(plain), with_types=True)
    assert found is not None
    assert found.types_at == OLD.index(b"before") + 6
    moves = Copies.of(found.copies).moves()
    read = lambda at, size: OLD[at : at + size]  # noqa: E731 - shorter than its name
    moved = Moved(read, len(OLD), moves, found.corrections, types_at=found.types_at)
    before, after = differences(OLD, NEW, plain, None), differences(OLD, NEW, found.copies, moved)
    assert after * 5 < before
    assert len(found.corrections) < 60


def test_what_is_spelled_out_by_the_library_is_the_same() -> None:
    assert compiled.library() is not None
    file = targets.Executable.parse(OLD, with_types=True)
    assert file is not None
    found = targets.find(OLD, NEW, Copies.of(covers.find(OLD, NEW)), with_types=True)
    assert found is not None
    shifts = Shifts(file.program, Copies.of(found.copies).moves(), found.corrections)
    assert targets.spell_out(file, shifts) == targets.spell_out_slowly(file, shifts) != OLD


def test_where_the_new_one_has_no_types_nothing_fails() -> None:
    copies = Copies.of([(0, 16, 100)])
    found = targets.find(OLD, kernel(b"none" * 99), copies, with_types=True)
    assert found is not None
    assert found.types_at == OLD.index(b"before") + 6
    assert targets.find(OLD, b"text", copies, with_types=True) is None
