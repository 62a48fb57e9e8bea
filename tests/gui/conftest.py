from __future__ import annotations

import copy
import gc
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_webipred.card import ModelCard
from napari_webipred.results.inputs import ModelInput
from napari_webipred.results.row import Row
from napari_webipred.results.saved_session import SavedRun
from napari_webipred.results.session_table import RunDetails


def card(identifier: str, name: str, classes: dict[str, str | None], **facts) -> ModelCard:
    return ModelCard.model_validate(
        {
            "id": identifier,
            "name": name,
            "classes": [{"index": i, "name": name, "label": label} for i, (name, label) in enumerate(classes.items())],
            "input": {"width": 4, "height": 4, "channels": 3},
            "preprocessing": {"standardize_mode": "none"},
            **facts,
        }
    )


BRIGHTNESS = card(
    "brightness", "Brightness", {"dark": None, "bright": None}, discipline="Optics", procedure="Microscopy"
)
CHEST = card(
    "chest",
    "Chest",
    {"NORMAL": "normal lung", "PNEUMONIA": "inflamed lung"},
    description="Tells whether a lung is inflamed. Made for children.",
    discipline="Radiology",
    procedure="X-ray",
)
EYE = card(
    "eye",
    "Eye",
    {"blood": None, "drusen": None, "normal": None},
    task="multi-label",
    discipline="Ophthalmology",
    procedure="Retinal imaging",
)


LOW_BLUE = "low blue"


_manifests: dict[object, object] = {}


class MeanModel:
    """Stands in for a model: the probability of the second class is the mean of the image."""

    checksum = f"sha256:{0:064}"
    reference = None
    input_shape = (4, 4, 3)
    suggestion: tuple[str, str] | None = None
    outputs = ()
    needs_activation = False

    def __init__(self, model_card: ModelCard = BRIGHTNESS) -> None:
        self.card = model_card
        self.warm = False
        self.differences: dict[object, object] = {}
        self.gate = threading.Event()
        self.gate.set()

    def with_thresholds(self, chosen, options):
        other = copy.copy(self)
        other.card = chosen.applied_to(self.card, options)
        return other

    @property
    def needs_settings(self):
        return None in (self.card.preprocessing, self.card.input) or self.needs_activation

    @property
    def classes(self):
        return self.card.class_names

    @property
    def output_size(self):
        return len(self.card.class_names)

    def session(self, threads: int, hardware: object = None) -> MeanModel:
        return self

    def warm_up(self) -> None:
        self.warm = True

    def features(self, batch: np.ndarray, threads: int | None = None) -> np.ndarray:
        return batch.reshape(len(batch), -1)[:, :6].astype(np.float32)

    def predict(self, batch: np.ndarray) -> np.ndarray:
        assert self.gate.wait(20)
        mean = np.clip(batch.mean(axis=(1, 2, 3)) / 255, 0, 1)
        columns = [1 - mean, mean, mean / 2][: len(self.classes)]
        return np.stack(columns, axis=1).astype(np.float32)


class FakeCatalogue:
    """Stands in for catalogue and cache: what is there, what is on this machine, and what opening a model does."""

    def __init__(self) -> None:
        self.cards = [BRIGHTNESS, CHEST, EYE]
        self.here = {"brightness", "eye"}
        self.models: dict[object, MeanModel] = {entry.id: MeanModel(entry) for entry in self.cards}
        self.opened: list[tuple[object, dict[str, object]]] = []
        self.steps: list[object] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.closed_in: list[str] = []

    def opening(self, reference, **overrides):
        self.opened.append((reference, overrides))
        try:
            yield from self.steps
            while not self.gate.wait(0.01):
                yield self.steps[-1]
            if self.error is not None:
                raise self.error
            return self.models[reference]
        finally:
            self.closed_in.append(threading.current_thread().name)


@pytest.fixture(autouse=True)
def _plugins_write_from_the_main_thread_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "1")


