"""Open each file in a process of its own, under a watch: what does the user see, how long, how much memory?

    python tests/hostile/watch.py archive|model|image FOLDER

Prints a JSON object per file of the folder: its name; ``words``, which are the error or what was opened; ``hint`` and
``kind`` of an error, or empty; seconds of the processor and megabytes at the peak. POSIX only.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from napari_webipred.errors import WebIPredError

GIVEN_UP = 20  # seconds
MEMORY = 12 * 2**30  # bytes of address space: should a limit fail, other programs go on
PACKAGE = "napari_webipred"
NEEDED = {
    "archive": [
        *("onnx", "onnx.numpy_helper", "onnxruntime"),
        *(f"{PACKAGE}.{name}" for name in ("archive.model_files", "catalogue.bioimageio", "catalogue.local_model")),
        *(f"{PACKAGE}.cache.{name}" for name in ("index", "local_models", "overrides", "store")),
        *(f"{PACKAGE}.{name}" for name in ("api", "model", "runtime.compiler", "runtime.readers", "runtime.session")),
    ],
    "model": [
        *("onnx", "onnx.numpy_helper", "onnxruntime"),
        *(f"{PACKAGE}.{name}" for name in ("archive.model_files", "catalogue.bioimageio", "catalogue.local_model")),
        *(f"{PACKAGE}.cache.{name}" for name in ("index", "local_models", "overrides", "store")),
        *(f"{PACKAGE}.{name}" for name in ("api", "model", "runtime.onnx_file", "runtime.readers", "runtime.session")),
        *(f"{PACKAGE}.runtime.{name}" for name in ("compiler", "graph_compiler", "keras_file", "saved_model")),
    ],
    "image": [
        *(
            "PIL.Image",
            "tifffile",
            "pydicom.pixels",
            "pydicom.filereader",
            f"{PACKAGE}.card",
            f"{PACKAGE}.imaging.preprocess",
            f"{PACKAGE}.imaging.readers",
        ),
    ],
}


def archive(path: Path) -> str:
    """Open a model as the user does."""
    import napari_webipred

    model = napari_webipred.open_model(path, standardize="none", classes=["a", "b"])
    return f"opened: input {model.input_shape}, {model.output_size} classes"


def model(path: Path) -> str:
    """Open a model of one file as the user does, and run it once."""
    import numpy as np

    import napari_webipred

    opened = napari_webipred.open_model(path, standardize="none")
    opened.predict(np.zeros((1, *(size or 64 for size in opened.input_shape)), np.float32))
    return f"opened: input {opened.input_shape}, {opened.output_size} classes"


def image(path: Path) -> str:
    """Read and prepare an image, and of many planes the first three, as a classification does."""
    from napari_webipred.card import Input, Preprocessing
    from napari_webipred.imaging.display import displayed
    from napari_webipred.imaging.preprocess import prepare
    from napari_webipred.imaging.readers import file_source, header_of, read

    source, planes = file_source(path), []
    for index in islice(source.indices(), 3):
        pixels, header = read(source, index), header_of(source, index)
        if header is not None and header.display is not None:
            pixels = displayed(pixels, header.display, "auto").pixels
        prepare(pixels, Input(width=224, height=224, channels=3), Preprocessing(standardize_mode="torch"))
        planes.append(pixels.shape)
    return f"opened: {len(source)} plane{'s' * (len(source) != 1)}, the first {'x'.join(map(str, planes[0]))}"


def watched(work: Callable[[Path], str], path: Path) -> dict[str, object]:
    """Do the work in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(GIVEN_UP)
        try:
            answer = ["", work(path), ""]
        except WebIPredError as error:
            answer = [type(error).__name__, error.message, error.hint]
        except BaseException as error:
            answer = ["Unforeseen", repr(error), ""]
        os.write(writing, json.dumps(answer).encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime
    megabytes = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    kind, words, hint = json.loads(answer) if answer else ("Crash", f"signal {os.WTERMSIG(status)}", "")
    return {"case": path.stem, "kind": kind, "words": words, "hint": hint, "seconds": seconds, "megabytes": megabytes}


def main() -> None:
    """Watch every file of a folder."""
    work = {"archive": archive, "model": model, "image": image}[sys.argv[1]]
    for name in NEEDED[sys.argv[1]]:
        importlib.import_module(name)  # once, instead of in every child
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for path in sorted(Path(sys.argv[2]).iterdir()):
        print(json.dumps(watched(work, path)), flush=True)


if __name__ == "__main__":
    main()
