"""What helps against an error is said by each front in its own words, and by nobody else."""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path
from typing import get_args

import pytest

from napari_webipred import cli
from napari_webipred.cli import terminal
from napari_webipred.errors import CatalogueError, Remedy

SOURCE = Path(__file__).parents[1] / "src" / "napari_webipred"
COMMAND = re.compile(r"`napari-webipred |(?<![\w-])--[a-z]")


def spoken(path: Path) -> list[str]:
    """Every text of a module that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
    ]


def test_only_the_command_line_speaks_of_commands() -> None:
    modules = [path for path in SOURCE.rglob("*.py") if "cli" not in path.parent.name]
    assert len(modules) > 100
    assert [(path.name, text) for path in modules for text in spoken(path) if COMMAND.search(text)] == []
    assert any(COMMAND.search(text) for text in spoken(SOURCE / "cli" / "terminal.py"))


def test_the_command_line_has_words_for_every_remedy() -> None:
    assert set(terminal.REMEDIES) == set(get_args(Remedy))


def test_the_command_line_names_the_command_that_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["classify", "a.png", "--model", "xyzzy"]) == 2
    assert "`napari-webipred models`" in capsys.readouterr().err


def test_an_error_keeps_its_remedy_on_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(CatalogueError("It is full.", "Delete something.", "free space")))
    assert (error.message, error.hint, error.remedy) == ("It is full.", "Delete something.", "free space")
