"""One table of formats: everything that knows a format follows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_webipred import card, formats
from napari_webipred._napari.models import add_model, origin, stored_models
from napari_webipred.archive import model_folder
from napari_webipred.card import ModelCard, Weights, WeightSource
from napari_webipred.catalogue import bioimageio
from napari_webipred.download.partial import check_kind
from napari_webipred.download.remote_file import format_of
from napari_webipred.errors import CatalogueError
from napari_webipred.formats import FORMATS, Format, kind_of
from napari_webipred.runtime import readers

ROOT = Path(__file__).parents[1]
every_format = pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.id)


@given(st.binary(max_size=64))
def test_any_bytes_have_a_kind(head: bytes) -> None:
    known = {"zip", "html", "json", "unknown", *formats.BY_ID}
    assert kind_of(head) == "empty" if not head else kind_of(head) in known


def test_the_first_bytes_of_a_file_tell_its_kind() -> None:
    assert kind_of(b"\x89HDF\r\n\x1a\n\x00") == "keras-h5"
    assert kind_of(b"\x08\x08\x12\x07pytorch") == "onnx"
    assert kind_of(b"PK\x03\x04") == "zip"
    assert kind_of(b'\xef\xbb\xbf {"format": 1}') == "json"
    assert kind_of(b" <!DOCTYPE html>") == "html"
    assert kind_of(b"\x1f\x8b\x08\x00") == "unknown"


@every_format
def test_a_model_in_any_format_can_be_read(each: Format) -> None:
    assert each.id in readers.READERS or each.id == "onnx"
    assert set(readers.READERS) < set(formats.BY_ID)


@every_format
def test_a_card_can_have_any_format_and_the_panel_has_a_label_for_it(each: Format) -> None:
    weights = Weights(format=each.id, source=WeightSource(type="local"))
    described = ModelCard(id="a", name="A", weights=(weights,))
    assert origin.format_of(described) == each.label
    assert each.short in {"TF.js", "Keras", "SavedModel", "ONNX"}
    assert origin.format_of(described, short=True) == each.short
    assert set(get_args(card.WeightFormat)) == set(formats.BY_ID)


@every_format
def test_the_file_dialogs_and_folders_show_files_of_every_format(each: Format) -> None:
    assert re.fullmatch(r"Models and bundles \((\*\.\w+ ?)+\)", add_model.FILES)
    for name in each.names:
        suffix = Path(name).suffix or name
        assert f"*{suffix}" in re.findall(r"\*\.\w+", add_model.FILES)
        assert suffix in model_folder._SUFFIXES
    assert all(f"*{suffix}" in stored_models.FILES for suffix in each.suffixes)


@every_format
def test_the_table_of_formats_in_the_docs_names_every_format(each: Format) -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    table = text.partition("## Own models")[2].partition("\n\n")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if each.program in row]
    assert all(any(f"`{name}`" in row for row in rows) for name in each.names), each.names
    if each.id == "tfjs-graph":
        assert any("*graph*" in row for row in rows)


@every_format
def test_messages_name_every_format(each: Format) -> None:
    assert f"{each.described} (" in formats.listed()
    assert all(name in formats.listed() for name in each.names)
    assert each.program in formats.programs()
    assert formats.joined(["a"]) == "a"
    assert formats.joined(["a", "b", "c"], "and") == "a, b and c"


def test_names_of_files_tell_their_format() -> None:
    found = {name: formats.format_of(name) for name in ("a/b.HDF5", "model.json", "saved_model.pb", "x.pb", "a.json")}
    assert {name: each and each.id for name, each in found.items()} == {
        "a/b.HDF5": "keras-h5",
        "model.json": "tfjs-layers",
        "saved_model.pb": "saved-model",
        "x.pb": None,
        "a.json": None,
    }


def test_a_file_that_needs_others_of_unknown_names_is_not_fetched_alone() -> None:
    assert format_of("saved_model.pb") is None
    assert format_of("model.json") == format_of("any.zip") == "tfjs-layers"


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_download_that_is_something_else_is_called_by_its_format(suffix: str) -> None:
    found = formats.format_of(f"m{suffix}")
    assert found is not None
    with pytest.raises(CatalogueError, match=f"m{suffix} is not {found.described}"):
        check_kind(f"m{suffix}", b"\x1f\x8b\x08\x00")


def test_onnx_comes_first_among_the_weights_of_the_zoo() -> None:
    told = {"tensorflow_js": {"source": "t.zip"}, "keras_hdf5": {"source": "k.h5"}, "onnx": {"source": "o.onnx"}}
    assert [each.format for each in bioimageio.weights({"weights": told})] == ["onnx", "keras-h5", "tfjs-layers"]
