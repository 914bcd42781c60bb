"""The oracle of a crash state: what would boot from this disk, and is it whole?

A state is good when all of this holds:

* a firmware finds a table, and with it a slot that holds, to the byte, the image of a generation,
  which is a consistent file system;
* so does the slot of a trial, if one may be armed in the firmware or the disk remembers one, and
  then what leads back from it; and the slot to which the backup of the table leads, in case the
  primary one is damaged next; that never leads back to the old generation when the new one boots;
* on a disk for U-Boot: a slot is asked for together with a system of it, and only if that was asked
  for and not obeyed before the cut;
* the file system recovers, and nothing is left to repair in it;
* the disk says that it has the layout that we know;
* every image of these generations is there, those of the default system among them; so are those of
  every installed generation;
* whatever carries a final name is what its name says, image or content, needed or not; and of an
  image every content that it names is there;
* what the agent remembers can be read, is true of the slots, and says what to do at the next start;
* what boots without a trial has been on trial, or the agent has written down before that it needs
  none, and its default system is that of the generation before, its containers aside;
* that default system has run before the power went, and its containers were well (``proved.py``);
* the generations that it may go back to are installed;
* once an operation has said that it is done, its effect is there.

It is *old* or *new* by the generation that boots without a trial, compared with the one before.

Tested by ``tests/unit/prove/test_oracle.py`` on disks that were damaged by hand, by
``tests/crash/test_prover.py`` on recorded ones and, with bugs planted, ``tests/crash/planted/``.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.boot.tables import Slot
from reconix.boot.transitions import Booted, WrongSlot, advance
from reconix.boot.trial import BadState, Phase, State, parse_state
from reconix.prove import u_boot, uefi
from reconix.prove.blocks import Disk, Memo, Patched, View, read
from reconix.prove.contents import Contents, Stored, missing, shelves
from reconix.prove.ext4 import BadFileSystem, Geometry
from reconix.prove.facts import Facts, read_facts
from reconix.prove.fat import fat_problem
from reconix.prove.image import SYSTEM
from reconix.prove.proved import Ran, Shape, unproved
from reconix.prove.recovery import Recovered
from reconix.prove.uefi import Found, Tables
from reconix.store.generation import Generation, SlotImage
from reconix.store.layout import LAYOUT, print_layout
from reconix.store.manifest import BadManifest, Manifest, parse_manifest
from reconix.store.paths import StorePath

_SLOT = "slot-"


class Kind(Enum):
    """What a crash state is."""

    OLD = "old"
    NEW = "new"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a state.

    Attributes:
        boots: the generation that boots without a trial.
        problem: why the state is bad; empty if it is good.
        facts: what its system partition says, if that could be read.
        stored: which images and contents it has.
        tries: whether a trial may be the next boot.
        spare: the generation that would boot if the primary table were lost now.
    """

    boots: StorePath | None
    problem: str = ""
    facts: Facts | None = None
    stored: Stored | None = None
    tries: bool = False
    spare: StorePath | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A generation that may be on the disk.

    Attributes:
        generation: what it says of itself.
        manifest: its images.
        contents: digests and sizes of what each of its images names, in their order.
        shapes: of its systems.
    """

    generation: Generation
    manifest: Manifest
    contents: tuple[frozenset[tuple[bytes, int]], ...]
    shapes: tuple[Shape, ...]

    @property
    def images(self) -> frozenset[bytes]:
        """The digests of its images."""
        return frozenset(entry.sha256.value for entry in self.manifest.images)

    @property
    def all_contents(self) -> frozenset[tuple[bytes, int]]:
        """Digests and sizes of all contents."""
        return frozenset[tuple[bytes, int]]().union(*self.contents)

    def more_bytes(self, base: "Known") -> int:
        """How large the contents are that another generation does not have."""
        return sum(size_bytes for _, size_bytes in self.all_contents - base.all_contents)


class Bad(ReconixError):
    """A state is bad; the message says why."""

    exit_code = 36


@dataclass(frozen=True, slots=True)
class _Selection:
    """What the tables of a disk say.

    Attributes:
        table: the partitions that the firmware finds, the one that boots first.
        boots: the generation in that slot.
        spare: the one that would boot without the primary table, if that is not the only one.
    """

    table: tuple[Found, ...]
    boots: StorePath
    spare: StorePath | None


@dataclass(frozen=True, slots=True)
class _Quiet:
    """What boots without a trial.

    Attributes:
        boots: the generation.
        slot: where it is.
        trials: the partitions of trials that the disk remembers.
    """

    boots: StorePath
    slot: Slot
    trials: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Scene:
    """The system partition in one state, and the slots beside it."""

    facts: Facts
    stored: Stored
    slots: dict[Slot, Found]


class Oracle:
    """Checks a disk in one state after the other.

    Args:
        disk: moves through its states.
        recover: recovers its system partition.
        geometry: of that.
        known: the generations that may be there.
        changing: all blocks that may differ between two states.
    """

    def __init__(
        self,
        disk: Disk,
        recover: Callable[[], Recovered],
        geometry: Geometry,
        known: Iterable[Known],
        changing: frozenset[int],
    ) -> None:
        self._disk, self._recover, self._geometry = disk, recover, geometry
        self._known = {each.generation.path: each for each in known}
        self._shapes = {one.toplevel: one for each in self._known.values() for one in each.shapes}
        self._needed = {
            entry.sha256.value: shelves(digest for digest, _ in contents)
            for each in self._known.values()
            for entry, contents in zip(each.manifest.images, each.contents, strict=True)
        }
        pooled = (shelf.digests for needed in self._needed.values() for shelf in needed)
        named = frozenset(self._needed).union(*pooled)
        self._contents = Contents(geometry, changing, named)
        self._facts: Memo[str, Facts] = Memo(changing)
        self._held: Memo[tuple[int, int], str] = Memo(changing)
        self._sound: set[SlotImage] = set()

    def check(self, next_boots: Iterable[bytes | None], ran: Collection[Ran]) -> Verdict:
        """Check the disk as it is now.

        Args:
            next_boots: the partitions that the firmware may have been told to boot once.
            ran: what was known to run.
        """
        verdict = Verdict(None)
        try:
            selection = self._selection()
            verdict = Verdict(selection.boots)
            scene = self._scene(selection)
            verdict = Verdict(selection.boots, facts=scene.facts, stored=scene.stored)
            self._check_store(scene)
            quiet = self._without_trial(selection, scene.facts)
            verdict = replace(verdict, boots=quiet.boots)
            self._check_memory(scene, quiet)
            self._check_ran(quiet, ran)
            self._check_generation(scene, selection.spare or quiet.boots)
            trials = [*self._asked(selection, next_boots), *quiet.trials]
            for guid in trials:
                self._check_trial(scene, guid, quiet.slot)
        except (Bad, BadFileSystem, BadManifest) as error:
            return replace(verdict, problem=str(error))
        return replace(verdict, tries=bool(trials), spare=selection.spare)

    # -- what boots --------------------------------------------------------------------------------

    def _selection(self) -> _Selection:
        """What the tables of the disk select, and what the backup would."""
        tables = self._tables()
        table = self._checked(tables.used)
        boots = self._generation_in(table[0])
        spare = self._generation_in(self._checked(tables.backup)[0]) if tables.backup else None
        return _Selection(table, boots, spare)

    def _asked(self, selection: _Selection, next_boots: Iterable[bytes | None]) -> list[bytes]:
        """The partitions of trials that the firmware may have been told to boot."""
        control = u_boot.control_of(selection.table)
        if control is None:
            return [guid for guid in next_boots if guid is not None]
        wanted = u_boot.wanted(lambda at, size: read(self._disk, at, size), control)
        if wanted is None or not wanted.slot:
            return []
        found = [each for each in selection.table if each.name == wanted.slot]
        if not found or found[0].guid not in next_boots:
            raise Bad(f"{wanted.slot} is asked for, and was obeyed already or never meant")
        generation = self._known[self._generation_in(found[0])].generation
        if wanted.system not in [system.name for system in generation.systems]:
            raise Bad(f"{wanted.slot} is asked for without a system of it")
        return [found[0].guid]

    def _without_trial(self, selection: _Selection, facts: Facts) -> _Quiet:
        """What boots when no trial is under way, be it one that the disk remembers."""
        selected = selection.table[0]
        if not facts.disk_one_shot:
            return _Quiet(selection.boots, _number(selected), ())
        home = self._checked(self._tables(facts.disk_one_shot).used)[0]
        trials = () if home.guid == selected.guid else (selected.guid,)
        return _Quiet(self._generation_in(home), _number(home), trials)

    def _tables(self, changed: Iterable[tuple[int, bytes]] = ()) -> Tables:
        """Both copies of the table, as they are or with some sectors changed."""
        sectors = {lba * uefi.SECTOR: content for lba, content in changed}

        def content(at: int, size: int) -> bytes:
            return sectors[at] if at in sectors else read(self._disk, at, size)

        found = uefi.tables(content, self._disk.size_bytes, u_boot.is_bootable)
        if found.used and u_boot.control_of(found.used):
            return found
        return uefi.tables(content, self._disk.size_bytes)

    def _checked(self, table: tuple[Found, ...] | None) -> tuple[Found, ...]:
        if not table:
            raise Bad("the firmware finds no partition table")
        if not table[0].name.startswith(_SLOT):
            raise Bad(f"the firmware boots {table[0].name!r}, which is not a slot")
        places = {each.offset for each in table if each.name == SYSTEM}
        if places != {self._geometry.offset}:
            raise Bad("the table has lost the system partition")
        return table

    def _generation_in(self, slot: Found) -> StorePath:
        """The generation whose image a slot holds."""
        for path, each in self._known.items():
            image = each.generation.slot
            if image.slot_size_bytes == slot.size_bytes:
                found = self._hash(slot.offset, image.size_bytes)
                if found == image.digest.hex():
                    self._check_file_system(slot, image)
                    return path
        raise Bad(f"{slot.name} would boot but holds no image of a generation")

    def _check_file_system(self, slot: Found, image: SlotImage) -> None:
        """Equal bytes are asked about once."""
        if image not in self._sound:
            sizes = {"image_bytes": image.size_bytes, "slot_bytes": slot.size_bytes}
            problem = fat_problem(self._disk, slot.offset, **sizes)
            if problem:
                raise Bad(f"{slot.name} would boot but is not a consistent file system: {problem}")
            self._sound.add(image)

    def _hash(self, offset: int, size: int) -> str:
        def answer(view: View) -> str:
            state = hashlib.sha256()
            for at in range(offset, offset + size, _READ_BYTES):
                state.update(read(view, at, min(_READ_BYTES, offset + size - at)))
            return state.hexdigest()

        return self._held.get((offset, size), self._disk, answer)

    # -- the system partition ----------------------------------------------------------------------

    def _scene(self, selection: _Selection) -> _Scene:
        recovered = self._recover()
        if recovered.problem:
            raise Bad(recovered.problem)
        view = Patched(self._disk, recovered.patches)
        facts = self._facts.get("facts", view, lambda watched: read_facts(watched, self._geometry))
        slots = {_number(each): each for each in selection.table if each.name.startswith(_SLOT)}
        return _Scene(facts, self._contents.read(view), slots)

    def _check_store(self, scene: _Scene) -> None:
        """Whatever carries a final name must be whole; what is installed must be there."""
        if scene.facts.layout != print_layout():
            raise Bad(f"the disk does not say that it has layout {LAYOUT}")
        if scene.stored.problem:
            raise Bad(scene.stored.problem)
        for image in sorted(scene.stored.images.digests):
            lacking = missing(self._needed[image], scene.stored)
            if lacking:
                raise Bad(f"{lacking}; the image {image.hex()} names it")
        for name, content in scene.facts.manifests:
            self._check_generation(scene, self._manifest(name, content).root)

    def _manifest(self, name: str, content: bytes) -> Manifest:
        found = parse_manifest(content, source=f"{name}.manifest")
        known = self._known.get(found.root)
        if known is None or known.manifest != found or found.root.basename != name:
            raise Bad(f"{name}.manifest is not that of a known generation")
        return found

    def _check_generation(self, scene: _Scene, path: StorePath) -> None:
        lacking = self._known[path].images - scene.stored.images.digests
        if lacking:
            raise Bad(f"the image {min(lacking).hex()} of {path} is missing")

    # -- what the agent remembers ------------------------------------------------------------------

    def _check_memory(self, scene: _Scene, quiet: _Quiet) -> None:
        self._check_generation(scene, quiet.boots)
        state = _state(scene.facts)
        for content in state.contents:
            slot = scene.slots.get(content.slot)
            if slot is None or str(self._generation_in(slot)) != content.generation:
                raise Bad(f"slot {content.slot} does not hold what the agent remembers")
        installed = {StorePath.of_basename(name) for name, _ in scene.facts.manifests}
        for generation in state.needed:
            if StorePath.parse(generation) not in installed:
                raise Bad(f"{generation} is needed and not installed")
        self._check_tried(state, quiet)
        _next_step(state, quiet.slot, quiet.slot, quiet.boots)

    def _check_tried(self, state: State, quiet: _Quiet) -> None:
        trial = state.trial
        if trial is None or trial.slot != quiet.slot or state.phase is Phase.ON_TRIAL:
            return
        if trial.untried is None:
            raise Bad(f"{quiet.boots} boots from now on but was never tried")
        before = self._known[StorePath.parse(state.committed.generation)].generation
        now = self._known[quiet.boots].generation
        if now.system(now.default) != before.system(before.default):
            self._check_only_containers(quiet, self._default(now), self._default(before))

    def _check_only_containers(self, quiet: _Quiet, now: Shape, before: Shape) -> None:
        if now.containers == before.containers or not now.is_like(before):
            raise Bad(f"{quiet.boots} boots another default system, which was never tried")

    def _check_ran(self, quiet: _Quiet, ran: Collection[Ran]) -> None:
        system = self._default(self._known[quiet.boots].generation)
        if problem := unproved(system, self._shapes.values(), ran):
            raise Bad(f"{quiet.boots} boots {problem}")

    def _default(self, generation: Generation) -> Shape:
        return self._shapes[generation.system(generation.default).toplevel]

    def _check_trial(self, scene: _Scene, guid: bytes, selected: Slot) -> None:
        for number, slot in scene.slots.items():
            if slot.guid == guid:
                tried = self._generation_in(slot)
                self._check_generation(scene, tried)
                _next_step(_state(scene.facts), number, selected, tried)
                return
        raise Bad("the firmware was told to boot a partition that is not a slot")


_READ_BYTES = 1 << 20


def _number(slot: Found) -> Slot:
    digits = slot.name.removeprefix(_SLOT)
    if not digits.isdecimal():
        raise Bad(f"{slot.name!r} is no name of a slot")
    return Slot(int(digits))


def _state(facts: Facts) -> State:
    if facts.state is None:
        raise Bad("the agent has lost its memory")
    try:
        return parse_state(facts.state, source="state.json")
    except (BadDocument, BadState) as error:
        raise Bad(f"what the agent remembers cannot be read: {error}") from error


def _next_step(state: State, slot: Slot, selected: Slot, boots: StorePath) -> None:
    """What the agent does when it starts from a slot must be defined, and true of that slot."""
    try:
        after = advance(state, Booted(slot, selected))
    except (WrongSlot, BadState) as error:
        raise Bad(f"the agent does not know what to do next: {error}") from error
    if after.in_slot(slot) != str(boots):
        raise Bad(f"the agent takes slot {slot} for {after.in_slot(slot)}, it holds {boots}")


def difference(found: Verdict, promised: Verdict) -> Iterator[str]:
    """What of a promised effect is missing."""
    if found.boots != promised.boots:
        yield "the generation that boots"
    if found.facts is None or promised.facts is None:
        return
    if found.facts.state != promised.facts.state:
        yield "what the agent remembers"
    if found.facts.choice != promised.facts.choice:
        yield "the choice of the system"
    if found.facts.manifests != promised.facts.manifests:
        yield "the installed generations"
    if found.stored is None or promised.stored is None:
        return
    lacking = promised.stored.missing(found.stored)
    if lacking:
        yield lacking
