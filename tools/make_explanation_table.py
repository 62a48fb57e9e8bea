"""Write the table of docs/explanations.md: how each network is explained, how exactly, and what it costs.

    pip install "napari-webipred[tensorflow]" tf-keras
    python tools/make_explanation_table.py

The networks are those of tools/make_fidelity.py, of which all but one of each family are built with Keras, and the
models in ../shared/models where that is present.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests"), str(Path(__file__).parent)]

import make_explanation_goldens  # noqa: E402
import make_fidelity  # noqa: E402
import napari_webipred as wp  # noqa: E402
from goldens import networks  # noqa: E402
from napari_webipred import engine  # noqa: E402
from napari_webipred.errors import WebIPredError  # noqa: E402
from napari_webipred.execution.plane import prepared_plane  # noqa: E402
from napari_webipred.explanations.explaining import Explainer  # noqa: E402
from napari_webipred.explanations.request import Request  # noqa: E402

DOCUMENT = ROOT / "docs" / "explanations.md"
MODELS = ROOT.parent / "shared" / "models"
BEGIN, END = "<!-- measured maps -->", "<!-- end of measured maps -->"
ROUNDS = 7


def measured(name: str, model: wp.Model) -> str:
    """Explain all classes of one image, and return the line of the table."""
    height, width = model.input_shape[:2]
    image = networks.images((1, height or 64, width or 64, 3), 0, 255)[0].astype(np.uint8)
    plane = engine.chosen_plane(model, image, None)
    prepared = prepared_plane(plane, model.card, engine.DEFAULTS)
    explainer = Explainer(model, threads=1)
    session, plain = explainer.open(model, 1), model.session(1)
    outputs = session.predict(prepared.tensor[None], session.outputs)
    found = explainer.explained(plane, prepared, session, outputs, Request())
    table = wp.classify(image, model)
    difference = max(abs(each.probability - table[each.class_name].item()) for each in found)
    prediction = _milliseconds(lambda: plain.predict(prepared.tensor[None]), ROUNDS)
    rounds = 1 if found[0].method == "occlusion" else ROUNDS
    beyond = _milliseconds(lambda: explainer.explained(plane, prepared, session, outputs, Request()), rounds)
    exact = "" if found[0].completeness is None else f"{max(each.completeness or 0 for each in found):.0e}"
    rows, columns = found[0].grid.shape
    line = (
        f"| {name} | {found[0].method} | {rows} x {columns} | {exact} | {difference:.0g} "
        f"| {prediction:.1f} | {beyond:.1f} |"
    )
    print(line, flush=True)
    return line


def _milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median of what processors are busy with this work, which hardly depends on what else they do."""

    def once() -> float:
        begin = time.process_time()
        work()
        return 1000 * (time.process_time() - begin)

    return median(once() for _ in range(rounds))


def opened(topology: dict[str, Any], shapes: dict[str, list[int]], gain: float, low: float, folder: Path) -> wp.Model:
    """Open a network with weights by formula, as a TensorFlow.js model."""
    made = make_fidelity.Network(topology, shapes, gain, np.zeros(0, np.float32), np.zeros(0, np.float32))
    folder.mkdir()
    for name, content in make_fidelity.files_of(made).items():
        (folder / name).write_bytes(content)
    classes = [f"class {number}" for number in range(make_fidelity.CLASSES)]
    scaling = "none" if low == 0 else "tf"
    return wp.open_model(folder, classes=classes, standardize=scaling, activation="softmax")


def of_keras(scratch: Path) -> Iterator[tuple[str, wp.Model]]:
    """Open the networks of docs/fidelity.md."""
    sources: dict[int, Any] = {}
    with zipfile.ZipFile(make_fidelity.GOLDENS) as archive:
        stored = {name.removesuffix(".json"): archive.read(name) for name in archive.namelist()}
    larger = json.loads((make_explanation_goldens.GOLDENS / "explanations.json").read_text(encoding="utf-8"))
    for family in make_fidelity.FAMILIES.values():
        for place, variant in enumerate(family.variants.split()):
            for major in (2, 3):
                name = f"{variant} of Keras {major}"
                if name in stored:
                    golden = json.loads(stored[name])
                    topology = make_explanation_goldens.resized(golden["topology"])
                    changed = larger.get(f"{variant} of Keras 2", {"shapes": {}})["shapes"]
                    shapes = golden["shapes"] | changed
                elif place and major == 2:
                    keras = sources.setdefault(major, import_module("tf_keras"))
                    model = make_fidelity.built(variant, family._replace(side=make_explanation_goldens.SIDE), keras)
                    topology, shapes = make_fidelity.topology_of(model, keras), make_fidelity.shapes_of(model)
                else:
                    continue
                yield f"{variant} | Keras {major}", opened(topology, shapes, family.gain, family.low, scratch / name)


def of_folder(scratch: Path) -> Iterator[tuple[str, wp.Model]]:
    """Open the models of ../shared/models."""
    for case in json.loads((MODELS / "INDEX.json").read_text(encoding="utf-8")):
        if case["expected"] == "refuse":
            continue
        path = MODELS / case["open"] if case["open"] else scratch / case["case"]
        if case["open"] is None:
            script = MODELS / case["case"] / "make_weights.py"
            subprocess.run([sys.executable, script, path], check=True, capture_output=True)
        names = (MODELS / case["labels"]).read_text(encoding="utf-8").split() if case.get("labels") else None
        try:
            model = wp.open_model(path, standardize="0-1", classes=names)
        except WebIPredError as error:
            print(f"{case['case']} is refused: {error}")
            continue
        yield f"{case['case']} | TensorFlow.js", model


def main() -> None:
    lines = [
        "| network | written by | method | cells | completeness | change of p | prediction, ms | all maps, ms |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        lines += [measured(*each) for each in of_keras(Path(scratch))]
        if MODELS.is_dir():
            lines += [measured(*each) for each in of_folder(Path(scratch))]
    before, _, after = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    rest = after.partition(END)[2]
    DOCUMENT.write_text("\n".join([before + BEGIN, "", *lines, "", END + rest]), encoding="utf-8")


if __name__ == "__main__":
    main()
