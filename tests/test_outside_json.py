from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred import safe_json

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


@given(VALUES, st.sampled_from([None, "utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_json_in_every_encoding_is_read(value: Any, encoding: str | None) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert safe_json.parse(text if encoding is None else text.encode(encoding, "surrogatepass")) == value


@given(st.binary() | st.text())
def test_whatever_is_no_json_is_a_value_error(content: bytes | str) -> None:
    with suppress(ValueError):
        safe_json.parse(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        (b" " * (2**23 + 1), "it has 8388609 bytes, and 8388608 are the most"),
        ("[" + "0," * 300_000 + "0]", "more than 300000 values"),
        (b"[" + b"[]," * 150_000 + b"0]", "more than 300000 values"),
        (b'"\xff"', "it is no text"),
    ],
)
def test_what_is_too_much_is_told(content: bytes | str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        safe_json.parse(content)


def test_the_most_that_is_parsed_is_parsed() -> None:
    assert len(safe_json.parse("[" + "0," * 299_999 + "0]")) == 300_000
