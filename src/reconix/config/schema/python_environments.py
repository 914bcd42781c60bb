"""Python environments of a system."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from reconix.config.options import Form, Option
from reconix.config.schema.values import AbsolutePath, FilePattern, PathPattern

ExtraName = Annotated[
    str,
    Form(
        "the name of an extra or of a group of dependencies such as plot",
        r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnvironment:
    """A virtual environment for the Python of the system, made of wheels when it is built.

    Nothing is installed on the device and no index is asked there. `reconix lock` chooses the
    wheels that fit the Python and the C library of the system; it needs the package `python3`.
    """

    path: Annotated[
        AbsolutePath | None,
        Option(
            "Where the environment is; by default, `/opt/<name>-venv`.",
            '"/opt/air"',
            "when programs or units expect it elsewhere",
        ),
    ] = None
    lock: Annotated[
        Path | None,
        Option(
            "File that pins what to install, each file by hash: `pylock.toml` (PEP 751), "
            "`uv.lock`, or requirements with `--hash`; relative to the file that names it.",
            '"pylock.toml"',
            "for what comes from an index",
        ),
    ] = None
    wheels: Annotated[
        tuple[FilePattern, ...],
        Option(
            "Wheels of your own, files or patterns such as `dist/*.whl`. They are read at each "
            "build and are no part of `reconix.lock`, so that a new one needs no new lock. One "
            "whose name is in `lock` as well takes its place.",
            '["dist/air-1.4-py3-none-any.whl"]',
            "for programs that no index has",
        ),
    ] = ()
    extras: Annotated[
        tuple[ExtraName, ...],
        Option(
            "Extras to install, of those that the file in `lock` knows.",
            '["plot"]',
            "when parts of a program need more than others",
        ),
    ] = ()
    groups: Annotated[
        tuple[ExtraName, ...],
        Option(
            "Groups of dependencies to install, of those that the file in `lock` knows; by "
            "default, those that `pylock.toml` calls default, and none of `uv.lock`.",
            '["device"]',
            "when what a device needs is a group of its own",
        ),
    ] = ()

    exclude: Annotated[
        tuple[PathPattern, ...],
        Option(
            "Patterns of files of wheels that are left out, as in a `.gitignore` at the top of the "
            "environment; with a module goes what it was compiled to.",
            '["lib/**/tests/", "*.pyi"]',
            "when wheels bring what the device does not need, or two of them the same file",
        ),
    ] = ()
    unchecked: Annotated[
        tuple[PathPattern, ...],
        Option(
            "Patterns, as in `exclude`, of programs and libraries that are not checked. All "
            "others must be for the processor of the host, and find their interpreter, their "
            "libraries and the versions that they need of these, or nothing is built.",
            '["**/libtorch_cuda*.so"]',
            "for what is loaded only where its libraries are, such as those of a graphics card",
        ),
    ] = ()

    def place(self, name: str) -> str:
        """Where the environment of this name is on the device."""
        return self.path or f"/opt/{name}-venv"
