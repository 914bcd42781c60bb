"""Which new nodes are old ones whose references follow their objects.

Tested by ``tests/unit/transfer/sending/test_following.py``.
"""

from dataclasses import dataclass, field

from reconix.store.images.nodes import MAX_INLINE_BYTES
from reconix.store.images.verity import VerityHash
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.sending.trees import FileNode, FolderNode, LinkNode, Node


@dataclass(frozen=True, slots=True)
class Following:
    """Compares nodes; each pair of files once."""

    renames: Renames
    _known: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)

    def leads(self, old: Node, new: Node) -> bool:
        """Whether replacing all references in the old node gives the new one; it may be itself."""
        if not self.renames or old.metadata != new.metadata:
            return False
        if isinstance(old, FolderNode) and isinstance(new, FolderNode):
            return self._folder_leads(old, new)
        if isinstance(old, LinkNode) and isinstance(new, LinkNode):
            return self.renames.apply(old.target) == new.target
        if isinstance(old, FileNode) and isinstance(new, FileNode):
            return self._file_leads(old, new)
        return False

    def _folder_leads(self, old: FolderNode, new: FolderNode) -> bool:
        """What differs is compared first: there is less of it."""
        if [name for name, _ in old.entries] != [name for name, _ in new.entries]:
            return False
        both = [(one, other) for (_, one), (_, other) in zip(old.entries, new.entries, strict=True)]
        both.sort(key=lambda pair: pair[0].key == pair[1].key)
        return all(self.leads(one, other) for one, other in both)

    def used_in(self, file: FileNode) -> Renames:
        """The renames for which an old file has use."""
        if not self.renames:
            return NO_RENAMES
        return self.renames.used_in(file.pieces())

    def _file_leads(self, old: FileNode, new: FileNode) -> bool:
        if old.size_bytes != new.size_bytes:
            return False
        pair = old.content, new.content
        if pair not in self._known:
            self._known[pair] = self._content_leads(old, new)
        return self._known[pair]

    def _content_leads(self, old: FileNode, new: FileNode) -> bool:
        if old.content == new.content:
            return not self.used_in(old)
        return self._content_after(old) == new.content

    def _content_after(self, old: FileNode) -> bytes:
        pieces = self.renames.apply_all(old.pieces())
        if old.size_bytes <= MAX_INLINE_BYTES:
            return b"".join(pieces)
        state = VerityHash()
        for piece in pieces:
            state.update(piece)
        return state.digest()
