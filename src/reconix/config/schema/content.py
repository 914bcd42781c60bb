"""What a generated file holds, in the words of the configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from reconix.base.files import read_bounded
from reconix.config.options import Option
from reconix.config.schema.values import MAX_SOURCE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a generated file holds: a text written in place, or another file."""

    text: Annotated[
        str | None,
        Option(
            "The content itself.",
            '"hello\\n"',
            "for a few lines that are best read where they are used",
        ),
    ] = None
    source: Annotated[
        Path | None,
        Option(
            "A file with the content, relative to the file that names it.",
            '"files/nginx.conf"',
            "for longer content, or content that other tools edit",
        ),
    ] = None

    @property
    def is_there(self) -> bool:
        """Whether it can be read; that a file is missing is an error of its own."""
        return self.source is None or self.source.is_file()

    def read(self) -> bytes:
        """The content."""
        if self.source is not None:
            return read_bounded(self.source, MAX_SOURCE_BYTES)
        return (self.text or "").encode()
