"""A model that is made in the dock says as much as one that is made by a command."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

pytest.importorskip("napari")

import napari_webipred as wp
from napari_webipred._napari.own_classes.learning import Given, Learned
from napari_webipred._napari.own_classes.model_making import Wanted, making
from napari_webipred.fitting.head import fit
from napari_webipred.options import Options
from napari_webipred.steps import result_of


@pytest.fixture
def wanted() -> Wanted:
    """A model of two classes."""
    base = wp.open_model("demo")
    features = base.features(np.random.default_rng(0).random((8, *base.input_shape[:2], 3), np.float32))
    given = Given(tuple(range(8)), (("a",), ("b",)) * 4, ("a", "b"), False, ("p",) * 8)
    head = fit(features, list("abab" * 2), groups=given.groups)
    learned = Learned(given, head, head.probabilities(features), ())
    return Wanted(base, learned, features, None, Options(intensity=(0, 128)), "Mine", unread=2)


def test_a_model_says_with_which_range_it_was_fitted_and_what_was_left_out(wanted, tmp_path) -> None:
    model = wp.open_model(result_of(making(wanted, tmp_path / "mine.zip")))
    said = " ".join(model.remarks)
    assert "the intensity range" in said
    assert "128" in said
    assert "2 images could not be read, and were left out of the fit." in said
    assert "one group" in said


def test_models_of_different_names_are_kept_in_different_files(wanted) -> None:
    names = ("cells-1", "Cells 1", "cells_1", "\u7ec6\u80de", "\u80bf\u7624")
    paths = [result_of(making(replace(wanted, name=name), None)) for name in names]
    assert len({*paths}) == len(names)
    assert [wp.open_model(path).card.name for path in paths] == list(names)
    assert result_of(making(wanted, None)) == result_of(making(wanted, None))
