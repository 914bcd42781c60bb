"""Formatting changes nothing but space: not the meaning, not a spelling, not a comment."""

import re
import tomllib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconix.config.toml.formatter import WIDTH, format_markdown, format_toml
from reconix.config.toml.literate import marked_lines

WRITTEN = """\


# top


a=1   # x
b = [ 1,2 ,# two
  # own

3 ]
   [ a1 . "b c" ]
x = {a=1,b=[1,2],  c={}}
# about c
# and more
[[c]]


s = \"\"\"
 keep\x20
\"\"\"
open = [1,]
u = [
]
v = [ # c
]
d = 1979-05-27 07:32:00   # date

"""
FORMATTED = """\
# top

a = 1  # x
b = [
  1,
  2,  # two
  # own

  3,
]

[a1."b c"]
x = { a = 1, b = [1, 2], c = {} }

# about c
# and more
[[c]]

s = \"\"\"
 keep\x20
\"\"\"
open = [
  1,
]
u = []
v = [
  # c
]
d = 1979-05-27 07:32:00  # date
"""


def test_the_format_is_as_described() -> None:
    assert format_toml(WRITTEN) == FORMATTED
    assert format_toml(WRITTEN.replace("\n", "\r\n")) == FORMATTED


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n"])
def test_nothing_stays_nothing(text: str) -> None:
    assert format_toml(text) == ""


def test_a_list_is_broken_where_it_does_not_fit() -> None:
    item = '"' + "x" * 27 + '"'
    fits = f"abcd = [{item}, {item}, {item}]\n"
    assert len(fits) == WIDTH + 1
    assert format_toml(fits.replace(", ", ",")) == fits
    assert format_toml(f"e{fits}") == f"eabcd = [\n  {item},\n  {item},\n  {item},\n]\n"


space = st.sampled_from(["", " ", "  ", "\t"])
names = st.sampled_from(["a", "b-c", '"d.e"', "'f #'", '"g\\"h"', "i.j", 'k . "l"'])
plain = st.sampled_from(
    [
        *("1", "0xf", "true", "1.50", "nan", "2020-01-01 10:00:00", '"x"', '""'),
        *('"a, ] } # \\" b"', "'c\\'", '"""m\n "n" \n"""', "''''o''''", f'"{"w" * 40}"'),
    ]
)
breaks = st.sampled_from(["", " ", "\n", "\n\n\n", " #c\n", "\n\t# c [\n#c,\n"])


@st.composite
def lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(inner, max_size=4))
    text = "[" + draw(breaks)
    for number, item in enumerate(items):
        last = number == len(items) - 1
        comma = draw(st.sampled_from(["", ","])) if last else ","
        text += item + draw(breaks) + comma + draw(breaks)
    return text + "]"


@st.composite
def tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    values = draw(st.lists(inner, max_size=3))
    pairs = [f"{draw(space)}k{n}{draw(space)}={draw(space)}{v}" for n, v in enumerate(values)]
    return "{" + ",".join(pairs) + draw(space) + "}"


values = st.recursive(plain, lambda inner: lists(inner) | tables(inner), max_leaves=8)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML as nobody would write it; each comment has a number."""
    lines = []
    for number in range(draw(st.integers(0, 6))):
        lines += draw(st.lists(st.sampled_from(["", " ", "# c", "\t#c"]), max_size=3))
        end = draw(st.sampled_from(["", " ", "#c", "  # c  "]))
        if draw(st.booleans()):
            lines.append(f"{draw(space)}[{draw(space)}t{number}{draw(space)}]{end}")
        else:
            lines.append(f"{draw(space)}[[ l.t{number} ]]{end}")
        name, value = draw(names), draw(values)
        lines.append(f"{draw(space)}{name}{draw(space)}={draw(space)}{value}{end}")
    text = "\n".join(lines)
    count = iter(range(1000))
    return re.sub(r"# ?c", lambda found: f"{found[0]}{next(count)}", text)


@given(documents(), st.sampled_from(["\n", "\r\n"]))
def test_the_meaning_stays(text: str, newline: str) -> None:
    assert repr(tomllib.loads(format_toml(text.replace("\n", newline)))) == repr(
        tomllib.loads(text)
    )


@given(documents())
def test_formatting_again_changes_nothing(text: str) -> None:
    once = format_toml(text)
    assert format_toml(once) == once


@given(documents())
def test_every_comment_stays_and_in_order(text: str) -> None:
    assert re.findall(r"# ?c\d+", format_toml(text)) == re.findall(r"# ?c\d+", text)


@given(documents())
def test_nothing_changes_but_space_and_commas(text: str) -> None:
    assert re.sub(r"[\s,]", "", format_toml(text)) == re.sub(r"[\s,]", "", text)


@given(documents())
def test_no_line_ends_in_space_unless_a_text_does(text: str) -> None:
    assume('"""' not in text)
    assert not re.search(r"[ \t]+$|\n\n\n|\A\n|\n\n\Z", format_toml(text), re.MULTILINE)


@given(documents(), documents())
def test_prose_around_settings_stays_as_it_is(one: str, two: str) -> None:
    markdown = f"# Title  \n\n```toml\n{one}\n```\ntext = 1\n\n~~~toml\n{two}\n~~~\n\nend"
    formatted = format_markdown(markdown)
    prose = [line for line, counts in marked_lines(markdown) if not counts]
    assert [line for line, counts in marked_lines(formatted) if not counts] == prose
    assert f"```toml\n{format_toml(one)}```" in formatted
    assert f"~~~toml\n{format_toml(two)}~~~" in formatted
    assert format_markdown(formatted) == formatted


def test_blocks_that_cannot_be_formatted_alone_are_left_alone() -> None:
    split = "```toml\na = [1,\n```\nand\n```toml\n2]\n```\n"
    assert format_markdown(split) == split
    inside_a_list = "- see\n\n  ```toml\n  a=1\n  ```\n"
    assert format_markdown(inside_a_list) == inside_a_list
