from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from napari_webipred import settings
from napari_webipred.cache import local_models, overrides, refused_models, shared_file, store
from napari_webipred.errors import CatalogueError
from napari_webipred.model_overrides import ModelOverrides
from napari_webipred.opening import opening
from napari_webipred.steps import result_of
from zenodo_server import model_zip

FILE = "own-models.json"
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.sampled_from(["path", "name", "used", "checksum", "x"]), part),
)


def names() -> list[str]:
    return [model.name for model in local_models.own_models()]


def test_what_is_remembered_is_there_for_the_next_process(tmp_path: Path) -> None:
    assert local_models.own_models() == []
    assert local_models.remember(tmp_path / "a.onnx", "a")
    local_models.note_use(tmp_path / "a.onnx", "A", f"sha256:{'0' * 64}")
    (model,) = local_models.own_models()
    assert (model.path, model.name, model.checksum) == (tmp_path / "a.onnx", "A", f"sha256:{'0' * 64}")
    assert json.loads((settings.current().cache_folder / FILE).read_text())[0]["name"] == "A"


def test_the_model_used_last_comes_first_and_each_is_there_once(tmp_path: Path) -> None:
    for name in ("a", "b", "a"):
        local_models.remember(tmp_path / name, name)
    assert names() == ["a", "b"]


def test_what_is_known_of_its_files_stays_when_it_is_chosen_again(tmp_path: Path) -> None:
    local_models.remember(tmp_path / "a", "a")
    local_models.note_use(tmp_path / "a", "a", f"sha256:{'1' * 64}")
    local_models.remember(tmp_path / "a", "a")
    assert local_models.own_models()[0].checksum == f"sha256:{'1' * 64}"


def test_a_relative_path_is_found_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    local_models.remember(Path("a.h5"), "a")
    assert local_models.own_models()[0].path == tmp_path / "a.h5"


def test_a_name_that_is_not_valid_text_can_be_remembered(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.onnx")
    assert local_models.remember(path, path.stem)
    (model,) = local_models.own_models()
    assert model.path == path
    assert model.name == "caf"


def test_of_too_many_models_those_not_used_for_longest_are_forgotten(tmp_path: Path) -> None:
    for number in range(local_models.MOST + 3):
        local_models.remember(tmp_path / str(number), str(number))
    assert len(names()) == local_models.MOST
    assert names()[0] == str(local_models.MOST + 2)
    assert "0" not in names()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"7", b'[{"path": 1}]', b" " * (2**20 + 1)])
def test_a_broken_list_counts_as_empty_and_is_written_anew(tmp_path: Path, content: bytes) -> None:
    path = settings.current().cache_folder / FILE
    path.parent.mkdir()
    path.write_bytes(content)
    assert local_models.own_models() == []
    assert local_models.remember(tmp_path / "a", "a")
    assert names() == ["a"]


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ANYTHING)
def test_whatever_the_list_holds_the_sound_entries_count(tmp_path: Path, document: Any) -> None:
    local_models.remember(tmp_path / "good", "good")
    path = settings.current().cache_folder / FILE
    good = json.loads(path.read_text())[0]
    path.write_text(json.dumps([document, good]))
    assert names() == ["good"]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"path": "not/absolute"}, {"path": "/a\0b"}, {"path": ""}, {"name": ""}, {"name": "a\x1b[2J"}),
        *({"used": "x" * 30}, {"checksum": "../../etc/passwd"}, {"checksum": "sha256:12"}),
    ],
)
def test_an_entry_that_means_nothing_is_left_out(tmp_path: Path, wrong: dict[str, str]) -> None:
    local_models.remember(tmp_path / "a", "a")
    path = settings.current().cache_folder / FILE
    path.write_text(json.dumps([{**json.loads(path.read_text())[0], **wrong}]))
    assert local_models.own_models() == []


def test_a_cache_that_cannot_be_written_is_told_to_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "a file" / "cache"))
    assert not local_models.remember(tmp_path / "a", "a")
    assert local_models.own_models() == []


