"""Which new nodes are old ones whose references follow their objects.

Tested by ``tests/unit/transfer/sending/test_following.py``.
"""

from dataclasses import dataclass, field

from reconix.base.files import chunks
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.sending.match import FileNode, FolderNode, LinkNode, Node, file_state


@dataclass(frozen=True, slots=True)
class Following:
    """Compares nodes; each pair of files once."""

    renames: Renames
    _known: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)

    def leads(self, old: Node, new: Node) -> bool:
        """Whether replacing all references in the old node gives the new one."""
        if not self.renames:
            return False
        if isinstance(old, FolderNode) and isinstance(new, FolderNode):
            return len(old.entries) == len(new.entries) and all(
                before == after and (one.key == other.key or self.leads(one, other))
                for (before, one), (after, other) in zip(old.entries, new.entries, strict=True)
            )
        if isinstance(old, LinkNode) and isinstance(new, LinkNode):
            return self.renames.apply(old.target) == new.target
        if isinstance(old, FileNode) and isinstance(new, FileNode):
            return self._file_leads(old, new)
        return False

    def used_in(self, file: FileNode) -> Renames:
        """The renames for which an old file has use."""
        if not self.renames:
            return NO_RENAMES
        with file.path.open("rb") as content:
            return self.renames.used_in(chunks(content))

    def _file_leads(self, old: FileNode, new: FileNode) -> bool:
        if (old.size_bytes, old.executable) != (new.size_bytes, new.executable):
            return False
        pair = old.key, new.key
        if pair not in self._known:
            self._known[pair] = self._key_after(old) == new.key
        return self._known[pair]

    def _key_after(self, old: FileNode) -> bytes:
        state = file_state(executable=old.executable)
        with old.path.open("rb") as content:
            for piece in self.renames.apply_all(chunks(content)):
                state.update(piece)
        return state.digest()
