from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

import napari_webipred as wp
from napari_webipred import settings
from napari_webipred.atomic_file import read_note, write_note
from napari_webipred.cache import index, store, transfer
from napari_webipred.cache.store import Download, fetch, path_of
from napari_webipred.card import ModelCard, read_card
from napari_webipred.catalogue import built_in
from napari_webipred.catalogue.providers.zenodo import card_of, look_up
from napari_webipred.errors import CatalogueError
from zenodo_server import CONVERTED, Answer, ZenodoServer, error_answer, model_zip

RECORD = "7785993"
ZIP = model_zip()
CHECKSUM = "sha256:" + "ab" * 32


@pytest.fixture
def card() -> ModelCard:
    found = index.find("webipred-16")
    assert found is not None
    return found


@pytest.fixture
def published(zenodo: ZenodoServer) -> ZenodoServer:
    zenodo.publish(RECORD, {CONVERTED: ZIP, "257299_model.h5": b"\x89HDF\r\n\x1a\n", "metrics.zip": b"PK\x03\x04"})
    return zenodo


def get(card: ModelCard) -> tuple[Path, list[Download]]:
    """Fetch a model to the end; return its path and what was told on the way."""
    fetching, steps = fetch(card), []
    while True:
        try:
            steps.append(next(fetching))
        except StopIteration as end:
            return end.value, steps


def graph_path(checksum: str, version: int, output: str | None = None) -> Path:
    """Where a compiled graph lies or would lie in the user's own cache."""
    return store.compiled_paths(checksum, version, output)[-1]


