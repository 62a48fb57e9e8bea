from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from napari_webipred import settings
from napari_webipred.cache import last_choice, local_models, store
from napari_webipred.cache.last_choice import LastChoice

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.lists(st.floats(), max_size=3)
)
DOCUMENTS = SCALARS | st.dictionaries(
    st.sampled_from(["id", "path", "settings"]), SCALARS | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
)


def test_a_choice_is_there_for_the_next_process(tmp_path: Path) -> None:
    assert last_choice.read() == LastChoice(first=True)
    for choice in (
        LastChoice("demo", {"intensity": (1.5, 3.0), "threshold": 0.25, "planes": "current"}),
        LastChoice(tmp_path / "own.onnx", {}),
    ):
        assert last_choice.remember(choice)
        assert last_choice.read() == choice


def test_settings_without_a_model_keep_the_model(tmp_path: Path) -> None:
    last_choice.remember(LastChoice(tmp_path / "own.onnx", {"threshold": 0.1}))
    last_choice.remember(LastChoice(None, {"planes": "current"}))
    assert last_choice.read() == LastChoice(tmp_path / "own.onnx", {"planes": "current"})


def test_wiping_the_cache_forgets_the_choice() -> None:
    last_choice.remember(LastChoice("demo"))
    store.wipe()
    assert last_choice.read() == LastChoice(first=True)
    assert not (settings.current().cache_folder / last_choice.FILE).exists()


@given(DOCUMENTS)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_file_that_holds_anything_is_read(document: object) -> None:
    path = settings.current().cache_folder / last_choice.FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
    found = last_choice.read()
    assert isinstance(found.model, str | Path | None)
    assert all(isinstance(value, (int, float, str, tuple)) for value in found.settings.values())
    assert last_choice.remember(found)


@pytest.mark.parametrize("path", ["relative.onnx", "/a\0b", "/" + "a" * 5000])
def test_a_path_that_cannot_be_is_no_model(path: str) -> None:
    file = settings.current().cache_folder / last_choice.FILE
    file.parent.mkdir()
    file.write_text(json.dumps({"path": path, "settings": {}}))
    assert last_choice.read().model is None


def test_the_name_that_the_user_gives_a_model_stays_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    local_models.remember(path, "a")
    assert local_models.rename(path, " My\nmodel ")
    local_models.note_use(path, "Its own name", f"sha256:{'0' * 64}")
    local_models.remember(path, "a")
    (model,) = local_models.own_models()
    assert (model.title, model.checksum) == ("Mymodel", f"sha256:{'0' * 64}")
    local_models.rename(path, "")
    assert local_models.own_models()[0].title == ""


def test_renaming_a_model_that_is_not_listed_lists_nothing(tmp_path: Path) -> None:
    local_models.rename(tmp_path / "a.onnx", "A")
    assert local_models.own_models() == []
