"""What classes of plain data are made of can be looked up: by `help`, editors and whatever reads annotations."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import get_type_hints

from msgspec import Struct

import napari_webipred

# What their fields hold comes from modules that take long to import and that most programs do not need.
UNRESOLVED = {
    "napari_webipred.cache.private_session",
    "napari_webipred.cli.beginning",
    "napari_webipred.cli.run",
    "napari_webipred.cli.several",
    "napari_webipred.ensembles.opinions",
    "napari_webipred.imaging.dicom.content",
    "napari_webipred.imaging.dicom.reader",
    "napari_webipred.reports.origin",
    "napari_webipred.runtime.external_data",
}


def structs() -> list[type[Struct]]:
    found = []
    for module in pkgutil.walk_packages(napari_webipred.__path__, "napari_webipred."):
        if "._napari" not in module.name and not module.name.endswith("__main__"):
            members = vars(import_module(module.name)).values()
            found += [each for each in members if isinstance(each, type) and issubclass(each, Struct)]
    return [each for each in found if each.__module__ not in UNRESOLVED]


def test_plain_data_have_a_signature_and_types() -> None:
    unresolved = {}
    for each in structs():
        try:
            inspect.signature(each)
            get_type_hints(each)
        except (NameError, TypeError) as error:
            unresolved[f"{each.__module__}.{each.__qualname__}"] = str(error)
    assert unresolved == {}
