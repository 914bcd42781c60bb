from dataclasses import replace

import pytest

from reconix.base.digests import Digest
from reconix.config.lock.document import digest, parse_lock, print_lock
from reconix.config.lock.hosts import HostLock, Lock, SystemLock, keep_dates
from reconix.config.lock.packages import BadLock
from reconix.config.lock.wheels import INDEX, LockedWheel, PythonLock

NUMPY = "numpy-2.4.6-cp313-cp313-manylinux_2_28_x86_64.whl"


def wheel(name: str = "numpy", **other: str) -> LockedWheel:
    fields = {"version": "2.4.6", "file_name": NUMPY, "origin": INDEX} | other
    return LockedWheel(name=name, size_bytes=5, sha256=Digest.of(name.encode()), **fields)


def lock(python: dict[str, PythonLock]) -> Lock:
    system = SystemLock(("python3",), (), "linux-image-amd64", (), python)
    return Lock({"gateway": HostLock("amd64", ("trixie",), ("main",), (), (), {"web": system})})


def test_environments_are_written_and_read() -> None:
    air = PythonLock(Digest.of(b"asked"), (wheel("numpy"), wheel("six")))
    written = lock({"air": air, "none": PythonLock(Digest.of(b""))})
    read = parse_lock(print_lock(written), source="test")
    assert read.hosts["gateway"].systems == written.hosts["gateway"].systems
    assert read.wheels() == air.wheels
    assert keep_dates(written, read) == read


def test_another_wheel_is_another_lock() -> None:
    one = lock({"air": PythonLock(Digest.of(b""), (wheel(),))})
    other = lock({"air": PythonLock(Digest.of(b""), (wheel(version="2.4.7"),))})
    assert digest(one) != digest(other) != digest(lock({}))
    with pytest.raises(BadLock, match="edited by hand"):
        parse_lock(print_lock(one).replace(b"2.4.6", b"2.4.7", 1), source="test")


def test_no_environment_has_two_wheels_of_one_name() -> None:
    with pytest.raises(BadLock, match="numpy has two wheels"):
        PythonLock(
            Digest.of(b""), (wheel(), replace(wheel(), file_name="numpy-1-py3-none-any.whl"))
        )


@pytest.mark.parametrize("origin", ["https://example.com/a.whl", "file:///srv/wheels/a.whl"])
def test_an_address_is_an_origin(origin: str) -> None:
    assert wheel(origin=origin).address == origin
    assert not wheel(origin=origin).is_of_project


def test_a_path_of_the_project_is_an_origin() -> None:
    found = wheel(origin="../shared/dist/a-1-py3-none-any.whl")
    assert found.is_of_project and found.address is None


@pytest.mark.parametrize(
    "field",
    [
        {"name": "Num_Py"},
        {"name": "../numpy"},
        {"version": "1 --index-url"},
        {"version": "1/2"},
        {"file_name": "../a.whl"},
        {"file_name": "a.tar.gz"},
        {"file_name": "-r.whl"},
        {"origin": "/etc/a.whl"},
        {"origin": "https://me:secret@example.com/a.whl"},
        {"origin": "ftp://example.com/a.whl"},
        {"origin": "a.zip"},
        {"origin": ""},
    ],
)
def test_what_no_wheel_can_have_is_refused(field: dict[str, str]) -> None:
    with pytest.raises(BadLock):
        wheel(**field)
