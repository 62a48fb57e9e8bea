from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from onnx import TensorProto, helper, save
from qtpy.QtCore import Qt
from tests.gui.conftest import flat
from tests.gui.test_leaks import close

from napari_webipred import open_model
from napari_webipred._napari.models.about import about
from napari_webipred.errors import ModelError
from test_model import write_heads, write_strange, write_tfjs
from zenodo_server import model_zip

KERAS = Path(__file__).parents[1] / "goldens" / "keras"


def write_logits(path: Path) -> Path:
    """An ONNX file that takes images of any size and gives three numbers that are not probabilities."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Mul", ["flat", "ten"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor("ten", TensorProto.FLOAT, [1], [10.0])],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def pick(qtbot):
    """Choose an item of a combo box by keys, as people do."""

    def pick_it(box, value):
        box = box.native
        box.setFocus()
        qtbot.keyClick(box, Qt.Key.Key_Home)
        for _ in range(box.findData(value)):
            qtbot.keyClick(box, Qt.Key.Key_Down)
        assert box.currentData() == value

    return pick_it


@pytest.fixture
def asked(viewer, open_panel, qtbot):
    """Add a model file and wait until the form asks for what it does not say."""

    def ask(path: Path):
        panel = open_panel()
        panel._session.catalogue.add(path)
        qtbot.waitUntil(lambda: not panel.model.settings.native.isHidden(), timeout=30_000)
        return panel, panel.model.settings

    return ask


def use(panel, qtbot) -> None:
    qtbot.mouseClick(panel.model.settings.use, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel._session.loading.progress is None, timeout=30_000)


def test_a_folder_of_teachable_machine_without_its_labels_is_asked_about(
    viewer, asked, qtbot, pick, tmp_path, monkeypatch
):
    folder = tmp_path / "converted"
    with zipfile.ZipFile(io.BytesIO(model_zip(3, size=8))) as archive:
        archive.extractall(folder)
    panel, form = asked(folder)
    assert panel.classify.why.text() == "Fill in the missing settings first."
    assert form.heading.text() == "Some settings are missing. Ask the people who trained the model."
    assert not form.use.isEnabled()
    assert form.size_row.isHidden()
    assert form.activation_row.isHidden()  # it ends in a softmax
    assert form.output_row.isHidden()
    assert form.counted.text() == "3 names, or leave empty"
    pick(form.standardize, "tf")
    assert form.use.isEnabled()
    qtbot.keyClicks(form.classes.native, "cat, dog")
    assert form.counted.text() == "2 of 3 names"
    assert not form.use.isEnabled()
    qtbot.keyClicks(form.classes.native, ", bird")
    use(panel, qtbot)
    assert form.native.isHidden()
    card = panel._session.loading.model.card
    assert card.class_names == ["cat", "dog", "bird"]
    assert card.preprocessing.standardize_mode == "tf"
    viewer.add_image(flat(200), name="a")
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.run.running)
    assert panel._session.run.rows[0].prediction in {"cat", "dog", "bird"}


def test_what_was_told_is_known_the_next_time(asked, qtbot, pick, tmp_path):
    (tmp_path / "model.zip").write_bytes(model_zip(2, size=8))
    panel, form = asked(tmp_path / "model.zip")
    pick(form.standardize, "torch")
    use(panel, qtbot)
    panel._session.loading.entry.overrides.clear()
    panel._session.loading.start()
    qtbot.waitUntil(lambda: panel._session.loading.progress is None, timeout=30_000)
    assert form.native.isHidden()
    assert panel._session.loading.model.card.preprocessing.standardize_mode == "torch"


def test_numbers_that_are_no_probabilities_and_a_missing_size_are_asked_about(viewer, asked, qtbot, pick, tmp_path):
    panel, form = asked(write_logits(tmp_path / "any size.onnx"))
    assert not form.size_row.isHidden()
    pick(form.standardize, "none")
    form.size.native.width_.setValue(16)
    form.size.native.height_.setValue(12)
    assert not form.use.isEnabled()
    assert form.activation.native.findData("in-model") == -1
    pick(form.activation, "softmax")
    use(panel, qtbot)
    assert form.native.isHidden()
    viewer.add_image(flat(200), name="a")
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.run.running)
    assert panel._session.run.rows[0].probabilities.sum() == pytest.approx(1)


def test_a_keras_file_is_asked_about_and_can_be_corrected(viewer, asked, qtbot, pick):
    pytest.importorskip("h5py")
    panel, form = asked(next(KERAS.glob("*.h5")))
    outputs = panel._session.loading.model.output_size
    pick(form.standardize, "none")
    if not form.activation_row.isHidden():
        pick(form.activation, "softmax")
    use(panel, qtbot)
    assert form.native.isHidden()
    assert not panel.model.edit_settings.isHidden()
    qtbot.mouseClick(panel.model.edit_settings, Qt.MouseButton.LeftButton)
    assert form.standardize.value == "none"
    names = [f"class {i}" for i in range(outputs)]
    for name in names:
        qtbot.keyClicks(form.classes.native, name)
        qtbot.keyClick(form.classes.native, Qt.Key.Key_Return)
    pick(form.standardize, "grayscale")
    use(panel, qtbot)
    card = panel._session.loading.model.card
    assert (card.class_names, card.preprocessing.standardize_mode) == (names, "grayscale")


def test_what_was_told_wrong_stays_in_the_form_to_be_corrected(panel, fake_catalogue, qtbot, choose, pick):
    card = fake_catalogue.models["brightness"].card
    fake_catalogue.models["brightness"].card = card.model_copy(update={"preprocessing": None})
    choose(panel, "Brightness")
    form = panel.model.settings
    qtbot.waitUntil(lambda: not form.native.isHidden())
    form.classes.native.selectAll()
    qtbot.keyClicks(form.classes.native, "night, day")
    pick(form.standardize, "tf")
    fake_catalogue.error = ModelError("These are not its classes.", "Correct them.")
    use(panel, qtbot)
    qtbot.waitUntil(lambda: "These are not its classes." in panel.model.opening.message.text)
    assert fake_catalogue.opened[1] == ("brightness", {"standardize": "tf", "classes": ["night", "day"]})
    assert not form.native.isHidden()
    assert form.classes.value == ["night", "day"]
    fake_catalogue.error, fake_catalogue.models["brightness"].card = None, card
    use(panel, qtbot)
    assert panel._session.loading.model is fake_catalogue.models["brightness"]
    assert form.native.isHidden()
    assert panel.model.opening.message.text == ""


def test_a_family_of_networks_is_suggested_but_not_chosen(panel, fake_catalogue, qtbot, choose):
    model = fake_catalogue.models["brightness"]
    model.card = model.card.model_copy(update={"preprocessing": None})
    model.suggestion = ("MobileNetV2", "tf")
    choose(panel, "Brightness")
    form = panel.model.settings
    qtbot.waitUntil(lambda: not form.native.isHidden())
    assert form.looks_like.text() == "The model looks like MobileNetV2, which usually uses “tf”."
    assert form.standardize.value is None
    assert not form.use.isEnabled()


def test_a_sigmoid_without_names_asks_for_two_in_order(viewer, asked, qtbot, pick, tmp_path):
    panel, form = asked(write_tfjs(tmp_path / "m", outputs=1, activation="sigmoid"))
    assert form.counted.text() == "2 names, or leave empty"
    assert not form.order.isHidden()
    assert form.order.text() == "Class 0 is the one with outputs near 0."
    assert form.activation_row.isHidden()
    pick(form.standardize, "none")
    qtbot.keyClicks(form.classes.native, "parasitised")
    assert form.counted.text() == "1 of 2 names"
    assert not form.use.isEnabled()
    qtbot.keyClicks(form.classes.native, ", uninfected")
    use(panel, qtbot)
    assert panel._session.loading.model.card.class_names == ["parasitised", "uninfected"]


def test_classes_without_names_are_shown_as_not_named(viewer, asked, qtbot, pick, tmp_path):
    panel, form = asked(write_tfjs(tmp_path / "m", outputs=1, activation="sigmoid"))
    pick(form.standardize, "none")
    use(panel, qtbot)
    viewer.add_image(flat(60), name="a")
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.run.running)
    assert panel.results.model.headings() == ["Image", "Class", "Probability", "0", "1"]
    assert [bar.words for bar in panel.results.detail.chart.bars] == ["class 0 (not named)", "class 1 (not named)"]
    assert "class 1 (not named)" in about(panel._session.loading.model.card)


def test_names_can_be_taken_back(asked, qtbot, pick, tmp_path):
    panel, form = asked(write_tfjs(tmp_path / "m", activation="softmax"))
    pick(form.standardize, "none")
    qtbot.keyClicks(form.classes.native, "a, b")
    use(panel, qtbot)
    qtbot.mouseClick(panel.model.edit_settings, Qt.MouseButton.LeftButton)
    assert form.heading.text() == "Settings of this model. They are stored for the next time."
    assert form.classes.value == ["a", "b"]
    form.classes.native.selectAll()
    qtbot.keyClick(form.classes.native, Qt.Key.Key_Delete)
    use(panel, qtbot)
    assert not panel._session.loading.model.card.is_named


def test_of_several_outputs_one_is_chosen_first_and_may_be_changed(viewer, asked, qtbot, pick, tmp_path):
    panel, form = asked(write_heads(tmp_path / "m", low=("Max", 1), mid=("Average", 2), top=("Max", 4)))
    assert form.heading.text() == "The model has 3 outputs. Choose the one that gives the classes."
    assert panel.classify.why.text() == "Choose the output of the model first."
    assert panel.model.opening.message.text == ""
    assert form.others.isHidden()
    assert not form.use.isEnabled()
    offered = [form.output.native.itemText(i) for i in range(form.output.native.count())]
    assert offered == ["Choose…", "low – 1 number", "mid – 2 numbers", "top – 4 numbers"]
    pick(form.output, "mid")
    use(panel, qtbot)
    qtbot.waitUntil(lambda: not form.native.isHidden())
    assert not form.others.isHidden()
    assert form.output.value == "mid"
    assert form.counted.text() == "2 names, or leave empty"
    pick(form.standardize, "none")
    pick(form.activation, "softmax")
    qtbot.keyClicks(form.classes.native, "a, b")
    use(panel, qtbot)
    assert form.native.isHidden()
    qtbot.mouseClick(panel.model.edit_settings, Qt.MouseButton.LeftButton)
    pick(form.output, "low")
    assert form.activation.native.findData("softmax") == -1
    pick(form.activation, "none")
    assert form.classes.value == []  # two names are none for one value
    assert form.counted.text() == "1 name, or leave empty"
    use(panel, qtbot)
    card = panel._session.loading.model.card
    assert (card.task, card.class_names, card.output.tensor_name) == ("regression", ["value"], "low")


def test_an_activation_can_be_taken_back(asked, qtbot, pick, tmp_path):
    folder = write_tfjs(tmp_path / "m", outputs=1, activation="sigmoid")
    open_model(folder, activation="none")
    panel, form = asked(folder)
    assert form.activation.value == "none"
    assert form.counted.text() == "1 name, or leave empty"
    pick(form.standardize, "none")
    pick(form.activation, "in-model")
    use(panel, qtbot)
    card = panel._session.loading.model.card
    assert (card.task, card.class_names) == ("binary", ["0", "1"])


def test_one_linear_number_is_offered_as_a_value_and_as_two_classes(viewer, asked, qtbot, pick, tmp_path):
    panel, form = asked(write_tfjs(tmp_path / "m", outputs=1))
    assert form.activation.value == "none"
    assert form.counted.text() == "1 name, or leave empty"
    assert form.order.isHidden()
    pick(form.standardize, "none")
    pick(form.activation, "sigmoid")
    assert form.counted.text() == "2 names, or leave empty"
    assert not form.order.isHidden()
    pick(form.activation, "none")
    qtbot.keyClicks(form.classes.native, "age")
    use(panel, qtbot)
    viewer.add_image(flat(60), name="a")
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.run.running)
    table = panel.results.model
    assert table.headings() == ["Image", "age"]
    assert table.index(0, 1).data() == "60"
    assert [bar.shown for bar in panel.results.detail.chart.bars] == ["60"]
    assert panel.results.detail.order.isHidden()


def test_numbers_that_show_to_be_no_probabilities_when_warming_up_are_asked_about(asked, tmp_path):
    _, form = asked(write_strange(tmp_path / "m.onnx"))
    assert form.activation.native.findData("in-model") == -1
    assert form.activation.value is None


def test_that_a_network_gives_no_probabilities_is_asked_about_once_before_anything_is_classified(asked, tmp_path):
    panel, form = asked(write_tfjs(tmp_path / "m"))
    assert panel._session.loading.model.needs_activation
    assert form.activation.value is None
    assert not panel.classify.button.isEnabled()
    assert "probabilities" not in panel.model.opening.message.text + " ".join(panel._session.loading.model.remarks)


def test_a_run_that_finds_no_probabilities_opens_the_form(viewer, panel, fake_catalogue, qtbot, choose, monkeypatch):
    monkeypatch.setattr(
        fake_catalogue.models["brightness"], "predict", lambda batch: np.float32([[-3, 9]] * len(batch))
    )
    viewer.add_image(flat(60), name="a")
    choose(panel, "Brightness")
    qtbot.waitUntil(panel.classify.button.isEnabled)
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.run.running)
    qtbot.waitUntil(lambda: not panel.model.settings.native.isHidden())
    assert "gives -3 to 9, which are not probabilities" in panel.classify.message.text
    assert len(panel._session.run.rows) == 0  # it is said once, not for each image
    assert panel.model.settings.activation.value is None
    assert panel.sections[0].header.isChecked()  # although a run folds this step
    assert not panel.classify.button.isEnabled()


@pytest.fixture
def refused(asked, qtbot, tmp_path):
    """A model whose settings are edited, so that it cannot be opened with them."""
    panel, form = asked(write_logits(tmp_path / "any size.onnx"))
    form.standardize.value, form.activation.value, form.classes.value = "tf", "softmax", ["a", "b", "c"]
    use(panel, qtbot)
    panel.model.edit_settings.click()
    form.standardize.value, form.classes.value = "caffe", ["a", "a", "b"]
    use(panel, qtbot)
    assert "are empty or not unique" in panel.model.opening.message.text
    return panel, form


def test_settings_that_were_refused_count_no_more_when_the_form_shows_those_from_before(refused, qtbot):
    panel, form = refused
    form.standardize.value, form.classes.value = "tf", ["a", "b", "c"]
    use(panel, qtbot)
    card = panel._session.loading.model.card
    assert (card.preprocessing.standardize_mode, card.class_names) == ("tf", ["a", "b", "c"])


def test_a_model_whose_settings_were_refused_is_opened_with_those_from_before_when_it_is_chosen_again(refused, qtbot):
    panel, form = refused
    panel.form.model.value, own = "demo", panel.form.model.value
    qtbot.waitUntil(lambda: panel._session.loading.progress is None, timeout=30_000)
    panel.form.model.value = own
    qtbot.waitUntil(lambda: panel._session.loading.progress is None, timeout=30_000)
    assert form.native.isHidden()
    assert panel._session.loading.model.card.preprocessing.standardize_mode == "tf"


def test_a_reopened_panel_asks_anew_for_settings_that_were_refused(asked, qtbot, tmp_path, open_panel):
    panel, form = asked(write_logits(tmp_path / "any size.onnx"))
    form.standardize.value, form.activation.value, form.classes.value = "tf", "softmax", ["a", "a", "b"]
    use(panel, qtbot)
    close(panel)
    panel = open_panel()
    qtbot.waitUntil(lambda: panel._session.loading.progress is None, timeout=30_000)
    form = panel.model.settings
    assert form.counted.text() == "3 names, or leave empty"
    assert (form.standardize.value, form.activation.value) == (None, None)
    assert not form.use.isEnabled()