def files_below(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_model_is_fetched_noted_and_found_again(published: ZenodoServer, card: ModelCard, cache: Path) -> None:
    assert path_of(card) is None
    path, steps = get(card)
    assert path.read_bytes() == ZIP
    folder = cache / "models" / "webipred-16"
    assert path == path_of(card) == folder / "files" / CONVERTED
    assert steps[0] == Download(0, None)
    assert files_below(folder) == ["card.json", "entry.json", f"files/{CONVERTED}"]
    assert read_card(folder / "card.json") == card
    (kept,) = store.entries()
    (file,) = kept.files
    assert (kept.id, kept.size, kept.checksum) == ("webipred-16", len(ZIP), f"sha256:{file.sha256}")
    assert (file.name, file.size, file.sha256) == (CONVERTED, len(ZIP), hashlib.sha256(ZIP).hexdigest())
    assert file.checksum == "md5:" + hashlib.md5(ZIP).hexdigest()
    assert file.url == f"{published.url}/api/records/{RECORD}/files/{CONVERTED}/content"
    assert published.requests == [f"/api/records/{RECORD}", f"/api/records/{RECORD}/files/{CONVERTED}/content"]


def test_fetched_once_it_needs_no_network(
    published: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = get(card)
    published.requests.clear()
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    assert get(card) == (path, [])
    assert published.requests == []


def test_progress_is_told_in_bytes(published: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    published.file(RECORD, CONVERTED).stall_after = 100
    monkeypatch.setattr("napari_webipred.limits.DOWNLOAD_CHUNK", 50)
    fetching = fetch(card)
    while (step := next(fetching)).done < 100:
        pass
    assert (step.done, step.total) == (100, len(ZIP))
    fetching.close()


def test_closing_cancels_and_leaves_nothing(
    published: ZenodoServer, card: ModelCard, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.file(RECORD, CONVERTED).stall_after = 100
    monkeypatch.setattr("napari_webipred.limits.DOWNLOAD_CHUNK", 50)
    fetching = fetch(card)
    while next(fetching).done < 100:
        pass
    # The card, what has arrived so far, and of which version.
    assert len(files_below(cache)) == 3
    fetching.close()  # the server keeps silent, so only an interrupted socket lets the thread end
    assert files_below(cache) == []
    assert "fetch webipred-16" not in [thread.name for thread in threading.enumerate()]
    published.file(RECORD, CONVERTED).stall_after = None
    assert get(card)[0].read_bytes() == ZIP


def test_waiting_for_another_process_is_told_and_can_be_cancelled(
    published: ZenodoServer, card: ModelCard, cache: Path
) -> None:
    import filelock

    (cache / "models").mkdir(parents=True)
    with filelock.FileLock(cache / "models" / ".webipred-16.fetching.lock"):
        fetching = fetch(card)
        waiting = next(step for step in fetching if step.waiting)
        assert waiting == Download(0, None, waiting="Another program is using this model.")
        fetching.close()
    assert published.requests == []
    assert files_below(cache) == []


FETCH = "from napari_webipred.cache import index, store; list(store.fetch(index.find('webipred-16')))"


def test_processes_that_want_the_same_model_download_it_once(published: ZenodoServer) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", FETCH]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert published.requests.count(f"/api/records/{RECORD}/files/{CONVERTED}/content") == 1


def test_threads_that_want_the_same_model_download_it_once(published: ZenodoServer, card: ModelCard) -> None:
    threads = [threading.Thread(target=get, args=(card,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert published.requests.count(f"/api/records/{RECORD}/files/{CONVERTED}/content") == 1


def test_a_killed_download_leaves_nothing_that_confuses(published: ZenodoServer, card: ModelCard, cache: Path) -> None:
    published.file(RECORD, CONVERTED).stall_after = 100
    process = subprocess.Popen([sys.executable, "-c", FETCH])
    assert published.stalled.wait(60)
    process.kill()
    process.wait()
    published.file(RECORD, CONVERTED).stall_after = None
    assert path_of(card) is None
    assert store.entries() == []
    folder = cache / "models" / "webipred-16"
    # Whether the process had come so far depends on the moment it was killed at.
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "tmp0a1b2c3d").write_bytes(ZIP[:100])
    (folder / "files" / "other.zip").write_bytes(ZIP)
    path, _ = get(card)
    assert path.read_bytes() == ZIP
    assert files_below(folder) == ["card.json", "entry.json", f"files/{CONVERTED}"]


@pytest.mark.skipif(os.name == "nt", reason="file modes are different there")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664)])
def test_file_modes_follow_the_umask(published: ZenodoServer, card: ModelCard, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        path, _ = get(card)
        store.keep_compiled(graph_path(CHECKSUM, 1), b"graph")
    finally:
        os.umask(before)
    for file in (*path.parent.iterdir(), path.parents[1] / "entry.json", graph_path(CHECKSUM, 1)):
        assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Answer(200, ZIP[:-1] + b"?"), "was damaged during the download: its checksum is not md5:"),
        (
            Answer(200, b"<!DOCTYPE html><html>Log in", {"Content-Type": "application/octet-stream"}),
            "The server returned a web page",
        ),
        (Answer(200, b"\x89HDF\r\n\x1a\n"), "is not a zip archive"),
        (Answer(200, b""), "broke off after 0 bytes"),
        (Answer(200, ZIP + b"more"), "is larger than"),
        (error_answer("404_file_key"), "does not have the file"),
        (error_answer("410_tombstone"), "was deleted from"),
        (error_answer("403_restricted_files"), "restricts access to the file"),
        (error_answer("403_edge_html"), "has blocked requests"),
        (error_answer("429"), "too many requests"),
    ],
)
def test_what_goes_wrong_is_told_and_leaves_nothing(
    published: ZenodoServer, card: ModelCard, cache: Path, spoil: Answer, words: str
) -> None:
    published.answers[f"/api/records/{RECORD}/files/{CONVERTED}/content"] = spoil
    with pytest.raises(CatalogueError, match=words) as caught:
        get(card)
    assert caught.value.hint
    assert files_below(cache) == []
    assert path_of(card) is None


@pytest.mark.parametrize("error", ["404_unknown_id", "410_tombstone", "403_edge_html", "429"])
def test_a_record_that_cannot_be_had_is_told(published: ZenodoServer, card: ModelCard, cache: Path, error: str) -> None:
    published.fail(f"/api/records/{RECORD}", error)
    with pytest.raises(CatalogueError):
        get(card)
    assert files_below(cache) == []


def test_the_checksum_of_the_card_counts_more_than_that_of_the_server(published: ZenodoServer, card: ModelCard) -> None:
    weights = card.weights[0].model_copy(update={"checksum": "md5:" + "0" * 32})
    with pytest.raises(CatalogueError, match="damaged during the download: its checksum is not md5:0000"):
        get(card.model_copy(update={"weights": (weights,)}))


def test_a_file_without_checksum_is_taken_from_the_server_not_from_the_folder(
    zenodo: ZenodoServer, card: ModelCard, cache: Path
) -> None:
    record = zenodo.publish(RECORD, {CONVERTED: ZIP})
    del record["files"][0]["checksum"]
    zenodo.set_record(record)
    folder = cache / "models" / "webipred-16" / "files"
    folder.mkdir(parents=True)
    (folder / CONVERTED).write_bytes(b"PK\x03\x04 half of it")
    assert get(card)[0].read_bytes() == ZIP


@pytest.mark.parametrize(
    "key", ["../../up.zip", "a/b.zip", "/etc/x.zip", "..", "con.zip", "ä b?.zip", "x" * 300 + ".zip"]
)
def test_no_name_of_a_file_leads_out_of_the_folder(zenodo: ZenodoServer, cache: Path, key: str) -> None:
    zenodo.publish("123", {key: ZIP})
    path, _ = get(card_of(look_up("123"), key))
    assert path.parent == cache / "models" / "zenodo-123" / "files"
    assert path.name not in {"", ".", "..", "con.zip"}
    assert path.read_bytes() == ZIP


def test_a_damaged_file_is_told_and_fetched_again(
    published: ZenodoServer, card: ModelCard, caplog: pytest.LogCaptureFixture
) -> None:
    path, _ = get(card)
    path.write_bytes(ZIP[:-1] + b"?")
    published.requests.clear()
    with caplog.at_level(logging.WARNING):
        again, _ = get(card)
    assert "webipred-16 is damaged" in caplog.text
    assert again.read_bytes() == ZIP
    assert len(published.requests) == 2


def test_a_damaged_file_is_an_error_off_line(
    published: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = get(card)
    path.write_bytes(ZIP + b"more")
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    with pytest.raises(CatalogueError, match="webipred-16 is damaged, and downloads are switched off"):
        get(card)


def test_off_line_the_models_that_are_here_are_named(
    published: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(card)
    published.requests.clear()
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    other = index.find("webipred-12")
    assert other is not None
    with pytest.raises(CatalogueError, match="not on this machine") as caught:
        get(other)
    assert "demo, webipred-16" in caught.value.hint
    assert published.requests == []


def test_a_file_that_has_changed_without_a_trace_is_fetched_again(published: ZenodoServer, card: ModelCard) -> None:
    path, _ = get(card)
    before = path.stat()
    path.write_bytes(ZIP[:-1] + b"?")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert get(card)[0].read_bytes() == ZIP
    assert len(published.requests) == 4


def test_a_file_that_was_only_touched_is_used(published: ZenodoServer, card: ModelCard) -> None:
    path, _ = get(card)
    os.utime(path, ns=(1, 1))
    assert get(card) == (path, [])


def test_a_card_that_names_another_source_fetches_it(published: ZenodoServer, card: ModelCard) -> None:
    old, _ = get(card)
    published.publish("123", {"new.zip": model_zip(3)})
    source = card.weights[0].source.model_copy(update={"record_id": "123", "file_id": None})
    moved = card.model_copy(update={"weights": (card.weights[0].model_copy(update={"source": source}),)})
    assert path_of(moved) is None
    new, _ = get(moved)
    assert new.read_bytes() == model_zip(3)
    assert not old.exists()


def test_a_model_of_the_package_needs_no_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    weights = {"format": "tfjs-layers", "source": {"type": "builtin", "file_key": "../cards/demo.zip"}}
    card = ModelCard.model_validate({"id": "demo", "name": "Demo", "weights": [weights]})
    path, steps = get(card)
    assert path == path_of(card) == Path(built_in.__file__).parent / "cards" / "demo.zip"
    assert steps == []


def test_a_card_without_a_file_to_fetch_is_refused(card: ModelCard) -> None:
    bare = card.model_copy(update={"weights": ()})
    assert path_of(bare) is None
    with pytest.raises(CatalogueError, match=r"names no file"):
        get(bare)


def test_too_little_space_is_told_before_anything_is_fetched(
    published: ZenodoServer, card: ModelCard, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cache.parent)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(CatalogueError, match=r"not enough disk space .*webipred-16"):
        get(card)
    assert published.requests == [f"/api/records/{RECORD}"]


def test_a_disk_that_fills_up_is_told(
    published: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer, "accept", full)
    with pytest.raises(CatalogueError, match="not enough disk space"):
        get(card)


def test_a_record_that_is_too_large_is_not_fetched(zenodo: ZenodoServer, card: ModelCard) -> None:
    record = zenodo.publish(RECORD, {CONVERTED: ZIP})
    record["files"][0]["size"] = 5 * 2**30
    zenodo.set_record(record)
    with pytest.raises(CatalogueError, match="has 5368709120 bytes; 4294967296 are allowed at most"):
        get(card)


def test_a_cache_that_cannot_be_made_is_named(
    published: ZenodoServer, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "file"))
    with pytest.raises(CatalogueError, match=r"cannot be stored in .*file") as caught:
        get(card)
    assert caught.value.remedies == ("choose cache folder",)
    assert store.keep_compiled(graph_path(CHECKSUM, 1), b"graph") is False


@pytest.mark.parametrize(
    "change",
    [
        *({"id": "other"}, {"files": []}, {"checksum": "zz"}, {"more": 1}, {"origin": "heaven"}, None),
        *({"name": "../x"}, {"name": "a/../../x"}, {"sha256": "zz"}, {"size": "1"}, {"extra": 1}, {"url": 1}),
    ],
)
def test_a_note_that_is_not_understood_is_no_model(
    published: ZenodoServer, card: ModelCard, change: dict[str, object] | None
) -> None:
    path, _ = get(card)
    note = path.parents[1] / "entry.json"
    document = read_note(note)
    assert document is not None
    known = change is not None and (set(change) & set(document) or "more" in change)
    target = document if known else document["files"][0]
    target.update(change or {})
    if change is None:
        note.write_text("{")
    else:
        write_note(note, document)
    assert store.entries() == []
    assert path_of(card) is None
    with pytest.raises(CatalogueError, match="no downloaded model 'webipred-16'"):
        store.remove("webipred-16")


def test_fetching_says_nothing_on_the_terminal(published: ZenodoServer) -> None:
    process = subprocess.run([sys.executable, "-c", FETCH], capture_output=True, check=True)
    assert (process.stdout, process.stderr) == (b"", b"")


def test_removing_a_model_takes_its_compiled_graphs_along(
    published: ZenodoServer, card: ModelCard, cache: Path
) -> None:
    path, _ = get(card)
    (kept,) = store.entries()
    for checksum, version in ((kept.checksum, 1), (kept.checksum, 2), (CHECKSUM, 1)):
        assert store.keep_compiled(graph_path(checksum, version), b"graph")
    assert store.keep_compiled(graph_path(kept.checksum, 2, "second output"), b"graph")
    freed = store.remove("webipred-16")
    assert [name for name in files_below(cache) if not name.startswith("known/")] == [f"compiled/{'ab' * 32}-v1.onnx"]
    assert freed > len(ZIP) + 10
    assert not path.parent.exists()
    with pytest.raises(CatalogueError, match="no downloaded model"):
        store.remove("webipred-16")


@pytest.mark.parametrize("id", ["..", "../..", "", "."])
def test_only_names_of_models_can_be_removed(
    published: ZenodoServer,
    card: ModelCard,
    cache: Path,
    id: str,  # noqa: A002
) -> None:
    path, _ = get(card)
    note = json.loads((path.parents[1] / "entry.json").read_text())
    outside = cache / "models" / id / "entry.json"
    outside.write_text(json.dumps({**note, "id": id}))
    with pytest.raises(CatalogueError, match="no downloaded model"):
        store.remove(id)
    assert outside.exists()


def test_wiping_takes_what_is_ours_and_nothing_else(published: ZenodoServer, card: ModelCard, cache: Path) -> None:
    theirs = [
        "notes.txt",
        "models/mine.h5",
        "models/resnet/model.json",
        "models/resnet/card.json",
        "models/resnet/tmpabcdefgh",
        "models/webipred-16/my notes.txt",
        "compiled/program.onnx",
    ]
    for name in theirs:
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text("{}")
    path, _ = get(card)
    unfinished = cache / "models" / "webipred-12"
    unfinished.mkdir()
    of_other = card.model_copy(update={"id": "webipred-12"}).model_dump_json()
    (unfinished / "card.json").write_text(of_other, encoding="utf-8")
    (unfinished / "tmp0a1b2c3d").write_bytes(b"half")
    store.keep_compiled(graph_path(CHECKSUM, 1), b"graph")
    freed, stays = store.wipe()
    assert freed >= len(ZIP) + len(b"graph")
    assert stays == {}
    assert files_below(cache) == sorted(theirs)
    assert not path.exists()
    assert not unfinished.exists()


def test_wiping_leaves_an_empty_cache(published: ZenodoServer, card: ModelCard, cache: Path) -> None:
    get(card)
    store.keep_compiled(graph_path(CHECKSUM, 1), b"graph")
    store.wipe()
    assert list(cache.rglob("*")) == []
    assert store.wipe() == (0, {})


@pytest.mark.parametrize("level", [0, 1])
def test_a_folder_that_is_a_link_is_not_wiped(
    published: ZenodoServer, card: ModelCard, level: int, tmp_path: Path
) -> None:
    path, _ = get(card)
    elsewhere = tmp_path / "elsewhere"
    linked = path.parents[level]
    linked.rename(elsewhere)
    linked.symlink_to(elsewhere, target_is_directory=True)
    store.wipe()
    assert list(elsewhere.rglob(path.name))


# --- limits, caches of many users, off-line --------------------------------------------------------------------


def model_of(zenodo: ZenodoServer, number: int) -> ModelCard:
    zenodo.publish(str(number), {"m.zip": model_zip(number)})
    return index.resolve(str(number))


def used_days_ago(id: str, days: int) -> None:  # noqa: A002
    (kept,) = (kept for kept in store.entries() if kept.id == id)
    for name in ("used", "entry.json"):
        (kept.folder / name).touch()
        os.utime(kept.folder / name, (1_700_000_000 - days * 86400,) * 2)


def test_what_was_not_used_for_longest_goes_first(zenodo: ZenodoServer, cache: Path) -> None:
    for number in (2, 3, 4):
        get(model_of(zenodo, number))
        used_days_ago(f"zenodo-{number}", days={2: 5, 3: 9, 4: 1}[number])
    for kept in store.entries():
        store.keep_compiled(graph_path(kept.checksum, 1), bytes(1000))
    store.keep_compiled(graph_path(CHECKSUM, 1), bytes(1000))  # of a model from disk, and just made
    before = store.usage()
    counted = [name for name in files_below(cache) if not name.startswith("known/")]
    assert before == sum((cache / name).stat().st_size for name in counted)
    assert store.limit(before) == []
    assert store.limit(before - 1) == ["zenodo-3"]
    assert [kept.id for kept in store.entries()] == ["zenodo-2", "zenodo-4"]
    assert len(list((cache / "compiled").glob("*.onnx"))) == 3
    assert store.limit(1, keep="zenodo-2") == ["zenodo-4"]
    assert [kept.id for kept in store.entries()] == ["zenodo-2"]


def test_opening_a_model_counts_as_use_once_a_day(zenodo: ZenodoServer) -> None:
    card = model_of(zenodo, 2)
    get(card)
    get(card)
    used_days_ago("zenodo-2", days=3)
    assert store.entries()[0].used == "2023-11-11"
    get(card)
    (kept,) = store.entries()
    assert kept.used > "2023-11-14"
    first = (kept.folder / "used").stat().st_mtime_ns
    get(card)
    assert (kept.folder / "used").stat().st_mtime_ns == first


def test_the_limit_of_the_settings_is_kept_after_each_download_and_spares_what_has_come(
    zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    get(model_of(zenodo, 2))
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE_LIMIT", "1 kB")
    with caplog.at_level(logging.WARNING):
        get(model_of(zenodo, 3))
    assert [kept.id for kept in store.entries()] == ["zenodo-3"]
    assert "zenodo-2" in caplog.text
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE_LIMIT", "much")
    with caplog.at_level(logging.WARNING):
        get(model_of(zenodo, 4))
    assert "'much' is not an amount of space" in caplog.text


def test_a_model_that_another_process_is_fetching_is_not_evicted(zenodo: ZenodoServer, cache: Path) -> None:
    import filelock

    get(model_of(zenodo, 2))
    with filelock.FileLock(cache / "models" / ".zenodo-2.fetching.lock"):
        assert store.limit(0) == []
    assert store.limit(0) == ["zenodo-2"]


@pytest.fixture
def shared(zenodo: ZenodoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of many users with one model in it."""
    folder = tmp_path / "for all"
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(folder))
    get(model_of(zenodo, 2))
    (kept,) = store.entries()
    store.keep_compiled(graph_path(kept.checksum, 1), b"graph")
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAPARI_WEBIPRED_SHARED_CACHE", str(folder))
    zenodo.requests.clear()
    return folder


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {name: ((folder / name).stat().st_mtime_ns, (folder / name).read_bytes()) for name in files_below(folder)}


def test_the_cache_of_all_users_is_searched_first_and_never_written(
    zenodo: ZenodoServer, shared: Path, cache: Path
) -> None:
    before = state(shared)
    card = index.find("zenodo-2")
    assert card is not None
    path, steps = get(card)
    assert path.is_relative_to(shared)
    assert steps == []
    assert path_of(card) == path
    get(model_of(zenodo, 3))
    assert [(kept.id, kept.shared) for kept in store.entries()] == [("zenodo-2", True), ("zenodo-3", False)]
    graph, own = store.compiled_paths(store.entries()[0].checksum, 1)
    assert graph.read_bytes().startswith(b"graph")
    assert graph.is_relative_to(shared)
    assert own.is_relative_to(cache)
    assert store.keep_compiled(graph, b"new") is False
    assert store.limit(0) == ["zenodo-3"]
    with pytest.raises(CatalogueError, match="shared cache"):
        store.remove("zenodo-2")
    store.wipe()
    assert state(shared) == before


def test_a_model_that_is_damaged_in_the_cache_of_all_users_is_fetched_into_the_own(
    zenodo: ZenodoServer, shared: Path, cache: Path
) -> None:
    card = index.find("zenodo-2")
    assert card is not None
    path, _ = get(card)
    path.write_bytes(b"x" * path.stat().st_size)
    before = state(shared)
    again, _ = get(card)
    assert again.is_relative_to(cache)
    assert again.read_bytes() == model_zip(2)
    assert get(card) == (again, [])
    assert state(shared) == before


def test_the_process_can_be_taken_off_line_and_back(
    published: ZenodoServer, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.set_offline(True)
    with pytest.raises(CatalogueError, match="downloads are switched off"):
        get(card)
    assert published.requests == []
    settings.set_offline(False)
    monkeypatch.setenv("NAPARI_WEBIPRED_OFFLINE", "1")
    assert settings.current().offline  # the environment has the last word
    monkeypatch.delenv("NAPARI_WEBIPRED_OFFLINE")
    get(card)


def test_a_model_with_another_checksum_than_the_card_now_has_is_fetched_anew(
    published: ZenodoServer, card: ModelCard
) -> None:
    get(card)
    new = model_zip(3)
    published.publish(RECORD, {CONVERTED: new})
    checksum = "sha256:" + hashlib.sha256(new).hexdigest()
    weights = card.weights[0].model_copy(update={"checksum": checksum})
    assert get(card.model_copy(update={"weights": (weights,)}))[0].read_bytes() == new


def test_a_changed_file_of_a_folder_is_fetched_again_and_never_opened(zenodo: ZenodoServer, cache: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(ZIP)) as archive:
        names = {Path(name).name: archive.read(name) for name in archive.namelist()}
    url = zenodo.put("/m/model.json", json.loads(names["model.json"]))
    zenodo.put("/m/group1-shard1of1.bin", names["group1-shard1of1.bin"])
    model = wp.open_model(url)
    shard = cache / "models" / model.card.id / "files" / "group1-shard1of1.bin"
    good = shard.read_bytes()
    shard.write_bytes(bytes(len(good)))
    again = wp.open_model(url)
    assert shard.read_bytes() == good
    assert again.checksum == model.checksum
