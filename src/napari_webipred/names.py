r"""File names and other texts from outside, written so that every character of them can be seen.

A file name may hold anything: control characters that rewrite a terminal, characters that turn the direction of the
text, characters that take no place, and bytes that are not UTF-8. Such a character is written as an escape sequence:

- ``\x1b``: a control character; from ``\x80`` to ``\xff`` a byte that is not UTF-8;
- ``\u202e``: any other such character;
- ``\x5c``: a backslash, but only one that would look like the beginning of such a sequence.

All other characters stay as they are, so ``C:\scans\a.png`` and ``Größe.png`` do too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Control characters, line separators, marks and overrides of the direction of writing, what takes no place and joins
# nothing, and surrogates, which stand for bytes that are no UTF-8 (PEP 383) and cannot be written to any file. The
# joiners U+200C and U+200D stay: Persian and emoji are written with them.
_UNSEEN = (
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_SEQUENCE = (
    r"\\(?:x([01][0-9a-f]|5c|7f|[89a-f][0-9a-f])"
    r"|u(00[89][0-9a-f]|00ad|061c|180e|200[bef]|202[89a-e]|206[0-9a-f]|d[89a-f][0-9a-f]{2}|feff|fff[9ab]))"
)
# A spreadsheet takes a cell that begins with one of these for a formula and runs it.
FORMULA_STARTS = ("=", "+", "-", "@")
_LONGEST = 1000  # characters of a text for people; all that a card of ours or a file system has is shorter
_BYTES = 0xDC00  # a byte that is no UTF-8 is this many above its value


def escape(name: str) -> str:
    """Write a file name or path so that it can be seen, stored as UTF-8, and turned back by `unescape`."""
    if "\\" in name:
        name = re.sub(_SEQUENCE, lambda found: rf"\x5c{found[0][1:]}", name)
    return visible(name)


def unescape(text: str) -> str:
    """Return the file name or path that `escape` has written: ``Path(unescape(text))`` is the file."""
    return re.sub(_SEQUENCE, _character, text)


def visible(text: str) -> str:
    """Write a text that nobody has to turn back, such as a message: as `escape` does, but backslashes stay."""
    if text.isascii() and text.isprintable():  # as nearly all are, which this tells at once
        return text
    return re.sub(_UNSEEN, _sequence, text)


def readable(text: str, longest: int = _LONGEST) -> str:
    """Write a text for people as `visible` does, but lines stay lines, and what is very long ends in an ellipsis."""
    text = "\n".join(map(visible, text[: longest + 1].split("\n")))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def listed(names: Sequence[str], most: int = 100) -> str:
    """Return names for a message, at most so many of them."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def slug(name: str, otherwise: str) -> str:
    """Make an identifier of a name, which can begin names of files: letters and digits of ASCII with ``-`` between."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:60].strip("-") or otherwise


def plain(name: str) -> str:
    """Write a name, such as that of a class, so that case, spaces, hyphens and underscores do not matter.

    A hyphen at the beginning or end of a word stays: ``-1`` is not ``1``, and ``HER2-`` is not ``HER2``.
    """
    name = unicodedata.normalize("NFC", name)
    return re.sub(r"\s+-+\s+|[\s_]+|(?<=[^\W_])-+(?=[^\W_])", " ", name).strip().casefold()


def harmless(text: str) -> str:
    """Escape what cannot be seen, and put an apostrophe before what a spreadsheet would run as a formula."""
    text = visible(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def without_apostrophe(text: str) -> str:
    """Take away the apostrophe that `harmless` has put before a text."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text


def _sequence(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\x{code - _BYTES:02x}" if 0x80 <= code - _BYTES <= 0xFF else f"\\u{code:04x}"


def _character(found: re.Match[str]) -> str:
    byte, code = found.groups()
    if code:
        return chr(int(code, 16))
    value = int(byte, 16)
    return chr(value if value < 0x80 else _BYTES + value)
