import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.address import (
    Address,
    Reach,
    Refused,
    reach_of,
    reach_of_name,
    shown,
    without_login,
)

HERE = Address.parse("http://example.test:8080/a/b?c=d")

NO_ADDRESSES = [
    *("", "/a", "//", "http:", "http://", "http:///a", "file:///etc/passwd", "ftp://x/y", "x:y"),
    *("http://a..b/", "http://.a/", f"http://{'a' * 64}/", f"http://{'a.' * 130}/", "http://-a-/"),
    *("http://[::1/", "http://::1]/", "http://[::1]x/", "http://[x]/", "http://[::1%25a b]/"),
    *("http://x:y/", "http://x:-1/", "http://x:0/", "http://x:99999/", f"http://x:{'9' * 5000}/"),
    *("http://ä.test/", "http://a b/", "http://a%2eb/", "http://a\\b/", "http://a\x00b/"),
    *("http://\ud800.test/", "http://x/\ud800", f"http://x/{'a' * 9000}", "http://a_\u202eb/"),
]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_address_is_refused_with_one_error(text: str) -> None:
    with pytest.raises(Refused, match="not the address of a web server"):
        Address.parse(text)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_a_redirection_to_no_address_is_refused_or_stays_at_the_server(text: str) -> None:
    try:
        assert HERE.joined(text).authority == HERE.authority
    except Refused as error:
        assert "not the address of a web server" in str(error)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for parse in (Address.parse, HERE.joined):
        try:
            address = parse(text)
        except Refused:
            continue
        assert str(address).isascii() and " " not in str(address)
        assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "authority", "target"),
    [
        ("http://Example.test", "example.test", "/"),
        ("https://example.test:443/x?y#z", "example.test", "/x?y"),
        ("http://user:secret@h_1.test.:81//x", "h_1.test.:81", "//x"),
        ("https://[::1]:8443/a b/ü", "[::1]:8443", "/a%20b/%C3%BC"),
        ("http://[fe80::1%25eth0]/", "[fe80::1%eth0]", "/"),
        ("http://x/%41?%zz", "x", "/%41?%zz"),
    ],
)
def test_what_is_asked_and_whom(text: str, authority: str, target: str) -> None:
    address = Address.parse(text)
    assert (address.authority, address.target) == (authority, target)


def test_a_redirection_is_joined_to_where_it_comes_from() -> None:
    assert str(HERE.joined("/x")) == "http://example.test:8080/x"
    assert str(HERE.joined("x?y")) == "http://example.test:8080/a/x?y"
    assert str(HERE.joined("//other.test/\xc3\xbc")) == "http://other.test/%C3%BC"
    assert str(HERE.joined("https://other.test")) == "https://other.test/"


def test_a_redirection_from_https_to_http_is_refused() -> None:
    with pytest.raises(Refused, match=r"from https to 'http://example\.test/x'"):
        Address.parse("https://example.test/").joined("http://example.test/x")


def test_what_is_shown_of_an_address_has_neither_passwords_nor_control_characters() -> None:
    assert shown("http://me:se@cr/et@proxy.test:3128/") == "'http://proxy.test:3128/'"
    assert shown("me:secret@proxy.test") == "'proxy.test'"
    assert shown("http://x/\x1b]0;owned\x07") == r"'http://x/\x1b]0;owned\x07'"
    assert shown("https://x/blob?signature=secret") == "'https://x/blob?…'"
    assert len(shown("http://" + "a" * 9000)) < 250
    assert len(shown("a" * 9000 + "://x?y")) < 250


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://me:secret@updates.test/x", "http://updates.test/x"),
        ("https://secret@updates.test", "https://updates.test"),
        ("http://me:se@cr/et@updates.test/", "http://updates.test/"),
        ("http://updates.test/a@b?c@d", "http://updates.test/a@b?c@d"),
        ("http://updates.test?c@d", "http://updates.test?c@d"),
        ("/media/me@home/streams", "/media/me@home/streams"),
    ],
)
def test_of_an_address_all_is_kept_but_who_is_to_log_in(text: str, kept: str) -> None:
    assert without_login(text) == kept


@pytest.mark.parametrize(
    ("numeric", "reach"),
    [
        *[(each, Reach.ITSELF) for each in ("127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3")],
        *[(each, Reach.ITSELF) for each in ("::1", "::", "::ffff:127.0.0.1", "::127.0.0.1")],
        *[(each, Reach.ITSELF) for each in ("::ffff:0.0.0.0", "::ffff:7f00:1")],
        *[(each, Reach.LINK) for each in ("169.254.169.254", "fe80::1", "fe80::1%lo")],
        *[(each, Reach.LINK) for each in ("::ffff:169.254.0.1", "224.0.0.1", "255.255.255.255")],
        *[(each, Reach.ANYBODY) for each in ("192.0.2.1", "10.0.0.1", "2001:db8::1")],
    ],
)
def test_who_can_reach_an_address(numeric: str, reach: Reach) -> None:
    assert reach_of(numeric) is reach


@pytest.mark.parametrize(
    "host", ["localhost", "x.localhost.", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "::1"]
)
def test_names_and_spellings_of_this_machine_are_known_without_a_name_server(host: str) -> None:
    assert reach_of_name(host) is Reach.ITSELF
    assert reach_of_name("example.test") is Reach.ANYBODY


def test_who_may_send_us_where() -> None:
    may_not = {(one, other) for one in Reach for other in Reach if other not in one.leads_to}
    link, ours, itself = Reach.LINK, Reach.OURS, Reach.ITSELF
    assert may_not == {
        *((Reach.ANYBODY, other) for other in (link, ours, itself)),
        *((link, other) for other in (ours, itself)),
        *((ours, other) for other in (link, itself)),
        (itself, link),
    }
