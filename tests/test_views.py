"""Several views of each image in place of one: the same numbers everywhere, and they are those of the views."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from onnx import helper
from PIL import Image

import napari_webipred as wp
from heads import body, opened, write
from napari_webipred import cli, engine
from napari_webipred.card import Input, ModelCard, Preprocessing
from napari_webipred.errors import OptionError
from napari_webipred.execution.prepared import Prepared
from napari_webipred.execution.views import views_of
from napari_webipred.imaging.preprocess import prepare
from napari_webipred.results.columns import columns
from napari_webipred.results.inputs import ImageInput, ModelInput
from napari_webipred.results.row import Row
from napari_webipred.results.saved_session import SavedRun, SavedSession
from napari_webipred.results.session_reader import load
from napari_webipred.results.session_table import Entry, SessionTable
from napari_webipred.results.session_writer import save
from napari_webipred.results.sheet import Sheet

IMAGE = np.random.default_rng(2).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def prepared(height: int, width: int) -> Prepared:
    target = Input(height=height, width=width, channels=3)
    preprocessing = Preprocessing(standardize_mode="torch")
    tensor, used = prepare(IMAGE, target, preprocessing)
    return Prepared(tensor, used, "", "", IMAGE, used, target, preprocessing)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> wp.Model:
    random = np.random.default_rng(0)
    nodes, weights = body(random)
    nodes += [
        helper.make_node("Flatten", ["maps"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"], axis=1),
    ]
    weights["w"] = random.normal(size=(6 * 64, 3)).astype(np.float32)
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_WEBIPRED_CACHE", str(folder / "cache"))
        return opened(write(folder / "net.onnx", nodes, weights, 3))


def test_the_views_of_a_square_input_are_the_eight_symmetries_of_its_very_pixels() -> None:
    square = prepared(32, 32)
    turns = [np.rot90(square.tensor, n) for n in range(4)]
    expected = {each.tobytes() for turn in turns for each in (turn, turn[:, ::-1])}
    found = views_of(square, "symmetries")
    assert {each.tobytes() for each in found} == expected
    assert len(expected) == len(found) == 8
    for views in (None, "flip", "symmetries"):
        np.testing.assert_array_equal(views_of(square, views)[0], square.tensor)
    np.testing.assert_array_equal(views_of(square, "flip")[1], square.tensor[:, ::-1])
    assert [len(views_of(square, views)) for views in (None, "flip")] == [1, 2]


def test_an_image_is_turned_before_it_is_prepared_if_the_input_is_not_square() -> None:
    wide = prepared(20, 40)
    found = views_of(wide, "symmetries")
    assert found.shape == (8, 20, 40, 3)
    turned, _ = prepare(np.ascontiguousarray(IMAGE.swapaxes(0, 1)), wide.target, wide.preprocessing)
    np.testing.assert_array_equal(found[4], turned)
    np.testing.assert_array_equal(found[7], turned[::-1, ::-1])


@pytest.mark.parametrize("views", ["flip", "symmetries"])
def test_numbers_are_the_mean_and_standard_deviation_over_the_views(model: wp.Model, views: str) -> None:
    tensor = wp.prepare(IMAGE, model)
    batch = [tensor, tensor[:, ::-1]]
    if views == "symmetries":
        batch = [each for turn in range(4) for each in (np.rot90(tensor, turn), np.rot90(tensor, turn)[:, ::-1])]
    each = model.predict(np.stack(batch)).astype(np.float64)
    table = wp.classify(IMAGE, model, views=views)
    np.testing.assert_allclose(table[["a", "b", "c"]].iloc[0], each.mean(0), atol=1e-6)
    np.testing.assert_allclose(table[["a sd", "b sd", "c sd"]].iloc[0], each.std(0), atol=1e-6)
    assert table["prediction"].item() == "abc"[int(each.mean(0).argmax())]
    assert each.std(0).max() > 0.01
    mirrored = wp.classify(IMAGE[:, ::-1], model, views=views)
    np.testing.assert_allclose(mirrored[["a", "b", "c"]], table[["a", "b", "c"]], atol=1e-5)


def test_without_views_nothing_changes(model: wp.Model) -> None:
    table = wp.classify(IMAGE, model)
    assert list(table.columns) == ["image", "a", "b", "c", "prediction", "error"]
    np.testing.assert_array_equal(table[["a", "b", "c"]].iloc[0], model.predict(wp.prepare(IMAGE, model)[None])[0])


def test_the_command_line_writes_the_numbers_of_python_and_records_the_views(tmp_path: Path) -> None:
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    inputs, out = [str(tmp_path / "a.png"), str(tmp_path / "broken.png")], tmp_path / "out.csv"
    assert cli.main(["classify", *inputs, "-m", "demo", "--views", "flip", "-o", str(out)]) == 1
    table = wp.classify(inputs, "demo", views="flip")
    with out.open(encoding="utf-8", newline="") as stream:
        header, first, second = csv.reader(stream)
    assert header == list(table.columns)
    classes = wp.open_model("demo").classes
    assert header == columns((), classes, measures=[f"{name} sd" for name in classes])
    np.testing.assert_array_equal(np.array(first[1:6], np.float32), table.iloc[0, 1:6])
    np.testing.assert_array_equal(np.array(first[8:], np.float32), table.iloc[0, 8:])
    assert second[1:6] == second[8:] == [""] * 5
    assert table.iloc[1, 8:].isna().all()
    record = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert record["options"]["views"] == "flip"
    assert record["notes"] == []


def test_views_that_a_card_does_not_declare_are_used_with_a_note(model: wp.Model, tmp_path: Path, capsys) -> None:
    notes = wp.classify(IMAGE, model, views="flip").attrs["notes"]
    assert "does not say that the views flip" in notes[0]
    assert not wp.classify(IMAGE, "demo", views="flip").attrs["notes"]
    flips = model.card.model_copy(update={"views": "flip"})
    assert not flips.remarks_on("flip")
    assert flips.remarks_on("symmetries")
    with pytest.raises(OptionError, match="no views 'turn'"):
        engine.Options(views="turn")  # type: ignore[arg-type]


def test_every_number_of_the_views_is_in_what_the_panel_saves(model: wp.Model, tmp_path: Path) -> None:
    options = engine.Options(views="flip")
    rows = [event.row for event in engine.classify(model, [IMAGE, "gone.png"], options) if hasattr(event, "row")]
    table = SessionTable()
    for card, how, its in ((model.card, options.as_dict(), rows), (model.card, engine.Options().as_dict(), rows[1:])):
        table.append(table.begin(card, model.checksum, how, (), len(its)), its)
    sheet = Sheet([table.entry(number) for number in range(3)])
    assert sheet.names[-3:] == ["a sd", "b sd", "c sd"]
    measured, *without = [parts[-1] for parts in sheet]
    np.testing.assert_array_equal(measured, rows[0].measures)
    np.testing.assert_array_equal(without, np.full((2, 3), np.nan))
    run = SavedRun(
        datetime(2026, 1, 1, tzinfo=UTC), model.card, model.checksum, options.as_dict(), (), 2, ModelInput("x"), (), ()
    )
    saved = _reloaded(tmp_path / "s.json", run, rows)
    np.testing.assert_array_equal(saved.rows[0].measures, rows[0].measures)
    assert saved.rows[1].measures is None
    assert saved.options == options.as_dict()


def _reloaded(path: Path, run: SavedRun, rows: list[Row]) -> SavedRun:
    images = tuple(ImageInput(row.image, row.image) for row in rows)
    for _ in save(path, SavedSession((replace(run, images=images, rows=rows),))):
        pass
    steps = load(path)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value.runs[0]


def test_a_card_declares_its_views_and_nothing_else() -> None:
    assert {card.id: card.views for card in wp.list_models() if card.views} == {
        "demo": "symmetries",
        "webipred-12": "symmetries",
        "webipred-15": "symmetries",
    }
    with pytest.raises(ValueError, match="views"):
        ModelCard.model_validate({"id": "a", "name": "a", "views": "upside-down"})


def test_an_entry_of_a_run_without_views_has_no_numbers_of_them(model: wp.Model) -> None:
    run = SessionTable().begin(model.card, model.checksum, engine.Options().as_dict(), (), 1)
    row = Row(0, "x", probabilities=np.array([0.2, 0.3, 0.5], np.float32), prediction="c", assigned=(2,))
    assert Sheet([Entry(run, row)]).names == ["image", "a", "b", "c", "prediction", "error"]
