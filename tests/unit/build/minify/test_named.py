"""A path that went and is named needs a sentence, of a rule, of ours or of the project."""

from pathlib import Path

import pytest
from tests.device_trees import Tree, make

from reconix.build.minify import named
from reconix.build.minify.graph import Because
from reconix.build.minify.named import NamedButGone
from reconix.build.minify.reasons import Reasons

STAYS = Because("", "stays")
WENT = Because("", "nothing reaches it")
ROOT: Tree = {
    "usr/bin/air": b"\x7fELF\0/usr/bin/helper\0# /usr/bin/number\0",
    "usr/bin/helper": "",
    "usr/bin/number": "",
    "usr/bin/link": "> helper",
    "usr/lib/folder/x": "",
    "etc/air.conf": "# /usr/bin/number\n; /usr/bin/number\n",
    "usr/lib/tmpfiles.d/air.conf": "L /usr/bin/number\n",
}


def check(folder: Path, stays: set[str], root: Tree = ROOT, without: tuple[str, ...] = ()) -> None:
    goes = {path: WENT for path in root if path not in stays}
    named.check(make(folder, root), Reasons(dict.fromkeys(stays, STAYS), goes), without)


def test_what_is_named_and_went_is_an_error_that_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(NamedButGone) as raised:
        check(tmp_path, {"usr/bin/air"})
    assert "/usr/bin/air names /usr/bin/helper" in str(raised.value)
    assert 'minify.keep = ["/usr/bin/helper", "/usr/bin/number"]' in str(raised.value.hint)
    assert 'minify.without."/usr/bin/helper" = "…"' in str(raised.value.hint)


def test_what_stays_or_is_explained_is_none(tmp_path: Path) -> None:
    both = ("/usr/bin/helper", "/usr/bin/number")
    check(tmp_path / "a", {"usr/bin/air"}, without=both)
    check(tmp_path / "b", {"usr/bin/air", "usr/bin/helper", "usr/bin/number"})
    check(tmp_path / "c", {"usr/lib/tmpfiles.d/air.conf"})


def test_comments_of_settings_name_nothing(tmp_path: Path) -> None:
    check(tmp_path, {"etc/air.conf"})


def test_what_a_rule_took_has_its_sentence(tmp_path: Path) -> None:
    reasons = Reasons({"usr/bin/air": STAYS}, {"usr/bin/helper": Because("swap", "no swap")})
    assert not list(named.named(make(tmp_path, ROOT), reasons))


def test_a_link_is_looked_at_with_what_it_leads_to(tmp_path: Path) -> None:
    root = {**ROOT, "etc/air.conf": "run=/usr/bin/link\n"}
    with pytest.raises(NamedButGone, match=r"(?s)/usr/bin/helper.*/usr/bin/link"):
        check(tmp_path, {"etc/air.conf"}, root)


def test_a_link_to_nowhere_names_nothing_and_one_to_what_a_start_makes_does(tmp_path: Path) -> None:
    root: Tree = {"etc/air.conf": "/etc/locale\n", "etc/locale": "> locale.conf"}
    check(tmp_path / "nowhere", {"etc/air.conf"}, root)
    with pytest.raises(NamedButGone, match="/etc/locale"):
        check(tmp_path / "later", {"etc/air.conf"}, {**root, "etc/locale": "> /run/locale"})


def test_only_the_first_of_many_are_told(tmp_path: Path) -> None:
    many = {f"usr/bin/p{number:02}": "" for number in range(30)}
    root: Tree = {"etc/all": "\n".join(f"/{path}" for path in many), **many}
    with pytest.raises(NamedButGone, match="and 20 more"):
        check(tmp_path, {"etc/all"}, root)


def test_every_sentence_is_about_a_path_of_a_root() -> None:
    for sentence in named.ALL:
        assert not sentence.path.startswith("/")
        assert not sentence.by.startswith("/")
        assert sentence.because
