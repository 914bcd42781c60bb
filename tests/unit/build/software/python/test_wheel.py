import contextlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wheels import make_wheel

from reconix.build.software.python import wheel as module
from reconix.build.software.python.wheel import BadWheel, Wheel, opened


def test_a_wheel_says_what_it_is_and_needs(tmp_path: Path) -> None:
    path = make_wheel(
        tmp_path, "My_Air", "1.4.0", requires=["six>=1; os_name == 'nt'"], python=">3"
    )
    found = Wheel.read(path)
    assert (found.name, str(found.version), str(found.requires_python)) == ("my-air", "1.4.0", ">3")
    assert [str(each) for each in found.requires] == ['six>=1; os_name == "nt"']
    assert {str(tag) for tag in found.tags} == {"py3-none-any"}


def test_it_may_be_kept_under_another_name(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    path.rename(tmp_path / "0123")
    assert Wheel.read(tmp_path / "0123", path.name).file_name == path.name


def written(path: Path, *names: str, mode: int = 0o100644) -> Path:
    """A wheel with more entries."""
    with zipfile.ZipFile(path, "a") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, b"x")
    return path


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "a/../../x", "a//x", "./x", "a\\x", "a\nx", "\x1b[2Jx", "a/" + "x" * 256],
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadWheel, match="no plain relative name") as failure:
        Wheel.read(written(make_wheel(tmp_path), name))
    assert str(failure.value).isprintable()


@pytest.mark.parametrize("mode", [0o120777, 0o20666, 0o10666])
def test_a_link_or_device_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(BadWheel, match="neither a file nor a folder"):
        Wheel.read(written(make_wheel(tmp_path), "air/link", mode=mode))


def test_what_gets_too_large_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_wheel(tmp_path, files={"air/zeros": bytes(1 << 20)})
    assert path.stat().st_size < 1 << 13
    monkeypatch.setattr(module, "MAX_BYTES", 1 << 20)
    with pytest.raises(BadWheel, match="unpacked, it has"):
        Wheel.read(path)
    monkeypatch.setattr(module, "MAX_FILES", 3)
    with pytest.raises(BadWheel, match="has 4 files, more than 3"):
        Wheel.read(path)


def test_large_metadata_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_METADATA_BYTES", 10)
    with pytest.raises(BadWheel, match="METADATA' has"):
        Wheel.read(make_wheel(tmp_path))


def test_a_file_is_no_longer_than_the_table_of_contents_says(tmp_path: Path) -> None:
    """So that a bound on the table is one on what is unpacked."""
    path = make_wheel(tmp_path, files={"air/zeros": bytes(1 << 20)})
    size = (1 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (1 << 10).to_bytes(4, "little")))
    with pytest.raises(BadWheel), opened(path, path.name) as source:
        assert all(len(stream.read()) <= 1 << 10 for _, stream, _ in source.get_contents())


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("air.whl", "Invalid wheel filename"),
        ("air-1.5-py3-none-any.whl", "in it, it is called air 1.4"),
        ("other-1.4-py3-none-any.whl", "doesn't match wheel filename"),
        ("air-one-py3-none-any.whl", "Invalid wheel filename"),
    ],
)
def test_a_wheel_under_a_wrong_name_is_refused(tmp_path: Path, name: str, fact: str) -> None:
    path = make_wheel(tmp_path)
    path.rename(tmp_path / name)
    with pytest.raises(BadWheel, match=fact):
        Wheel.read(tmp_path / name)


@pytest.mark.parametrize("asked", [{"requires": ["six=>1"]}, {"python": "three"}])
def test_what_cannot_be_understood_is_refused(tmp_path: Path, asked: dict[str, object]) -> None:
    with pytest.raises(BadWheel):
        Wheel.read(make_wheel(tmp_path, **asked))  # type: ignore[arg-type] # of the right type


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = content.find(mark)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(mark, at + 1)
    path.write_bytes(content)
    with pytest.raises(BadWheel, match="encrypted"):
        Wheel.read(path)


def test_a_table_that_points_before_the_beginning_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    content = bytearray(path.read_bytes())
    begin = int.from_bytes(content[-6:-2], "little")
    content[-6:-2] = (begin + (1 << 20)).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(BadWheel, match="would begin before its start"):
        Wheel.read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 999), byte=st.integers(0, 255), cut=st.integers(0, 40))
def test_a_damaged_wheel_is_read_or_refused(tmp_path: Path, at: int, byte: int, cut: int) -> None:
    path = make_wheel(tmp_path, scripts={"air": "air:run"})
    content = bytearray(path.read_bytes())
    content[at % len(content)] = byte
    path.write_bytes(content[: len(content) - cut])
    with contextlib.suppress(BadWheel), opened(path, path.name) as source:
        source.validate_record()
        assert [stream.read() for _, stream, _ in source.get_contents()]
