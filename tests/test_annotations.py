"""What classes are made of and functions take can be looked up: by `help`, editors and whatever reads annotations."""

from __future__ import annotations

import inspect
import pkgutil
import pydoc
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from msgspec import Struct

import napari_webipred

REFERENCE = Path(__file__).parents[1] / "docs" / "api.md"
# They are derived from classes of requests and urllib3, whose own annotations cannot be looked up.
OF_OTHERS = {"napari_webipred.download.transport", "napari_webipred.pacs.http"}


@cache
def classes() -> list[type]:
    found = []
    for module in pkgutil.walk_packages(napari_webipred.__path__, "napari_webipred."):
        if "._napari" not in module.name and not module.name.endswith("__main__"):
            members = vars(import_module(module.name)).values()
            found += [each for each in members if isinstance(each, type) and each.__module__ == module.name]
    return found


def documented() -> list[tuple[str, Any]]:
    """The functions and classes of the Python reference, under their names there."""
    found = []
    for name in re.findall(r"auto(?:function|class|exception):: (\S+)", REFERENCE.read_text(encoding="utf-8")):
        module, _, own = name.rpartition(".")
        found.append((name, getattr(import_module(module or "napari_webipred"), own)))
    return found


def functions(name: str, of: Any) -> Iterator[tuple[str, Any]]:
    """A function itself; of a class the public methods and properties, and what makes it."""
    if not isinstance(of, type):
        yield name, of
        return
    for member in dir(of):
        found = inspect.getattr_static(of, member)
        function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
        if inspect.isfunction(function) and (member == "__init__" or not member.startswith("_")):
            yield f"{name}.{member}", function


def test_help_describes_every_class() -> None:
    undescribed = {}
    for each in classes():
        try:
            pydoc.render_doc(each)
            if issubclass(each, Struct):  # of others, such as exceptions, Python itself may know none
                inspect.signature(each)
            if each.__module__ not in OF_OTHERS:
                get_type_hints(each)
        except (NameError, TypeError) as error:
            undescribed[f"{each.__module__}.{each.__qualname__}"] = str(error)
    assert len(classes()) > 400
    assert undescribed == {}


@pytest.mark.parametrize(("name", "what"), [pytest.param(*each, id=each[0]) for each in documented()])
def test_what_a_name_of_the_python_reference_takes_and_returns_can_be_looked_up(name: str, what: Any) -> None:
    """Programs that make a form or a command of a function, such as magicgui, evaluate its annotations."""
    for called, function in functions(name, what):
        assert "return" in get_type_hints(function), called
        assert inspect.signature(function, eval_str=True), called


def test_the_python_reference_has_every_public_name() -> None:
    public = {getattr(napari_webipred, name) for name in napari_webipred.__all__ if name != "__version__"}
    assert public <= {what for _, what in documented()}
