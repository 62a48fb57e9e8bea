from __future__ import annotations

from pathlib import Path

import pytest

import napari_webipred

pytest.importorskip("napari")
npe2 = pytest.importorskip("npe2")

MANIFEST = Path(napari_webipred.__file__).with_name("napari.yaml")


@pytest.fixture
def manifest():
    return npe2.PluginManifest.from_file(MANIFEST)


def test_everything_that_the_manifest_names_is_there(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-webipred"


def test_the_installed_package_offers_this_manifest():
    assert npe2.PluginManifest.from_distribution("napari-webipred").contributions.commands


def test_panel_and_preview_are_in_the_menu_for_classifying_layers(manifest):
    items = manifest.contributions.menus["napari/layers/classify"]
    commands = [item.command for item in items]
    own = ("classify", "classify_layer", "preview", "heat_map")
    assert commands == [f"napari-webipred.{name}" for name in own]
    widgets = [widget.command for widget in manifest.contributions.widgets]
    docks = ("classify", "preview", "heat_map", "evaluate", "own_classes")
    assert widgets == [f"napari-webipred.{name}" for name in docks]


@pytest.mark.parametrize("key", ["image-quality", "focus-series"])
def test_the_samples_open(viewer, key):
    layers = viewer.open_sample("napari-webipred", key)
    assert layers
    for layer in layers:
        assert layer.name
        assert min(layer.extent.data[1][-2:]) > 30


def test_the_focus_series_is_sharpest_in_the_middle(viewer):
    (layer,) = viewer.open_sample("napari-webipred", "focus-series")
    contrast = layer.data.std(axis=(1, 2))
    assert contrast.argmax() in (5, 6)
    assert contrast[0] < contrast.max()
    assert layer.axis_labels[0] == "z"


@pytest.mark.parametrize(
    "name",
    ["IM0001", "IM_1", "I10", "7", "12", "00000012", "slice-01", "1.2.840.113619.78", "DICOMDIR", "x.dcm", "y.IMA"],
)
def test_napari_offers_its_files_to_the_reader_of_dicom_also_without_a_suffix(claims, name):
    assert claims(name)


def test_no_other_file_that_napari_opens_makes_it_ask_who_opens_it(claims):
    builtins = npe2.PluginManifest.from_distribution("napari")
    patterns = {pattern for each in builtins.contributions.readers for pattern in each.filename_patterns}
    assert "*.png" in patterns
    files = [pattern for pattern in patterns if "/" not in pattern]  # what lies in a Zarr is a folder
    names = [pattern.replace("*", name) for pattern in files for name in ("image", "IMAGE.2", "12")]
    assert {Path(name).suffix for name in names if claims(name)} == {".dcm", ".dicom"}


@pytest.fixture
def claims(manifest):
    """Whether napari, asked for a file of this name, offers it to this plugin."""
    manager = npe2.PluginManager()
    manager.register(manifest)
    return lambda name: bool(list(manager.iter_compatible_readers(["/data/a.b/" + name])))
