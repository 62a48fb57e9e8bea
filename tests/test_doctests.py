"""The examples in the docstrings run as they stand, with the model of the program and without a network."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import napari_webipred as wp

SOURCE = Path(wp.__file__).parent
WITH_EXAMPLES = [
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if "_napari" not in path.parts and ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(import_module(module))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    "name", ["open_model", "classify", "list_models", "Model.classes", "Model.predict", "Model.warm_up"]
)
def test_what_is_public_has_an_example(name: str) -> None:
    found: object = wp
    for part in name.split("."):
        found = getattr(found, part)
    assert "Examples\n" in (found.__doc__ or "")
    assert ">>> " in (found.__doc__ or "")
