"""Programs that use one cache at the same time wait for one another or go on; nobody sees an error for that alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import pytest

import napari_webipred as wp
from napari_webipred import cli, limits, opening, settings
from napari_webipred.cache import bundle, eviction, importer, index, lock, packing, store
from napari_webipred.card import ModelCard
from napari_webipred.errors import CatalogueError, ModelError
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, ZenodoServer, model_zip

RACES = Path(__file__).parents[2] / "tools" / "cache_races.py"
FILE = f"/api/records/7785993/files/{CONVERTED}/content"


@pytest.fixture
def card(zenodo: ZenodoServer) -> ModelCard:
    """A model that has been fetched."""
    zenodo.publish("7785993", {CONVERTED: model_zip()})
    found = index.find("webipred-16")
    assert found is not None
    result_of(store.fetch(found))
    return found


@pytest.fixture
def busy(card: ModelCard) -> filelock.FileLock:
    """The lock that another program has while it changes the model."""
    return filelock.FileLock(lock.lock_path(store.entries()[0].folder))


def first(work: Callable[..., Any], before: Callable[[], Any]) -> Callable[..., Any]:
    """Let something happen before the first call of a function, and only then."""
    calls: list[object] = []

    def working(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            before()
        return work(*arguments)

    return working


def test_removing_waits_for_a_program_that_changes_the_model(
    card: ModelCard, busy: filelock.FileLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    try_it, waits = lock._try, threading.Event()

    def trying(*arguments: Any) -> bool:
        if not (free := try_it(*arguments)):
            waits.set()
        return free

    monkeypatch.setattr(lock, "_try", trying)
    removing = threading.Thread(target=store.remove, args=(card.id,))
    with busy:
        removing.start()
        assert waits.wait(60)
        assert store.path_of(card) is not None
    removing.join()
    assert store.path_of(card) is None


def test_wiping_leaves_a_model_that_another_program_changes_and_says_so(
    card: ModelCard, busy: filelock.FileLock, capsys: pytest.CaptureFixture[str]
) -> None:
    with busy:
        assert cli.main(["cache", "--wipe"]) == 0
    assert "webipred-16 was not removed: another program is using it" in capsys.readouterr().err
    assert store.path_of(card) is not None
    assert cli.main(["cache", "--wipe"]) == 0
    assert "the cache is empty" in capsys.readouterr().err
    assert store.path_of(card) is None


def test_a_model_that_is_removed_while_it_is_opened_is_fetched_again(
    card: ModelCard, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_opened", first(opening._opened, lambda: store.remove(card.id)))
    assert len(wp.open_model(card.id).classes) == 2
    assert zenodo.requests.count(FILE) == 2


def test_a_model_that_is_replaced_while_it_is_opened_is_opened_again(
    card: ModelCard, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    zenodo.publish("7785993", {CONVERTED: model_zip(2, activation="sigmoid")})
    monkeypatch.setattr(opening, "_loaded", first(opening._loaded, lambda: result_of(store.fetch(card, replace=True))))
    assert wp.open_model(card.id).checksum == store.entries()[0].checksum


def test_a_refusal_of_files_that_have_not_changed_is_an_error_at_once(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def refuse(*arguments: Any) -> Any:
        calls.append(arguments)
        raise ModelError("It has no classes.")

    monkeypatch.setattr(opening, "_opened", refuse)
    with pytest.raises(ModelError, match="no classes"):
        wp.open_model(card.id)
    assert len(calls) == 1


def test_a_model_that_is_removed_again_and_again_is_given_up_in_words(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPENING_TRIES", 3)
    open_it = opening._opened

    def remove_first(*arguments: Any) -> Any:
        store.remove(card.id)
        return open_it(*arguments)

    monkeypatch.setattr(opening, "_opened", remove_first)
    with pytest.raises(CatalogueError, match="Another program keeps removing the model webipred-16") as caught:
        wp.open_model(card.id)
    assert caught.value.hint


def test_a_model_that_is_removed_while_a_bundle_is_written_is_fetched_again(
    card: ModelCard, zenodo: ZenodoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_write", first(packing._write, lambda: store.remove(card.id)))
    path = result_of(bundle.write([card.id], tmp_path / "models.zip"))
    assert bundle.is_bundle(path)
    assert zenodo.requests.count(FILE) == 2


def test_a_model_that_is_removed_while_it_is_compared_with_its_source_is_fetched_again(
    card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = result_of(bundle.write([card.id], tmp_path / "models.zip"))
    store.wipe()
    result_of(bundle.read(path))
    monkeypatch.setattr(importer, "_are_those", first(importer._are_those, lambda: store.remove(card.id)))
    assert cli.main(["fetch", card.id]) == 0
    assert [entry.origin for entry in store.entries()] == ["source"]


def test_nothing_is_left_of_a_model_that_another_program_has_removed_already(
    card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_entry = eviction.read_entry

    def removed_meanwhile(name: str) -> Any:
        entry = read_entry(name)
        monkeypatch.setattr(eviction, "read_entry", read_entry)
        store.remove(name)
        return entry

    monkeypatch.setattr(eviction, "read_entry", removed_meanwhile)
    store.remove(card.id)
    assert not store.entries()
    assert not (settings.current().cache_folder / "models" / card.id).exists()


def test_an_open_model_goes_on_when_all_is_wiped(card: ModelCard) -> None:
    opened = wp.open_model(card.id)
    before = opened.predict([[[[1.0, 2.0, 3.0]] * 224] * 224])
    store.wipe()
    assert (opened.predict([[[[1.0, 2.0, 3.0]] * 224] * 224]) == before).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the races are run with fork")
def test_many_programs_race_are_killed_and_see_bits_flip_without_a_wrong_number_or_error() -> None:
    """A few of those that ``tools/cache_races.py`` runs by the thousand."""
    few = ["--races", "3", "--kills", "2", "--flips", "6", "--processes", "6"]
    done = subprocess.run([sys.executable, str(RACES), *few], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
