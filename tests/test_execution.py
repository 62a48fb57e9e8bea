"""Where planes are classified makes no difference to what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from msgspec.structs import replace
from PIL import Image

import napari_webipred as wp
from elsewhere import in_another_process
from napari_webipred import engine
from napari_webipred.errors import ActivationError
from napari_webipred.execution.plane import Plane, classify_plane
from napari_webipred.imaging.planes import array_source
from napari_webipred.options import Options
from napari_webipred.results.row import Row

RANDOM = np.random.default_rng(2)
FIELDS = ("source", "image", "position", "prediction", "assigned", "error", "intensity_range", "remark")


def rows(model: Any, images: Any, **how: Any) -> list[Row]:
    return [event.row for event in engine.classify(model, images, **how) if isinstance(event, engine.RowDone)]


def test_planes_of_all_kinds_can_be_classified_in_another_process(tmp_path: Path) -> None:
    colour = RANDOM.integers(0, 256, (50, 60, 3), np.uint8)
    Image.fromarray(colour).save(tmp_path / "a.png")
    frames = [Image.fromarray(np.roll(colour, i, axis=1)) for i in range(3)]
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:])
    tifffile.imwrite(tmp_path / "c.tif", RANDOM.integers(0, 4000, (2, 50, 60), np.uint16), photometric="minisblack")
    (tmp_path / "d.png").write_bytes(b"nonsense")
    images = [tmp_path, colour, np.zeros((2, 50, 60)), np.full((9, 9), np.nan), Image.fromarray(colour)]
    model, options = wp.open_model("demo"), Options(intensity="auto", profile="aucmedi")
    here = rows(model, images, options=options)
    there = rows(model, images, options=options, executor=in_another_process)
    assert len(here) == len(there) == 12
    assert sum(row.failed for row in here) == 2
    for row, other in zip(here, there, strict=True):
        assert [getattr(row, name) for name in FIELDS] == [getattr(other, name) for name in FIELDS]
        np.testing.assert_array_equal(row.probabilities, other.probabilities)


def test_the_range_of_a_source_counts_unless_the_user_gives_one() -> None:
    model = wp.open_model("demo")
    plain = array_source(RANDOM.integers(0, 4000, (50, 60), np.uint16), "x")
    windowed = replace(plain, intensity_range=(100.0, 900.0))
    (given,) = rows(model, plain, options=Options(intensity=(100.0, 900.0)))
    (own,) = rows(model, windowed)
    assert own.intensity_range == given.intensity_range == (100.0, 900.0)
    np.testing.assert_array_equal(own.probabilities, given.probabilities)
    (other,) = rows(model, windowed, options=Options(intensity="dtype"))
    assert other.intensity_range == (0, 65535)


def test_an_executor_whose_model_gives_no_probabilities_ends_the_run() -> None:
    model = wp.open_model("demo")

    def doubtful(model: Any, planes: Any, count: int, options: Options) -> Any:
        yield from (Row(plane.number, plane.source.name, error="none") for plane in list(planes)[:1])
        raise ActivationError("These are not probabilities.")

    events = engine.classify(model, [np.zeros((9, 9))] * 3, executor=doubtful)
    assert [type(next(events)) for _ in range(2)] == [engine.Started, engine.RowDone]
    with pytest.raises(ActivationError):
        next(events)
    assert model.needs_activation


def test_a_plane_is_read_prepared_predicted_and_assigned_by_one_function() -> None:
    model = wp.open_model("demo")
    shapes = []

    def predict(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        return np.float32([[0, 0, 1, 0, 0]])

    source = array_source(np.zeros((3, 9, 9), np.uint8), "x", axes=("z",))
    row = classify_plane(Plane(7, source, (2,)), model.card, Options(), predict)
    assert shapes == [(1, 224, 224, 3)]
    assert (row.source, row.image, row.position, row.assigned) == (7, "x", {"z": 2}, (2,))
    assert row.prediction == model.classes[2]
    assert "blank" in row.remark
