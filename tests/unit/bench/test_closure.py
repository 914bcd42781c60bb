"""Packages of Debian become derivations: each after what it needs, all above one bottom."""

from bench.updates.closure import BOTTOM, chosen, expression, parse_dependencies

STATUS = """\
Package: mosquitto
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: libc6 (>= 2.34), libssl3 | libssl4, adduser:any
Description: a broker
 Depends: not a field

Package: libc6
Depends: libgcc-s1
"""


def test_dependencies_are_names_without_versions_and_alternatives() -> None:
    assert parse_dependencies(STATUS) == {
        "mosquitto": ["adduser", "init-system-helpers", "libc6", "libssl3"],
        "libc6": ["libgcc-s1"],
    }


def test_every_package_comes_after_what_it_needs() -> None:
    order = chosen({"mosquitto": ["libssl3", "libc6"], "libssl3": ["libc6"], "libc6": []})
    assert list(order) == ["libc6", "libssl3", "mosquitto"]
    assert order["mosquitto"] == ["libssl3", "libc6"]


def test_the_bottom_needs_nothing_and_a_cycle_is_cut() -> None:
    order = chosen({"mosquitto": ["a"], "a": ["b", "libc6"], "b": ["a"], "libc6": ["a"]})
    assert order == {"libc6": [], "b": [], "a": ["b", "libc6"], "mosquitto": ["a"]}


def test_what_is_not_installed_is_left_out() -> None:
    assert chosen({"mosquitto": ["virtual"], "libc6": []}) == {"libc6": [], "mosquitto": []}


def test_everything_above_names_the_bottom() -> None:
    lines = expression({BOTTOM: [], "mosquitto": []}).splitlines()
    assert '    "mosquitto" = object "mosquitto" [ all."libc6" ] { };' in lines
    assert '    "libc6" = object "libc6" [  ] { flags = flags; bottom = ""; };' in lines
