"""Documentation is packed again without a program, for agents that know how."""

import io

import pytest
from tests.unit.transfer.conftest import Workshop

from reconix.base.process import run
from reconix.build.agent import zipapp
from reconix.store.tree import File, folder
from reconix.transfer.codecs import packs
from reconix.transfer.format.stream import AGENT, PACKED_BY_ZLIB, StreamReader, UnsupportedStream

TEXT = b"".join(b"line %x\n" % (number**9 % 999983) for number in range(500))


def received(workshop: Workshop, *, knows: bool) -> int:
    """How large the stream to changed documentation is; a device has taken it."""
    agent = {f"etc/{AGENT}": File(zipapp.pack())} if knows else {}
    base, target = (
        workshop.generation(
            root=folder(
                {
                    "bin/gzip": File(b"", executable=True),
                    "doc/changelog.gz": File(run("gzip", "-9n", stdin=text)),
                    **agent,
                }
            )
        )
        for text in (TEXT, TEXT.replace(b"line 200\n", b"another line\n"))
    )
    stream = workshop.stream(base, target)
    registry = workshop.device(base)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, target)
    header = StreamReader(io.BytesIO(stream).read).header
    assert header.zlib_parts == int(knows)
    assert bool(header.features & PACKED_BY_ZLIB) is knows
    return len(stream)


def test_an_older_agent_gets_what_its_gzip_packs(workshop: Workshop) -> None:
    by_gzip, by_zlib = (received(workshop, knows=knows) for knows in (False, True))
    assert abs(by_gzip - by_zlib) < 50


def test_no_program_is_started_where_zlib_gives_the_same(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **more: object) -> bytes:
        raise AssertionError(f"{words} is started")

    monkeypatch.setattr(packs, "run", refuse)
    received(workshop, knows=True)


def test_a_device_whose_zlib_packs_otherwise_refuses_first(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "packs_as_known", lambda: False)
    with pytest.raises(UnsupportedStream, match=r"a zlib that packs as that of zlib\.net"):
        received(workshop, knows=True)