@pytest.fixture(autouse=True)
def _own_preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let napari read the preferences of this test, as if it had just been started."""
    import napari.settings

    monkeypatch.setattr(napari.settings, "_CFG_PATH", str(tmp_path / "config" / "settings.yaml"), raising=False)
    monkeypatch.setattr(napari.settings, "_PLUGIN_SETTINGS", {}, raising=False)
    monkeypatch.setattr("napari_webipred._napari.preferences._page", None)


@pytest.fixture
def fake_catalogue(monkeypatch: pytest.MonkeyPatch) -> FakeCatalogue:
    fake_catalogue = FakeCatalogue()
    monkeypatch.setattr("napari_webipred.cache.index.cards", lambda: list(fake_catalogue.cards))
    monkeypatch.setattr(
        "napari_webipred.cache.store.path_of", lambda card: Path("here") if card.id in fake_catalogue.here else None
    )
    monkeypatch.setattr("napari_webipred.opening.opening", fake_catalogue.opening)
    return fake_catalogue


@pytest.fixture
def blue_theme(request: pytest.FixtureRequest) -> Iterator[str]:
    """A theme whose colours are hardly told from each other, as somebody may have made it."""
    from napari.utils.theme import get_theme, register_theme, unregister_theme

    colours = get_theme("dark").to_rgb_dict() | {
        "id": LOW_BLUE,
        "label": LOW_BLUE,
        "background": "rgb(30, 44, 74)",
        "foreground": "rgb(40, 56, 90)",
        "primary": "rgb(52, 70, 108)",
        "secondary": "rgb(66, 86, 128)",
        "highlight": "rgb(80, 102, 146)",
        "text": "rgb(180, 198, 228)",
        "current": "rgb(60, 90, 150)",
        "error": "rgb(110, 70, 90)",
        "warning": "rgb(100, 95, 80)",
    }
    register_theme(LOW_BLUE, colours, "test")
    viewer = request.getfixturevalue("viewer") if "viewer" in request.fixturenames else None
    yield LOW_BLUE
    if viewer is not None:
        viewer.theme = "dark"  # napari before 0.9 cannot close with a theme that is gone
    unregister_theme(LOW_BLUE)


@pytest.fixture(autouse=True)
def _manifests_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each viewer have the manifests of all plugins without reading their YAML again."""
    bases = pytest.importorskip("npe2.manifest._bases")
    read = getattr(bases, "_load_yaml_no_duplicates", None)
    if read is None:  # an older npe2
        return

    def read_once(stream):
        text = stream if isinstance(stream, str | bytes) else stream.read()
        if text not in _manifests:
            _manifests[text] = read(text)
        return copy.deepcopy(_manifests[text])

    monkeypatch.setattr(bases, "_load_yaml_no_duplicates", read_once)


@pytest.fixture(autouse=True)
def _forms_of_settings_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let napari look for plugins once, and make the classes of their settings; what is chosen is of each test."""
    settings = pytest.importorskip("napari.settings")
    if hasattr(settings, "plugin_configuration_generator"):  # napari 0.9 and later
        monkeypatch.setattr(settings, "plugin_configuration_generator", _classes_of_settings)


@cache
def _classes_of_settings() -> dict[str, type]:
    from napari.settings._plugin_config_generator import plugin_configuration_generator

    return plugin_configuration_generator()


@pytest.fixture(autouse=True)
def _no_collection_for_each_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep napari from collecting all garbage whenever a layer goes, which it does against a fault on Windows."""
    monkeypatch.setattr("napari._vispy.canvas.gc", SimpleNamespace(collect=lambda *_: 0), raising=False)


@pytest.fixture(autouse=True)
def _windows_of_earlier_tests_are_gone(request: pytest.FixtureRequest) -> None:
    """Let go of windows before napari counts them, which it does only for tests with its own.

    One that is still there would fail another test than the one that left it; `test_leaks` finds what the panel leaves.
    """
    if "make_napari_viewer" in request.fixturenames:
        from napari._qt.qt_viewer import QtViewer
        from qtpy.QtCore import QCoreApplication, QEvent

        request.getfixturevalue("qapp")
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        QtViewer._instances.clear()


