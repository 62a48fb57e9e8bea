"""`help` describes the classes of the panel, and of what their fields are."""

from __future__ import annotations

import inspect
import pkgutil
import pydoc
from importlib import import_module
from typing import get_type_hints

from msgspec import Struct

from napari_webipred import _napari


def test_help_describes_every_class_of_the_panel() -> None:
    undescribed, seen = {}, 0
    for module in pkgutil.walk_packages(_napari.__path__, f"{_napari.__name__}."):
        for each in vars(import_module(module.name)).values():
            if not isinstance(each, type) or each.__module__ != module.name:
                continue
            seen += 1
            try:
                pydoc.render_doc(each)
                if issubclass(each, Struct):  # of widgets, Qt and magicgui say less
                    inspect.signature(each)
                    get_type_hints(each)
            except (NameError, TypeError) as error:
                undescribed[f"{each.__module__}.{each.__qualname__}"] = str(error)
    assert seen > 200
    assert undescribed == {}
