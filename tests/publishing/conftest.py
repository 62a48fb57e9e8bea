"""Networks of a few layers, and the programs that they are compared with."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parents[1] / "goldens"
PACKAGES = Path(sys.prefix) / "tfjs"  # see the Makefile

# Stands for TensorFlow: a package of this name that opens a "model" and answers with what the test wants.
STAND_IN = """
import json, os, pathlib
import numpy as np

__version__ = "0.0"
given = json.loads(pathlib.Path(__file__).with_name("given.json").read_text())

class config:
    set_visible_devices = staticmethod(lambda *_: None)

class Model:
    input_shape = (None, 16, 16, 3)
    def __call__(self, x, training):
        exec(given.get("code", ""))
        return np.array([given["numbers"]])

def load_model(path, compile, safe_mode):
    assert os.path.getsize(path) and not compile and safe_mode
    if "refusal" in given:
        raise ValueError(given["refusal"])
    return Model()

class models:
    load_model = staticmethod(load_model)

class keras:
    __version__ = "0.1"
    models = models
"""


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with TensorFlow.js."""
    if shutil.which("node") is None or not (PACKAGES / "node_modules" / "@tensorflow" / "tfjs").is_dir():
        pytest.skip("TensorFlow.js is not installed; `make servers` does that")
    return PACKAGES


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a package called tensorflow where it is found; what it answers stands in the file that is returned."""
    package = tmp_path / "packages" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.syspath_prepend(str(package.parent))
    return package / "given.json"
