"""What dpkg says of installed packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Need

from reconix.base.process import succeeds
from reconix.build.inspect.packages import BadStatus
from reconix.composition.installed import Installed, Named, Relation, parse_installed


def paragraph(name: str, version: str = "1", **more: str) -> str:
    fields = {
        "Package": name,
        "Status": "install ok installed",
        "Architecture": "amd64",
        "Version": version,
        "Description": "a tool\n Depends: not really\n .",
        **{key.replace("_", "-"): value for key, value in more.items()},
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def only(**more: str) -> Installed:
    (found,) = parse_installed(paragraph("a", "2-1", **more).encode())
    return found


def test_a_package_says_what_it_needs_and_provides() -> None:
    found = only(
        Pre_Depends="libc6 (>= 2.38)",
        Depends="x:any | y ( << 3 ), z",
        Provides="mailer, old (= 3)",
        Recommends="nothing",
        Essential="yes",
    )
    assert found.relations == (
        Relation((Named("libc6", ">=", "2.38"),), "libc6 (>= 2.38)", is_before=True),
        Relation((Named("x"), Named("y", "<<", "3")), "x:any | y ( << 3 )"),
        Relation((Named("z"),), "z"),
    )
    assert found.provides == (Named("mailer"), Named("old", "=", "3"))
    assert found.is_essential


@pytest.mark.parametrize(
    ("field", "source"),
    [
        ({}, ("a", "2-1")),
        ({"Source": "b"}, ("b", "2-1")),
        ({"Source": "gcc-14 (14.2.0-19+x)"}, ("gcc-14", "14.2.0-19+x")),
    ],
)
def test_a_package_is_built_from_a_source(field: dict[str, str], source: tuple[str, str]) -> None:
    found = only(**field)
    assert (found.source, found.source_version) == source


def test_what_is_not_installed_needs_nothing() -> None:
    gone = paragraph("a", Status="deinstall ok config-files", Depends="b")
    assert parse_installed(gone.encode()) == ()


def test_apt_counts_itself_among_what_is_essential() -> None:
    (found,) = parse_installed(paragraph("apt").encode())
    assert found.is_essential


@pytest.mark.parametrize(
    ("more", "fact"),
    [
        ({"Depends": "b c"}, "names 'b c'"),
        ({"Depends": "b (>= 1!)"}, "the version '1!'"),
        ({"Provides": "B"}, "names 'B'"),
        ({"Version": ""}, "without name or version"),
        ({"Version": "v!"}, "the version 'v!'"),
    ],
)
def test_what_dpkg_would_not_write_is_refused(more: dict[str, str], fact: str) -> None:
    with pytest.raises(BadStatus, match=fact):
        only(**more)


def test_a_relation_is_satisfied_by_name_or_by_what_is_provided() -> None:
    found = only(Provides="mailer, old (= 3)")
    assert found.is_what(Named("a"))
    assert found.is_what(Named("a", ">=", "2-1"))
    assert not found.is_what(Named("a", ">>", "2-1"))
    assert found.is_what(Named("mailer"))
    assert not found.is_what(Named("mailer", ">=", "0")), "provided without a version"
    assert found.is_what(Named("old", "<=", "3"))
    assert not found.is_what(Named("old", "<<", "3"))
    assert not found.is_what(Named("other"))


VERSIONS = st.from_regex(r"\A([0-9]:)?[0-9][0-9a-c.+~]{0,4}(-[0-9a-c.+~]{1,3})?\Z")
NAMES = {"<<": "lt", "<=": "le", "=": "eq", ">=": "ge", ">>": "gt", "<": "le", ">": "ge"}


@given(one=VERSIONS, other=VERSIONS, order=st.sampled_from(sorted(NAMES)))
def test_versions_are_compared_as_dpkg_compares_them(one: str, other: str, order: str) -> None:
    Need()("dpkg")
    said = succeeds("dpkg", "--compare-versions", one, NAMES[order], other)
    assert Named("a", order, other).accepts(one) == said
