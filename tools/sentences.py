"""Print the sentences that users can meet, side by side, to read them aloud: those of the errors, of a front, or all.

    python tools/sentences.py [ROOM ...]

A room is a folder or module of the package, such as ``cli``, ``_napari`` or ``runtime``. Of an f-string the parts that
are filled in are shown as ``{expression}``. Docstrings and log messages for developers are left out.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "napari_webipred"


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each sentence in a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = {id(node) for node in _not_for_users(tree)}
    yield from _sentences(tree, left_out)


def _not_for_users(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield docstrings, log messages and regular expressions."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in {"_log", "re"}:
                yield from node.args


def _sentences(node: ast.AST, left_out: set[int]) -> Iterator[tuple[int, str]]:
    if id(node) in left_out:
        return
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        text = _text(node)
        if text and " " in text.strip() and any(letter.islower() for letter in text):
            yield node.lineno, text
        return
    for child in ast.iter_child_nodes(node):
        yield from _sentences(child, left_out)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    assert isinstance(node, ast.JoinedStr)
    parts = (part.value if isinstance(part, ast.Constant) else f"{{{_inside(part)}}}" for part in node.values)
    return "".join(map(str, parts))


def _inside(part: ast.expr) -> str:
    return ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""


def main(rooms: list[str]) -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".")
        if rooms and not any(name == room or name.startswith(f"{room}.") for room in rooms):
            continue
        if found := list(sentences(path)):
            print(f"\n{name}")
            for line, text in found:
                print(f"  {line:4} {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
