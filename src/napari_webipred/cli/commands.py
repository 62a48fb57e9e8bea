"""The commands of the program."""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from napari_webipred.cli.interruption import uninterrupted

if TYPE_CHECKING:
    from napari_webipred.cli.parser import Parser


class Command:
    """What a command is for, and which function of which module here adds its arguments, as ``module:function``."""

    def __init__(self, summary: str, arguments: str) -> None:
        self.summary = summary
        self.arguments = arguments

    def add_arguments(self, parser: Parser) -> None:
        """Add the arguments of the command, and what it does, to its parser."""
        module, _, function = self.arguments.partition(":")
        (found,) = imported(f"napari_webipred.cli.{module}")
        getattr(found, function)(parser)


def imported(*names: str) -> list[ModuleType]:
    """Import modules without looking for garbage meanwhile: they make very many objects, and next to no garbage.

    A signal waits until they are imported: libraries make an ImportError of an exception that comes in the middle.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with uninterrupted():
            return [import_module(name) for name in names]
    finally:
        if collects:
            gc.enable()


# A module is imported when its command is used, so that each starts as fast as it can.
COMMANDS = {
    "demo": Command("classify the sample images with the demo model; works offline", "classify:add_demo"),
    "classify": Command("classify image files and folders", "classify:add_classify"),
    "evaluate": Command("compare results with known classes: metrics, intervals, figures", "evaluate:add_evaluate"),
    "explain": Command("show which parts of images speak for a class", "explain:add_explain"),
    "fit": Command("make a model for own classes from a few labelled images", "fit:add_fit"),
    "heatmap": Command("classify a large picture or slide tile by tile, as a map", "heatmap:add_heatmap"),
    "models": Command("list the models of the catalogue, or search Zenodo", "models:add_models"),
    "fetch": Command("download a model, to use it offline later", "models:add_fetch"),
    "remove": Command("delete a downloaded model", "models:add_remove"),
    "cache": Command("list the models on this machine, or delete them", "models:add_cache"),
    "bundle": Command("write models into one file, for a machine without internet", "models:add_bundle"),
    "import": Command("add the models of a bundle to the cache; works offline", "models:add_import"),
    "pack": Command("make a folder of a model that is ready for Zenodo", "pack:add_pack"),
    "pacs": Command("find and classify images in an archive (PACS)", "pacs:add_pacs"),
    "reference": Command(
        "remember what the images are like that a model is for, to find others; at least 50", "reference:add_reference"
    ),
    "report": Command("make a report on results: DICOM SR, FHIR or a page", "report:add_report"),
    "verify": Command("compare the numbers of a model with those of TensorFlow or TensorFlow.js", "verify:add_verify"),
    "rerun": Command("repeat a run from its record, and tell every difference", "rerun:add_rerun"),
}