@pytest.fixture
def viewer(qapp):
    """A viewer without a canvas. Tests that need all of napari take `make_napari_viewer_proxy`."""
    from napari.utils._proxies import PublicOnlyProxy
    from qtpy.QtCore import QCoreApplication, QEvent

    from light_viewer import LightViewer
    from napari_webipred._napari.evaluation.evaluation_widget import EvaluationWidget
    from napari_webipred._napari.images.preview import PreviewWidget
    from napari_webipred._napari.own_classes.own_classes_widget import OwnClassesWidget
    from napari_webipred._napari.panel import ClassifyPanel
    from napari_webipred._napari.slides.heat_map_widget import HeatMapWidget
    from napari_webipred._napari.viewer_session import _sessions

    viewer = LightViewer(
        {
            "Classify images": ClassifyPanel,
            "What the model sees": PreviewWidget,
            "Heat map": HeatMapWidget,
            "Evaluation": EvaluationWidget,
            "My own classes": OwnClassesWidget,
        }
    )
    yield PublicOnlyProxy(viewer)
    viewer.close()
    _finish_tasks()
    _sessions.pop(viewer, None)  # with an open panel it holds the viewer, and all collections would go through both
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    _reset_settings()


def _finish_tasks() -> None:
    """Wait for what still runs beside the window: it would write the last choice into the cache of the next test."""
    from qtpy.QtCore import QCoreApplication, QEventLoop

    from napari_webipred._napari.task import under_way

    end = time.monotonic() + 1
    while under_way() and time.monotonic() < end:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 10)


def _reset_settings() -> None:
    """Reset what a test has chosen in napari's settings; resetting all of them takes longer than looking."""
    from napari.settings import get_settings

    if _chosen() != _usual():
        get_settings().reset()


def _chosen() -> dict[str, object]:
    from napari.settings import get_settings

    settings = get_settings()
    return getattr(settings, "model_dump", settings.dict)()  # napari 0.6 is of pydantic 1


@cache
def _usual() -> dict[str, object]:
    from napari.settings import get_settings

    get_settings().reset()
    return _chosen()


@pytest.fixture
def open_panel(viewer, qtbot):
    """Open the panel as a user does, from the Plugins menu, and wait for its list of models and the preferences."""
    from napari_webipred._napari.preferences import page

    def open_it():
        _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
        qtbot.waitUntil(lambda: panel._session.catalogue.models.rowCount() > 0 and not page().searching)
        return panel

    return open_it


@pytest.fixture
def panel(fake_catalogue, open_panel):
    return open_panel()


@pytest.fixture
def choose(qtbot):
    """Click a model in the list."""
    from qtpy.QtCore import Qt

    def choose_it(panel, name: str):
        view = panel.model.choice.list
        names = [panel.model.choice.filter.index(row, 0).data() for row in range(panel.model.choice.filter.rowCount())]
        index = panel.model.choice.filter.index(names.index(name), 0)
        view.scrollTo(index)
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())

    return choose_it


@pytest.fixture
def classify(qtbot, choose):
    """Choose a model, click Classify and wait for the rows."""
    from qtpy.QtCore import Qt

    def classify_it(panel, name: str = "Brightness"):
        choose(panel, name)
        qtbot.waitUntil(panel.classify.button.isEnabled)
        qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
        run = panel._session.run
        qtbot.waitUntil(lambda: not run.running)
        return run

    return classify_it


def flat(value: int, shape=(40, 40, 3)) -> np.ndarray:
    """Return an image of one colour but for one number: there is a remark on blank images."""
    image = np.full(shape, value, np.uint8)
    image.flat[0] = value + 1 if value < 255 else value - 1
    return image


def open_again(panel, run: RunDetails, rows: Sequence[Row]) -> RunDetails:
    """Add a run of a session to the table: like a run that is there, with these rows and without open images."""
    from napari_webipred._napari.images.place import Target

    saved = SavedRun(run.begun, run.card, run.checksum, run.options, run.axes, run.total, ModelInput(""), ())
    saved.rows.extend(rows)
    again = panel._session.restore(saved, [Target([], tuple(range(len(run.axes))))])
    panel._session.restore_rows(saved, again, range(len(saved.rows)))
    return again


def current_plane(panel):
    """Return the button that chooses the plane that is shown, out of those that magicgui makes."""
    from qtpy.QtWidgets import QRadioButton

    (button,) = (b for b in panel.form.planes.native.findChildren(QRadioButton) if b.text() == "Current")
    return button


def with_keyboard(panel, widget, qtbot) -> None:
    """Give a widget of the panel the keyboard, as Tab does; so the window has to be active."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    panel.window().show()
    panel.window().activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is not None)
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(widget.hasFocus)
