from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_webipred.names import escape, readable, unescape, visible

# What makes escape sequences, and what looks like them.
WILD = st.text(st.sampled_from("\\xu0123456789abcdef5c7f\x1b\n\x7f\x85\u202e\u2066\udce9\ud800 /.é") | st.characters())


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("caf\udce9.png", r"caf\xe9.png"),
        ("a\x1b[2J\n.png", r"a\x1b[2J\x0a.png"),
        ("scan\u202egnp.exe", r"scan\u202egnp.exe"),
        ("Größe_日本_👩‍🔬.png", "Größe_日本_👩‍🔬.png"),
        ("a\u200bb\ufeffc\u00add\u2060.png", r"a\u200bb\ufeffc\u00add\u2060.png"),
        ("Screenshot 9.41\u202fAM.png", "Screenshot 9.41\u202fAM.png"),
        (r"C:\scans\a.png", r"C:\scans\a.png"),
        (r"C:\users\xavier\udder\x.png", r"C:\users\xavier\udder\x.png"),
        (r"caf\xe9.png", r"caf\x5cxe9.png"),
        (r"\\server\x5c\a.png", r"\\server\x5cx5c\a.png"),
    ],
)
def test_a_name_is_written_as_the_documentation_says(name: str, written: str) -> None:
    assert escape(name) == written
    assert unescape(written) == name


@given(WILD)
@example("\\\x1b")
@example("\\x5c\x1b")
@example("\\x\udc80")
def test_every_name_is_found_again(name: str) -> None:
    assert unescape(escape(name)) == name


@given(WILD, WILD)
def test_two_names_are_never_written_alike(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(st.binary(min_size=1))
def test_every_name_of_a_file_system_of_bytes_is_found_again(name: bytes) -> None:
    as_python_has_it = name.decode("utf-8", "surrogateescape")
    written = escape(as_python_has_it)
    written.encode("utf-8")
    assert unescape(written).encode("utf-8", "surrogateescape") == name


@given(WILD)
def test_what_is_written_can_be_stored_and_cannot_rewrite_a_terminal(text: str) -> None:
    for written in (escape(text), visible(text)):
        written.encode("utf-8")
        assert not {unicodedata.category(character) for character in written} & {"Cc", "Cs", "Zl", "Zp"}
        assert not {unicodedata.bidirectional(character) for character in written} & {
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        }


@given(WILD)
def test_a_written_name_is_not_escaped_again(text: str) -> None:
    assert visible(escape(text)) == escape(text)
    assert visible(visible(text)) == visible(text)


def test_a_text_for_people_keeps_its_lines_and_ends_where_it_is_too_long() -> None:
    assert readable("one\ntwo\u202e\r\n") == "one\ntwo\\u202e\\x0d\n"
    assert readable("x" * 2_000) == "x" * 999 + "…"
    assert readable("x" * 1_000) == "x" * 1_000
