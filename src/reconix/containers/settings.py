"""How the program of an image is started, as its configuration says.

What a host says of a container comes before this, so here is only what an image brings. A
configuration is written by whoever made the image: each text is one that an argument or an
environment can hold, and a path is one in the image.

A command is ``Entrypoint`` and ``Cmd``, one behind the other. An image may have none: one with
nothing but files for others. It can be used by a container that says itself what is to run.

Source: OCI image specification 1.1, *Image Configuration*; for ``Healthcheck``, which OCI does not
have, *Docker Image Specification v1.3*.
Tested by ``tests/unit/containers/test_settings.py``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reconix.base.documents import Fields
from reconix.containers.descriptors import BadImage, of_an_image
from reconix.containers.signals import number_of

_MAX_WORDS = 4096
_MAX_CHARACTERS = 128 << 10  # of one argument: MAX_ARG_STRLEN of Linux
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")
_NANOSECONDS = 1_000_000_000
_MAX_SECONDS = 1 << 31


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port on which a program listens."""

    number: int
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What says whether a program works; what an image does not say has Docker's default."""

    command: tuple[str, ...]
    interval_seconds: float = 30
    timeout_seconds: float = 30
    start_seconds: float = 0
    """How long failures do not count after the start."""
    retries: int = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """What an image says of its program."""

    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    user: str = ""
    """Name or number of a user, with ``:`` of a group."""
    folder: str = "/"
    ports: tuple[Port, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"
    health: HealthCheck | None = None

    def command_or(self, given: Sequence[str], *, source: str) -> tuple[str, ...]:
        """What is to run: what a container says, or else what its image says.

        Raises:
            BadImage: neither says anything.
        """
        if not given and not self.command:
            raise BadImage(
                f"{source} does not say what is to run in it",
                hint="say it: command = [...] of the container",
            )
        return tuple(given) or self.command


def parse_settings(content: bytes, *, source: str) -> Settings:
    """Read the configuration of an image.

    Raises:
        BadImage: it says something that no container could have.
    """
    with of_an_image():
        fields = Fields.parse(content, source=source)
        return _settings(fields.object("config")) if fields.has("config") else Settings()


def _settings(fields: Fields) -> Settings:
    return Settings(
        command=(*_words(fields, "Entrypoint"), *_words(fields, "Cmd")),
        environment=tuple(_variable(each, fields) for each in _words(fields, "Env")),
        user=_text(fields, "User"),
        folder=_path(_text(fields, "WorkingDir") or "/", fields),
        ports=tuple(sorted(_port(each, fields) for each in _keys(fields, "ExposedPorts"))),
        volumes=tuple(_path(each, fields) for each in _keys(fields, "Volumes")),
        stop_signal=_signal(_text(fields, "StopSignal") or "SIGTERM", fields),
        health=_health(fields.object("Healthcheck")) if fields.has("Healthcheck") else None,
    )


def _health(fields: Fields) -> HealthCheck | None:
    """A check of its own; ``NONE`` takes away that of an image below."""
    kind, *words = _words(fields, "Test") or ["NONE"]
    if kind == "NONE":
        return None
    if kind not in ("CMD", "CMD-SHELL") or not words:
        raise BadImage(f"{fields.source}: {kind[:80]!r} is no kind of check")
    usual = HealthCheck(("/bin/sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words))
    return HealthCheck(
        usual.command,
        _seconds(fields, "Interval") or usual.interval_seconds,
        _seconds(fields, "Timeout") or usual.timeout_seconds,
        _seconds(fields, "StartPeriod"),
        (fields.number("Retries") if fields.has("Retries") else 0) or usual.retries,
    )


def _seconds(fields: Fields, key: str) -> float:
    seconds = fields.number(key) / _NANOSECONDS if fields.has(key) else 0
    if seconds > _MAX_SECONDS:
        raise BadImage(f"{fields.source}: {key!r} is {seconds:g} seconds")
    return seconds


def _words(fields: Fields, key: str) -> list[str]:
    found = fields.texts(key) if fields.has(key) else []
    if len(found) > _MAX_WORDS:
        raise BadImage(f"{fields.source}: {key!r} has {len(found)} words")
    return [_checked(each, key, fields) for each in found]


def _text(fields: Fields, key: str) -> str:
    return _checked(fields.text(key), key, fields) if fields.has(key) else ""


def _keys(fields: Fields, key: str) -> list[str]:
    """The names in an object that stands for a set."""
    return fields.object(key).names() if fields.has(key) else []


def _checked(text: str, key: str, fields: Fields) -> str:
    if "\0" in text or len(text) > _MAX_CHARACTERS:
        raise BadImage(f"{fields.source}: {key!r} holds {text[:80]!r}, which no program can get")
    return text


def _variable(text: str, fields: Fields) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not name or not mark:
        raise BadImage(f"{fields.source}: 'Env' holds {text[:80]!r}, not NAME=value")
    return name, value


def _port(text: str, fields: Fields) -> Port:
    found = _PORT.fullmatch(text)
    if not found or not 0 < int(found[1]) < 1 << 16:
        raise BadImage(f"{fields.source}: {text[:80]!r} is no port")
    return Port(int(found[1]), found[2] or "tcp")


def _path(text: str, fields: Fields) -> str:
    if not text.startswith("/") or not text.isprintable() or ".." in text.split("/"):
        raise BadImage(f"{fields.source}: {text[:80]!r} is no path in an image")
    return "/" + "/".join(part for part in text.split("/") if part not in ("", "."))


def _signal(text: str, fields: Fields) -> str:
    if number_of(text) is None:
        raise BadImage(f"{fields.source}: {text[:80]!r} is no signal")
    return text
