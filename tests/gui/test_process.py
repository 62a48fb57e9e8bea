from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("napari")

HEAVY = {"onnxruntime", "onnx", "matplotlib", "tensorflow"}

OPEN = """
import sys
report = []
def hear(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        report.append(event)
sys.addaudithook(hear)
import napari
viewer = napari.Viewer(show=False)
before = set(sys.modules)
_, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
"""


def run(code: str, tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"NAPARI_CONFIG": str(tmp_path / "settings.yaml")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_opening_the_panel_loads_nothing_heavy_and_touches_no_network(tmp_path):
    code = (
        f"{OPEN}print(sorted(({{name.split('.')[0] for name in set(sys.modules) - before}} & {HEAVY}) | set(report)))"
    )
    assert run(code, tmp_path).split() == ["[]"]


SLOW = """
import threading, time
import numpy as np
from qtpy.QtCore import QTimer
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.results.run import Run
from napari_webipred.card import ModelCard
from napari_webipred.engine import Options
from napari_webipred.imaging.planes import array_source

class Slow:
    card = ModelCard.model_validate({
        "id": "slow", "name": "Slow", "classes": [{"index": 0, "name": "a"}, {"index": 1, "name": "b"}],
        "input": {"width": 4, "height": 4, "channels": 3}, "preprocessing": {"standardize_mode": "none"},
    })
    classes, checksum, needs_activation = ["a", "b"], "sha256:00", False
    def session(self, threads):
        return self
    def predict(self, batch):
        time.sleep(0.05)
        return np.array([[0.5, 0.5]], np.float32)

layer = viewer.add_image(np.zeros((10_000, 8, 8), np.uint8), rgb=False)
sources = [array_source(layer.data, "stack", rgb=False)]
session = panel._session
target = Target([layer], (0,))
session.run = Run(Slow(), [target], sources, Options(), session.table, destination=session.destination)
session.places.begin(session.run.details.number, session.run.targets)
panel._session.run.rows_added.connect(lambda: QTimer.singleShot(0, viewer.close))
napari.run()
left = [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-webipred")]
print(len(panel._session.run.rows) < 1000, left)
"""


def test_napari_closes_while_a_run_is_going_on(tmp_path):
    code = OPEN.replace("show=False", "show=True") + SLOW
    assert run(code, tmp_path).strip() == "True []"


ENDLESS = """
import threading
import numpy as np
from qtpy.QtCore import QTimer
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.results.run import Run
from napari_webipred.card import ModelCard
from napari_webipred.engine import Options
from napari_webipred.imaging.planes import array_source
from napari_webipred.runtime.session import Session
from hostile import models
from napari_webipred.runtime.onnx_file import adapt

begun = threading.Event()

class Endless:
    card = ModelCard.model_validate({
        "id": "endless", "name": "Endless", "classes": [{"index": i, "name": str(i)} for i in range(3)],
        "input": {"width": 64, "height": 64, "channels": 3}, "preprocessing": {"standardize_mode": "none"},
    })
    classes, checksum, needs_activation = ["0", "1", "2"], "sha256:00", False
    inner = Session(adapt("endless.onnx", models.products(2000, 5000)), 1, allow_slow=True)
    def session(self, threads):
        return self
    def predict(self, batch):
        begun.set()
        return self.inner.predict(batch)

layer = viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True)
sources = [array_source(layer.data, "image", rgb=True)]
session = panel._session
target = Target([layer], ())
session.run = Run(Endless(), [target], sources, Options(), session.table, destination=session.destination)
timer = QTimer()
timer.timeout.connect(lambda: viewer.close() if begun.is_set() else None)
timer.start(50)
napari.run()
print("closed")
"""


def test_napari_closes_while_an_image_is_computed_that_would_take_hours(tmp_path):
    paths = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
    assert run(paths + OPEN.replace("show=False", "show=True") + ENDLESS, tmp_path).strip() == "closed"


CLOSED_PANELS = """
import gc
from qtpy.QtWidgets import QApplication
viewer.window.add_plugin_dock_widget("napari-webipred", "My own classes")
for _ in range(4):
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    while not panel._results_made:
        QApplication.processEvents()
    panel.parent().destroyOnClose()
    del panel
    QApplication.processEvents()
    gc.collect()
print("alive")
"""


def test_panels_that_are_closed_beside_own_classes_can_be_collected(tmp_path):
    assert run(OPEN.replace("show=False", "show=True") + CLOSED_PANELS, tmp_path).strip() == "alive"
