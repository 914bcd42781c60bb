"""What the agents of devices know, as their programs say.

A stream that uses something new must not come to an agent that is older. So an agent carries the
version and the features of streams that it takes, in the file ``features`` of its application, and
a sender, which has the base, reads them there. One without that file knows the first features.

Tested by ``tests/unit/transfer/sending/test_agents.py``.
"""

import functools
import operator
import zipfile
from collections.abc import Iterable, Iterator

from reconix.transfer.format.stream import (
    AGENT,
    AGENT_FEATURES,
    FIRST_FEATURES,
    VERSION,
)
from reconix.transfer.sending.trees import FileNode, FolderNode, Node

_MAX_BYTES = 64


def features_of(trees: Iterable[Node]) -> int:
    """The features that all agents in some objects know; the first ones if there is none."""
    found = [_features(agent) for tree in trees for agent in _agents(tree)]
    return functools.reduce(operator.and_, found) if found else FIRST_FEATURES


def _agents(node: Node) -> Iterator[FileNode]:
    if isinstance(node, FolderNode):
        for name, child in node.entries:
            if isinstance(child, FileNode) and name == AGENT.encode():
                yield child
            elif isinstance(child, FolderNode):
                yield from _agents(child)


def _features(agent: FileNode) -> int:
    if agent.path is None:
        return FIRST_FEATURES
    try:
        with zipfile.ZipFile(agent.path) as archive, archive.open(AGENT_FEATURES) as file:
            return parse_features(file.read(_MAX_BYTES))
    except (KeyError, zipfile.BadZipFile):
        return FIRST_FEATURES


def parse_features(said: bytes) -> int:
    """Read what an agent says; what is not understood counts as the first features."""
    words = said.decode(errors="replace").split()
    if len(words) != 2 or words[0] != str(VERSION) or not words[1].isascii():
        return FIRST_FEATURES
    return int(words[1]) if words[1].isdigit() else FIRST_FEATURES
