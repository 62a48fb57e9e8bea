"""What helps against an error is said by each front in its own words, and by nobody else."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred._napari import remedies as panel
from napari_webipred.api import remedies
from napari_webipred.cli import terminal
from napari_webipred.errors import CatalogueError, Remedy

SOURCE = Path(__file__).parents[1] / "src" / "napari_webipred"
FRONTS = {"cli", "_napari", "api"}
COMMAND = re.compile(r"`napari-webipred |(?<![\w-])--[a-z]")
# How something is done in one of the fronts: by a command, an option, a variable, or with the mouse.
ONE_WAY = re.compile(
    COMMAND.pattern
    + r"|NAPARI_WEBIPRED_|HTTPS?_PROXY|REQUESTS_CA|HF_ENDPOINT|pip install"
    + r"|\b(panel|dock|button|menu|dialog|checkbox|(un)?tick(ed)?|(right-)?click(ed)?|terminal|command line)\b",
    re.IGNORECASE,
)
# What reads the environment names its variables; the one for memory is named in messages, too, for those of an image
# stand in a table, which has no place for a remedy.
NAMES_VARIABLES = {"settings.py", "limits.py"}
# The errors of images, for which there is one command, the same in all fronts.
IN_A_TABLE = {"syntax.py", "tiff_levels.py"}
WRITES_COMMANDS = {"script.py", "command.py", "readme.py"}  # code for a terminal, not messages


def spoken(path: Path) -> list[str]:
    """Every text of a module that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
    ]


def test_messages_of_the_inner_rooms_hold_in_every_front() -> None:
    modules = [path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] not in FRONTS]
    assert len(modules) > 100
    found = [(path.name, text) for path in modules for text in spoken(path) if ONE_WAY.search(text)]
    assert [(name, text) for name, text in found if name not in NAMES_VARIABLES | IN_A_TABLE | WRITES_COMMANDS] == [], (
        "let the error carry a remedy"
    )


def test_the_panel_speaks_of_no_commands() -> None:
    texts = [text for path in (SOURCE / "_napari").rglob("*.py") for text in spoken(path)]
    assert [text for text in texts if COMMAND.search(text)] == []


@pytest.mark.parametrize("front", [terminal, remedies, panel])
def test_each_front_has_words_for_every_remedy(front: ModuleType) -> None:
    assert set(front.REMEDIES) == set(get_args(Remedy))


@pytest.mark.parametrize("function", [wp.classify, wp.prepare, wp.explain])
def test_what_helps_in_python_stands_in_the_notes_of_the_error(function: Callable[..., object]) -> None:
    with pytest.raises(CatalogueError) as caught:
        function([], "xyzzy")
    assert caught.value.__notes__ == ["list_models() lists all models."]


def test_the_command_line_names_the_command_that_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["classify", "a.png", "--model", "xyzzy"]) == 2
    assert "`napari-webipred models`" in capsys.readouterr().err


def test_an_error_keeps_its_remedy_on_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(CatalogueError("It is full.", "Delete something.", "free space")))
    assert (error.message, error.hint, error.remedies) == ("It is full.", "Delete something.", ("free space",))
