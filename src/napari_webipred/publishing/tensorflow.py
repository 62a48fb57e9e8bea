"""TensorFlow as a judge: it runs a model in a process of its own, if it is installed beside this program."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.errors import OptionError
from napari_webipred.publishing import child, code
from napari_webipred.publishing.answer import Answer, answer_of, environment, question, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_webipred.publishing.material import Material

NAME = "TensorFlow"
FORMATS = {"keras-h5", "keras-v3", "saved-model"}


def is_here() -> bool:
    """Tell whether TensorFlow is installed; it is not imported."""
    return find_spec("tensorflow") is not None


def asking(material: Material, batch: NDArray[np.float32]) -> Generator[None, None, Answer]:
    """Let TensorFlow compute a model.

    Parameters
    ----------
    material : Material
        A Keras file or SavedModel.
    batch : ndarray of float32, shape (n, height, width, channels)

    Raises
    ------
    OptionError
        TensorFlow is not installed.
    ModelError
        The network contains code, or TensorFlow refuses it.
    """
    if not is_here():
        raise OptionError(
            f"{NAME} is not installed, so the model cannot be compared with it.", "", "install tensorflow"
        )
    code.refuse(material)
    with tempfile.TemporaryDirectory() as place:
        path = _copied(material, Path(place))
        header = {"format": material.form, "path": str(path), "shape": batch.shape, "output": material.output}
        content = question(header, np.ascontiguousarray(batch, "<f4").tobytes())
        script = str(Path(__file__).with_name("tensorflow_child.py"))
        more = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        # Keras writes its settings into a folder of the user otherwise; -P keeps our modules out of its way.
        known = environment(KERAS_HOME=place, **more)
        found = yield from child.answering(NAME, [sys.executable, "-P", script], content, known, Path(place))
    return answer_of(read(NAME, found, len(batch)))


def _copied(material: Material, place: Path) -> Path:
    """Write what TensorFlow has to open; it reads no archives."""
    files, name = material.files, PurePosixPath(material.name)
    if material.form != "saved-model":
        suffix, content = material.as_one_file()
        path = place / f"model{suffix}"
        path.write_bytes(content)
        return path
    folder = place / "saved_model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(files[material.name])
    for each in files:
        # Those of a SavedModel that was downloaded file by file lie beside the graph.
        if (last := PurePosixPath(each)).name.startswith("variables.") and name.parent in last.parents:
            (folder / "variables" / last.name).write_bytes(files[each])
    return folder
