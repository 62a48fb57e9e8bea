"""The form can be filled in by a script, and shows what the mouse and the keyboard have chosen."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from tests.gui.conftest import current_plane, flat

from napari_webipred._napari.explanations.explain_run import _options
from napari_webipred._napari.form import DEVICES, PRECISIONS, PROFILES, VIEWS, ClassifyForm
from napari_webipred._napari.models.settings_form import ACTIVATIONS, SCALINGS
from napari_webipred._napari.viewer_session import session_of
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.value_widget import literals
from napari_webipred.card import Activation, Profile, StandardizeMode, Views
from napari_webipred.difference import Difference
from napari_webipred.engine import Options
from napari_webipred.errors import CatalogueError, OptionError, WebIPredError
from napari_webipred.hardware import Device, Precision
from napari_webipred.opening import Progress
from napari_webipred.results import script
from napari_webipred.results.inputs import ImageInput, ModelInput

DOC = Path(__file__).parents[2] / "docs" / "panel.md"


@pytest.fixture
def model(fake_catalogue, qtbot):
    """A viewer without a window, which opens much faster."""
    return ViewerModel()


@pytest.fixture
def form(model, qtbot):
    """The form alone."""
    session = session_of(model)
    form = ClassifyForm(model, session, Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(form.native)
    session.catalogue.read()
    qtbot.waitUntil(lambda: session.catalogue.models.rowCount() > 0)
    return form


@pytest.fixture
def ended(panel, qtbot):
    """Wait until a run has ended, and return it."""

    def wait():
        qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.run.running)
        return panel._session.run

    return wait


def test_a_script_chooses_model_and_images_and_classifies(viewer, panel, ended):
    viewer.add_image(flat(51), name="other")
    cells = viewer.add_image(flat(204), name="cells")
    panel.form.images.value = [cells]
    panel.form.model.value = "brightness"
    panel.form()
    run = ended()
    assert [(row.image, row.prediction) for row in run.rows] == [("cells", "bright")]
    assert panel.results.model.rowCount() == 1


def test_every_option_of_the_engine_has_a_widget_and_is_passed_on(viewer, panel, ended):
    not_here = {"workers", "identify", "memory"}  # which nobody chooses in a window
    names = set(Options.__struct_fields__) - not_here
    assert names | {"model", "images", "planes", "regions", "outside", "thresholds"} == set(panel.form.asdict())
    assert panel.form.options() == Options()
    viewer.add_image(flat(102))
    panel.form.intensity.value = (0, 204)
    panel.form.threshold.value = 0.25
    panel.form.profile.value = "aucmedi"
    panel.form.model.value = "eye"
    panel.form.views.value = "flip"
    panel.form()
    chosen = {"intensity": [0, 204], "threshold": 0.25, "profile": "aucmedi", "views": "flip"}
    assert ended().details.options == chosen


def test_a_reference_is_fitted_to_enough_images_and_then_offered(viewer, panel, choose, qtbot):
    layer = viewer.add_image(flat(10))
    choose(panel, "Eye")
    qtbot.mouseClick(panel.classify.more, Qt.MouseButton.LeftButton)
    row, box = panel.classify.reference, panel.form.reference
    assert not row.isHidden()
    assert not row.fit.isEnabled()
    assert not box.native.isEnabled()
    viewer.layers.remove(layer)
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (50, 4, 4), np.uint8))
    panel.form.planes.value = "all"
    qtbot.waitUntil(row.fit.isEnabled)
    row.method.setFocus()
    qtbot.keyClicks(row.method, "distance from the n")
    qtbot.mouseClick(row.fit, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(box.native.isEnabled, timeout=60_000)  # scikit-learn is imported first
    assert "The reference has 50 images." in row.message.text
    box.native.click()
    assert panel.form.options().reference
    panel.classify.more.click()
    assert "reference" in panel.classify.more.text()
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    (run,) = panel._session.table.runs
    assert (run.options["reference"]["method"], run.options["reference"]["images"]) == ("neighbours", 50)
    assert not _options(run).reference  # maps have no use for it
    assert "reference=True" in script.python_of_files(
        [ImageInput("a", "", "/a.png")], ModelInput("eye"), run.options, ""
    )
    qtbot.waitUntil(lambda: not panel._session.running)
    panel.form.model.value = "brightness"  # for which there is none
    assert not panel.form.options().reference


def test_another_device_is_offered_where_it_can_be_used_and_its_numbers_are_told_first(
    viewer, panel, choose, ended, qtbot, monkeypatch
):
    apart = Difference("float32", "cuda", 10, 0.002, 0.001, 9)
    known = threading.Event()

    def measure(model, hardware):
        assert known.wait(20)
        model.differences[hardware] = apart
        return apart

    step = panel.classify
    viewer.add_image(flat(204))
    choose(panel, "Brightness")
    qtbot.mouseClick(step.more, Qt.MouseButton.LeftButton)
    assert step.device.isHidden(), "nothing else can be used here"
    assert step.precision.isHidden()
    monkeypatch.setattr("napari_webipred.difference.offered", lambda: {"device": ["cpu", "cuda"], "precision": []})
    monkeypatch.setattr("napari_webipred.difference.chosen", lambda hardware: hardware)
    monkeypatch.setattr("napari_webipred.execution.threads.chosen", lambda hardware: hardware)
    monkeypatch.setattr("napari_webipred.difference.difference", measure)
    panel.form.model.value = "eye"
    qtbot.waitUntil(lambda: not step.device.isHidden())
    panel.form.device.value = "cuda"
    assert not step.button.isEnabled()
    assert "Measuring" in step.why.text()
    known.set()
    qtbot.waitUntil(step.button.isEnabled)
    assert "differ from those in float32 on the processor by 0.002 at most" in step.hardware.message.text
    assert "graphics card" in step.more.text() or not step.device.isHidden()
    panel.form()
    options = ended().details.options
    assert options["device"] == "cuda"
    assert options["difference"] == apart.as_dict()
    panel.form.device.value = "cpu"
    assert not step.hardware.message.text


def test_every_value_that_the_annotations_allow_is_offered_in_words(form):
    assert set(form.device.choices) == set(literals(Device)) == set(DEVICES)
    assert set(form.precision.choices) == set(literals(Precision)) == set(PRECISIONS)
    assert set(form.profile.choices) == {None, *literals(Profile)} == set(PROFILES)
    assert set(form.views.choices) == {None, *literals(Views)} == set(VIEWS)
    assert set(SCALINGS) - {"0-1"} == set(literals(StandardizeMode)) - {"custom"}  # short for a mode and its numbers
    assert set(ACTIVATIONS) == set(literals(Activation))


def test_what_mouse_and_keyboard_choose_is_the_value_of_the_form(viewer, panel, qtbot, choose):
    heard = []
    panel.form.changed.connect(lambda form: heard.append(form.asdict()))
    first = viewer.add_image(np.zeros((3, 40, 40), np.uint8), name="first")
    second = viewer.add_image(flat(10), name="second")
    choose(panel, "Eye")
    assert panel.form.model.value == "eye"
    view = panel.images.choice.list
    box = view.itemDelegate().box(view.visualRect(panel.images.choice.layers.index(1)))
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=box.center())
    assert panel.form.images.value == [first]
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert panel.form.images.value == [first, second]
    qtbot.mouseClick(current_plane(panel), Qt.MouseButton.LeftButton)
    assert panel.form.planes.value == "current"
    qtbot.keyClicks(panel.form.intensity.native.mode, "Full")
    assert panel.form.intensity.value == "dtype"
    qtbot.mouseClick(panel.classify.more, Qt.MouseButton.LeftButton)
    assert not panel.classify.profile.isHidden()
    qtbot.keyClicks(panel.form.profile.native, "AUC")
    assert panel.form.profile.value == "aucmedi"
    qtbot.mouseClick(panel.classify.more, Qt.MouseButton.LeftButton)
    assert panel.classify.profile.isHidden()
    assert "AUCMEDI" in panel.classify.more.text()  # a choice that is folded away stays known
    assert heard[-1] == panel.form.asdict()
    assert {entry["model"] for entry in heard} == {None, "eye"}


def test_what_a_script_sets_is_shown(viewer, panel, qtbot):
    viewer.add_image(flat(10), name="a")
    b = viewer.add_image(flat(20), name="b")
    panel.form.model.value = "brightness"
    panel.form.images.value = [viewer.layers["b"]]  # in the proxy that plugins get
    panel.form.intensity.value = (-1024, 400.25)
    assert panel.model.choice.list.currentIndex().data() == "Brightness"
    assert panel.sections[1].header.summary == "1 of 2 selected"
    assert panel.form.images.value == [getattr(b, "__wrapped__", b)]
    numbers = panel.form.intensity.native
    assert (numbers.low.text(), numbers.high.text()) == ("-1024", "400.25")
    assert panel.form.intensity.value == (-1024, 400.25)
    qtbot.waitUntil(lambda: panel.classify.button.text() == "Classify 1 image")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("model", "brightnes", "Did you mean demo|There is no model called"),
        ("model", "./no/such/folder", "no such file or folder"),
        ("model", Path("/no/such/model.onnx"), "no such file or folder"),
        ("model", 7, "Give the identifier of a model, a DOI, a URL or a path"),
        ("images", "a", "Choose from these layers: “a”, “b”."),
        ("images", ["a"], "'a' is not an image layer of this viewer.*these layers: “a”, “b”"),
        ("images", None, "Choose from these layers"),
        ("planes", "some", "'some' is no choice of planes. Use 'all', 'current', or a slice"),
        ("planes", slice(0, 9, -1), "Its step is 1 or more"),
        ("planes", slice(0.5, None), "cannot be used"),
        ("intensity", "low", "Use one of 'auto', 'dtype', 'plane'"),
        ("intensity", (5, 5), "5 to 5 cannot be used. Use one of"),
        ("intensity", (0, 1e12), r"from -1e\+09 to 1e\+09"),
        ("threshold", 1.5, "1.5 is not a threshold. Choose a number from 0 to 1"),
        ("threshold", float("nan"), "nan is not a threshold"),
        ("profile", "webipredd", "'webipred', 'aucmedi', 'teachable-machine'"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_those_that_can(model, form, name, value, words):
    model.add_image(flat(10), name="a")
    model.add_image(flat(20), name="b")
    before = form.asdict()
    with pytest.raises((WebIPredError, ValueError), match=words) as raised:
        form[name].value = value
    assert isinstance(raised.value, WebIPredError) or name == "profile"
    assert form.asdict() == before


def test_layers_that_are_no_images_or_belong_to_another_viewer_are_refused(model, form):
    from napari.layers import Image

    model.add_image(flat(10), name="a")
    points = model.add_points([[1, 1]], name="marks")
    for layer, name in ((points, "marks"), (Image(flat(10), name="elsewhere"), "elsewhere")):
        with pytest.raises(OptionError, match=f"“{name}” is not an image layer of this viewer"):
            form.images.value = [layer]


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # napari divides by the length 0
def test_a_layer_that_cannot_be_classified_is_refused_with_the_reason(model, form):
    bad = model.add_image(np.zeros((0, 40, 40), np.uint8), name="bad", contrast_limits=(0, 1))
    with pytest.raises(OptionError, match=r"“bad” cannot be classified: .*empty"):
        form.images.value = [bad]


def test_what_is_missing_is_said_when_the_form_is_called(viewer, panel, fake_catalogue, qtbot):
    with pytest.raises(OptionError, match="No model is chosen"):
        panel.form()
    panel.form.model.value = "brightness"
    with pytest.raises(OptionError, match="No image is selected"):
        panel.form()
    viewer.add_image(flat(10))
    fake_catalogue.error = CatalogueError("It is gone.", "")
    panel.form.model.value = "eye"
    qtbot.waitUntil(lambda: panel._session.loading.error is not None)
    with pytest.raises(CatalogueError, match="It is gone"):
        panel.form()
    assert panel._session.run is None


def test_a_call_waits_for_the_model_and_does_not_block(viewer, panel, fake_catalogue, qtbot, ended):
    viewer.add_image(flat(204), name="cells")
    fake_catalogue.steps = [Progress("load")]
    fake_catalogue.gate.clear()
    panel.form.model.value = "brightness"
    panel.form()
    assert panel.classify.why.text() == "Starts when the model is ready."
    assert not panel.classify.button.isEnabled()
    viewer.add_image(flat(0), name="after the call")
    assert panel._session.run is None
    fake_catalogue.gate.set()
    assert [row.image for row in ended().rows] == ["cells"]


def test_a_call_downloads_the_model_that_is_not_here(viewer, panel, fake_catalogue, ended):
    viewer.add_image(flat(204))
    panel.form.model.value = "chest"
    assert fake_catalogue.opened == []
    panel.form()
    assert ended().details.card.id == "chest"
    assert fake_catalogue.opened == [("chest", {})]


@pytest.mark.parametrize("here", ["brightness", "chest"])
def test_a_call_is_forgotten_when_the_opening_is_cancelled(viewer, panel, fake_catalogue, qtbot, here):
    viewer.add_image(flat(204))
    fake_catalogue.steps = [Progress("load")]
    fake_catalogue.gate.clear()
    panel.form.model.value = here
    panel.form()
    qtbot.waitUntil(lambda: not panel.model.opening.progress.isHidden())
    qtbot.mouseClick(panel.model.opening.progress.cancel, Qt.MouseButton.LeftButton)
    assert not panel._session.waiting
    fake_catalogue.gate.set()
    panel._session.loading.start()
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert panel._session.run is None


def test_a_call_does_not_classify_with_another_model_that_is_chosen_meanwhile(
    viewer, panel, fake_catalogue, qtbot, choose
):
    viewer.add_image(flat(204))
    fake_catalogue.steps = [Progress("load")]
    fake_catalogue.gate.clear()
    panel.form.model.value = "brightness"
    panel.form()
    choose(panel, "Eye")
    fake_catalogue.gate.set()
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    assert panel._session.run is None


def test_a_path_that_is_not_in_the_list_is_opened(viewer, panel, fake_catalogue, ended, tmp_path):
    fake_catalogue.models[tmp_path] = fake_catalogue.models["eye"]
    viewer.add_image(flat(204))
    panel.form.model.value = str(tmp_path)
    panel.form()
    assert ended().details.card.id == "eye"
    assert panel.form.model.value == tmp_path
    assert panel._session.catalogue.models.rowCount() == 4


def test_a_model_that_is_not_found_is_not_replaced_by_the_one_before(viewer, panel, fake_catalogue, qtbot, monkeypatch):
    def resolve(reference):
        raise CatalogueError(f"There is no record {reference}.", "Check the number.")

    monkeypatch.setattr("napari_webipred.cache.index.resolve", resolve)
    viewer.add_image(flat(204))
    panel.form.model.value = "brightness"
    qtbot.waitUntil(lambda: panel._session.loading.model is not None)
    panel.form.model.value = "10.5281/zenodo.999"
    assert panel.form.model.value == "10.5281/zenodo.999"
    panel.form()
    qtbot.waitUntil(lambda: "no record" in panel.model.opening.message.text)
    assert panel.form.model.value is None
    assert not panel._session.waiting
    assert panel._session.run is None


def test_a_run_of_a_script_comes_after_the_rows_that_are_there(viewer, panel, qtbot, classify):
    viewer.add_image(flat(204))
    classify(panel)
    panel.form()
    qtbot.waitUntil(lambda: not panel._session.running)
    assert [panel._session.table.entry(number).run.number for number in panel._session.table.numbers] == [1, 2]


def test_layers_are_listed_again_when_the_choices_are_reset(model, form):
    layers = form.images.native.layers
    layers.leave()
    model.add_image(flat(10))
    assert layers.rowCount() == 0
    form.reset_choices()
    assert layers.rowCount() == 1


def test_models_are_read_again_when_asked(panel, fake_catalogue, qtbot):
    fake_catalogue.cards = fake_catalogue.cards[:2]
    panel.form.model.reset_choices()
    qtbot.waitUntil(lambda: panel._session.catalogue.models.rowCount() == 2)


def test_the_model_can_be_set_before_the_list_is_read(viewer, fake_catalogue, qtbot):
    viewer.add_image(flat(204))
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    panel.form.model.value = "brightness"
    panel.form()
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.run.running)
    assert panel._session.run.details.card.id == "brightness"


def test_the_example_of_the_documentation_runs_as_it_stands(viewer, qtbot, monkeypatch):
    monkeypatch.setattr("napari.plugins._initialize_plugins", lambda: None)  # `viewer` did so; napari refuses it twice
    (example,) = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, str(DOC), "exec"), names)
    panel = names["panel"]
    qtbot.waitUntil(lambda: panel._session.run is not None and not panel._session.run.running, timeout=60_000)
    rows = panel._session.run.rows
    assert [(row.image, row.prediction) for row in rows] == [("tissue sharp", "sharp"), ("coins noisy", "noisy")]
