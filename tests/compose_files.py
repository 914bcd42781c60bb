"""Compose files in a test, and what they become."""

from collections.abc import Mapping
from pathlib import Path

from reconix.config.check import check
from reconix.config.schema.system import System
from reconix.config.shapes import shape_of
from reconix.config.toml.reader import parse_toml
from reconix.containers.compose.nodes import parse_nodes
from reconix.containers.compose.service import Surroundings
from reconix.containers.compose.translate import Translated, translate

SYSTEM = shape_of(System)


def translated(
    text: str,
    folder: Path = Path("/nowhere"),
    *,
    into: Path | None = None,
    registry: str = "registry.example.com",
    variables: Mapping[str, str] | None = None,
) -> Translated:
    """What a file becomes; what it is has been read again as the file of a system."""
    around = Surroundings(folder, into or folder, registry=registry)
    found = translate(parse_nodes(text, Path("compose.yaml")), around, variables)
    checked = check(parse_toml(found.text, folder / "system.toml"), SYSTEM)
    assert not checked.problems, checked.problems
    return found


def of_service(options: str, **more: object) -> tuple[str, list[str]]:
    """What one service with these options becomes: its lines, and the remarks on it.

    Lines of the table and of the image, which each service has, are not given.
    """
    lines = "".join(f"    {line}\n" for line in options.splitlines())
    text = f"services:\n  web:\n    image: registry.example.com/web:1\n{lines}"
    found = translated(text, **more)  # type: ignore[arg-type] # the caller knows the names
    kept = [line for line in found.text.splitlines() if not line.startswith(("[", "image ="))]
    return "\n".join(kept), [f"{each.place.line} {each.key}: {each.fact}" for each in found.remarks]