def test_models_that_are_remembered_at_the_same_time_are_all_in_the_list(tmp_path: Path) -> None:
    threads = [threading.Thread(target=local_models.remember, args=(tmp_path / str(i), str(i))) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names()) == sorted(map(str, range(20)))


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """An own model that was opened, with settings that were made for it."""
    path = tmp_path / "mine.zip"
    path.write_bytes(model_zip())
    model = result_of(opening(path, standardize="tf", classes=["a", "b"]))
    local_models.remember(path, "mine")
    local_models.note_use(path, "mine", model.checksum)
    return path


def kept() -> set[str]:
    """Names of all files in the cache but locks."""
    return {path.name for path in settings.current().cache_folder.rglob("*") if path.suffix in {".json", ".onnx"}}


def test_forgetting_a_model_forgets_its_settings_and_leaves_its_file(opened: Path, tmp_path: Path) -> None:
    local_models.remember(tmp_path / "other", "other")
    checksum = local_models.own_models()[1].checksum
    assert overrides.load(checksum).standardize == "tf"
    assert store.forget(opened) > 0
    assert names() == ["other"]
    assert overrides.load(checksum) == ModelOverrides()
    assert kept() == {FILE}
    assert len(opened.read_bytes()) == len(model_zip())


def test_a_copy_keeps_the_settings_when_the_other_is_forgotten(opened: Path, tmp_path: Path) -> None:
    checksum = local_models.own_models()[0].checksum
    local_models.remember(tmp_path / "copy.zip", "copy")
    local_models.note_use(tmp_path / "copy.zip", "copy", checksum)
    store.forget(opened)
    assert overrides.load(checksum).standardize == "tf"


def test_forgetting_what_is_not_in_the_list_does_nothing(opened: Path, tmp_path: Path) -> None:
    before = kept()
    assert store.forget(tmp_path / "unknown") == 0
    assert kept() == before


def test_a_model_that_was_forgotten_does_not_come_back_when_it_is_opened_meanwhile(opened: Path) -> None:
    checksum = local_models.own_models()[0].checksum
    store.forget(opened)
    local_models.note_use(opened, "mine", checksum)
    assert local_models.own_models() == []


def test_wiping_forgets_all_own_models_and_leaves_their_files(opened: Path) -> None:
    refused_models.note(opened, "It is broken.")
    store.wipe()
    assert local_models.own_models() == []
    assert refused_models.reasons() == {}
    assert not settings.current().cache_folder.exists() or not any(settings.current().cache_folder.iterdir())
    assert opened.exists()


def test_why_a_model_is_refused_is_noted_until_it_is_not(tmp_path: Path) -> None:
    refused_models.note(tmp_path / "a", "It is broken.")
    refused_models.note("webipred-16", "It is too large.")
    assert refused_models.reasons() == {str(tmp_path / "a"): "It is broken.", "webipred-16": "It is too large."}
    refused_models.note("webipred-16", "")
    assert refused_models.reasons() == {str(tmp_path / "a"): "It is broken."}


def test_what_another_version_refused_may_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_models, "__version__", "0.0.1")
    refused_models.note("webipred-16", "This layer is not known.")
    monkeypatch.setattr(refused_models, "__version__", "0.0.2")
    assert refused_models.reasons() == {}


def test_a_model_that_is_removed_is_no_longer_refused(zenodo) -> None:
    from napari_webipred.cache import index

    zenodo.publish("7785993", {"257299_model_converted.zip": model_zip()})
    result_of(store.fetch(index.find("webipred-16")))
    refused_models.note("webipred-16", "It is broken.")
    store.remove("webipred-16")
    assert refused_models.reasons() == {}
    with pytest.raises(CatalogueError):
        store.remove("webipred-16")


def test_no_more_refusals_are_kept_than_can_be_listed() -> None:
    for number in range(refused_models.MOST + 5):
        refused_models.note(str(number), "x" * 10_000)
    assert len(refused_models.reasons()) == refused_models.MOST
    assert shared_file.path_of(refused_models.FILE).stat().st_size < shared_file.MAX_BYTES
