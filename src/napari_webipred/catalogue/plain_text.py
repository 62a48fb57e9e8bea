"""Words without markup: what servers send is shown as text, never as HTML."""

from __future__ import annotations

import re

_MAX_HTML = 50_000
_BLOCKS = {"p", "br", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"}


def plain_text(html: str) -> str:
    """Return the words of a piece of HTML, paragraphs on lines of their own, nothing else.

    The standard library's parser takes seconds over some malformed pages, so the tags are cut out by one pass.
    """
    from html import unescape

    words: list[str] = []
    hidden = ""
    for part in re.split(r"(<[^<>]*>)", html[:_MAX_HTML]):
        if tag := re.match(r"<(/?)([A-Za-z][A-Za-z0-9]*)", part):
            name = tag[2].lower()
            if name in {"script", "style"}:
                hidden = "" if tag[1] else name
            elif not hidden and name in _BLOCKS:
                words.append("\n")
        elif not hidden and not part.startswith("<!"):
            # A line break in the source is a space; only tags break lines.
            words.append(unescape(part).replace("\n", " "))
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(words).split("\n"))
    return "\n".join(line for line in lines if line)


def day(value: object) -> str | None:
    """Return the date at the beginning of a time stamp such as ``2025-03-04T05:06:07Z``; None if there is none."""
    match = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) if isinstance(value, str) else None
    return match[0] if match else None
