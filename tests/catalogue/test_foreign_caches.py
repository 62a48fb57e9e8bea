"""Caches that others have made, or have been at: links, folders without permission, read-only ones, wrong clocks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred.cache import bundle, fingerprints, index, overrides, store
from napari_webipred.card import ModelCard
from napari_webipred.errors import CatalogueError
from napari_webipred.model_overrides import ModelOverrides
from napari_webipred.steps import result_of
from zenodo_server import CONVERTED, Answer, ZenodoServer, model_zip

RECORD = "7785993"
ZIP = model_zip()
FILE = f"/api/records/{RECORD}/files/{CONVERTED}/content"
PAGE = f"/records/{RECORD}/files/{CONVERTED}"


@pytest.fixture
def card(zenodo: ZenodoServer) -> ModelCard:
    zenodo.publish(RECORD, {CONVERTED: ZIP})
    found = index.find("webipred-16")
    assert found is not None
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def get(card: ModelCard, **how: bool) -> Path:
    return result_of(store.fetch(card, **how))


# --- links ------------------------------------------------------------------------------------------------------------

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and permissions are different there")


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Path]:
    """A folder of the user's that a link leads to; it must stay as it is."""
    folder = tmp_path / "theirs"
    (folder / "webipred-16" / "files").mkdir(parents=True)
    for name in ("notes.txt", "webipred-16/files/thesis.h5", "webipred-16/tmp0a1b2c3d", f"{'ab' * 32}-v1.onnx"):
        (folder / name).write_text("precious")
    before = state(folder)
    yield folder
    assert state(folder) == before


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("place", ["models", "models/webipred-16", "models/webipred-16/arriving"])
def test_nothing_is_fetched_through_a_link(card: ModelCard, cache: Path, theirs: Path, place: str) -> None:
    (cache / place).parent.mkdir(parents=True, exist_ok=True)
    (cache / place).symlink_to(theirs / ("webipred-16" if place.endswith("16") else ""), target_is_directory=True)
    with pytest.raises(CatalogueError, match="is a link, and links in the cache are not followed") as caught:
        get(card)
    assert caught.value.remedies == ("choose cache folder",)
    store.wipe()
    store.limit(0)


def test_a_model_whose_files_lie_behind_a_link_is_not_used_nor_replaced_through_it(
    card: ModelCard, cache: Path, theirs: Path
) -> None:
    path = get(card)
    files = path.parent
    path.rename(files.parent / "moved.zip")
    files.rmdir()
    files.symlink_to(theirs / "webipred-16" / "files", target_is_directory=True)
    with pytest.raises(CatalogueError, match="is a link"):
        get(card)
    store.remove("webipred-16")
    assert (files.parent / "moved.zip").exists()  # not ours


def test_a_file_of_a_model_that_is_a_link_is_fetched_again(card: ModelCard, theirs: Path, tmp_path: Path) -> None:
    path = get(card)
    same = tmp_path / "same.zip"
    path.rename(same)
    path.symlink_to(same)
    assert get(card) == path
    assert not path.is_symlink()
    assert same.read_bytes() == path.read_bytes() == ZIP


@pytest.mark.parametrize("kind", ["models", "compiled", "known", "told"])
def test_wiping_goes_through_no_link(card: ModelCard, cache: Path, theirs: Path, kind: str) -> None:
    get(card)
    folder = cache / kind
    if folder.exists():
        folder.rename(cache / "moved")
    folder.symlink_to(theirs, target_is_directory=True)
    store.wipe()
    store.limit(0)
    store.usage()
    assert folder.is_symlink()


def test_neither_graphs_nor_answers_nor_checksums_are_written_through_links(cache: Path, theirs: Path) -> None:
    cache.mkdir()
    for kind in ("compiled", "known", "told"):
        (cache / kind).symlink_to(theirs, target_is_directory=True)
    (path,) = store.compiled_paths("sha256:" + "ab" * 32, 1)
    assert store.keep_compiled(path, b"graph") is False
    overrides.save("sha256:" + "ab" * 32, ModelOverrides(classes=("a",)))
    with pytest.raises(CatalogueError, match="is a link"):
        fingerprints.remember("x", {}, "y")


@pytest.mark.parametrize("name", ["used", "entry.json", "card.json"])
def test_what_is_noted_goes_into_no_file_behind_a_link(
    card: ModelCard, theirs: Path, name: str, zenodo: ZenodoServer
) -> None:
    path = get(card)
    note = path.parents[1] / name
    note.unlink(missing_ok=True)
    note.symlink_to(theirs / "notes.txt")
    get(card)
    get(card, replace=True)
    assert wp.open_model("webipred-16").output_size == 2


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_what_arrives_is_written_into_no_file_behind_a_link(
    card: ModelCard, cache: Path, theirs: Path, zenodo: ZenodoServer, link: Callable[[Path, Path], None]
) -> None:
    zenodo.answers[FILE] = zenodo.answers[PAGE] = Answer(body=ZIP, reset_after=150)
    with pytest.raises(CatalogueError):
        get(card)
    folder = cache / "models" / "webipred-16"
    for left in [*folder.glob(".*.part"), *folder.glob(".*.version")]:
        left.unlink()
        link(theirs / "notes.txt", left)
    zenodo.answers[FILE] = Answer(body=ZIP)
    zenodo.answers[PAGE] = Answer(body=ZIP, ranges="honoured")
    assert get(card).read_bytes() == ZIP


def test_a_link_where_a_temporary_file_is_to_be_is_not_followed(cache: Path, theirs: Path) -> None:
    import threading

    (path,) = store.compiled_paths("sha256:" + "ab" * 32, 1)
    path.parent.mkdir(parents=True)
    path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp").symlink_to(theirs / "notes.txt")
    assert store.keep_compiled(path, b"graph")
    assert path.read_bytes().startswith(b"graph")


def test_the_cache_folder_itself_may_be_a_link(card: ModelCard, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "large disk").mkdir()
    cache.symlink_to(tmp_path / "large disk", target_is_directory=True)
    assert get(card).read_bytes() == ZIP
    freed, stays = store.wipe()
    assert freed > len(ZIP)
    assert stays == {}


# --- as an ordinary user ----------------------------------------------------------------------------------------------

NOBODY = 65534
# Python itself may lie where another user cannot read, so all of it is loaded, and has worked once, before.
AS_NOBODY = """
import contextlib, importlib, io, os, pkgutil, sys, tempfile
import email.utils, html  # the libraries may lie where nobody can read
import napari_webipred
from napari_webipred import cli
for module in pkgutil.walk_packages(napari_webipred.__path__, "napari_webipred."):
    if "._napari" not in module.name:
        importlib.import_module(module.name)
cache = os.environ["NAPARI_WEBIPRED_CACHE"]
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
    os.environ["NAPARI_WEBIPRED_CACHE"] = folder
    assert cli.main(["demo", "-o", f"{folder}/demo.csv"]) == 0
    cli.main(["fetch", "webipred-13"])
    assert cli.main(["remove", "webipred-13"]) == 2
    cli.main(["cache", "--wipe"])
os.environ["NAPARI_WEBIPRED_CACHE"] = cache
print("BEGIN")
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach; those of pytest cannot be."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        for path in Path(folder).rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


@pytest.fixture
def foreign(open_folder: Path, card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a compiled model that belongs to somebody else, or that was made read-only."""
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(open_folder / "cache"))
    wp.open_model("webipred-16")
    return open_folder / "cache"


def as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program without the rights of the administrator."""
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    done.stdout = done.stdout.partition("BEGIN\n")[2]
    return done


def protect(folder: Path, mode: int) -> None:
    """Take permissions away; a folder of this user's stays this user's."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(mode)


@pytest.fixture
def image(open_folder: Path) -> str:
    from PIL import Image

    path = open_folder / "a.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(path)
    path.chmod(0o644)
    return str(path)


def test_a_foreign_cache_that_may_only_be_read_works(foreign: Path, image: str, zenodo: ZenodoServer) -> None:
    protect(foreign, 0o555)
    before = state(foreign)
    zenodo.requests.clear()
    for _ in range(2):
        done = as_nobody("classify", image, "--model", "webipred-16")
        assert done.returncode == 0, done.stderr
        assert "NORMAL" in done.stdout
    assert as_nobody("cache").returncode == 0
    assert not [path for path in zenodo.requests if RECORD in path]
    assert state(foreign) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["remove", "webipred-16"], "cannot be removed: you do not have permission"),
        (["cache", "--wipe"], "cannot be removed: you do not have permission"),
        (["cache", "--limit", "1"], "cannot be removed: you do not have permission"),
        (["fetch", "webipred-12"], "cannot be stored in"),
        (["fetch", "webipred-16", "--replace"], "cannot be stored in"),
    ],
)
def test_what_cannot_be_changed_in_a_foreign_cache_is_told(
    foreign: Path, zenodo: ZenodoServer, arguments: list[str], words: str
) -> None:
    zenodo.publish("7785982", {"m.zip": ZIP})
    protect(foreign, 0o555)
    before = state(foreign)
    done = as_nobody(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert state(foreign) == before


def test_a_bundle_for_a_cache_that_cannot_be_written_is_told(foreign: Path, open_folder: Path) -> None:
    path = open_folder / "m.zip"
    for _ in bundle.write(["webipred-16"], path):
        pass
    path.chmod(0o644)
    store.wipe()
    foreign.mkdir(exist_ok=True)
    foreign.chmod(0o555)
    done = as_nobody("import", str(path))
    assert done.returncode == 2
    assert "cannot be stored in" in done.stderr
    assert "NAPARI_WEBIPRED_CACHE" in done.stderr


@pytest.mark.parametrize("place", ["models/webipred-16", "models", "compiled", ""])
def test_a_folder_that_cannot_be_read_is_told_when_all_is_removed_and_hides_nothing_else(
    foreign: Path, place: str
) -> None:
    os.chown(foreign / place, NOBODY, -1) if os.getuid() == 0 else None
    (foreign / place).chmod(0)
    done = as_nobody("cache")
    assert done.returncode == 0
    done = as_nobody("cache", "--wipe")
    assert done.returncode == 2 or "cannot be read (Permission denied)" in done.stderr
    assert "cache is empty" not in done.stderr


def test_a_model_that_cannot_be_read_is_an_error_in_words(foreign: Path, image: str) -> None:
    (foreign / "models" / "webipred-16" / "files").chmod(0)
    done = as_nobody("classify", image, "--model", "webipred-16")
    assert done.returncode == 2
    assert "cannot be read: you do not have permission" in done.stderr


def test_a_shared_cache_that_cannot_be_read_is_passed_over(
    foreign: Path, open_folder: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_WEBIPRED_SHARED_CACHE", str(foreign))
    own = open_folder / "own"
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(own))
    foreign.chmod(0)
    done = as_nobody("classify", image, "--model", "webipred-16")
    assert done.returncode == 0, done.stderr


# --- clocks -----------------------------------------------------------------------------------------------------------

YEAR = 365 * 24 * 3600


def test_a_use_in_the_future_is_noted_anew(card: ModelCard) -> None:
    path = get(card)
    get(card)
    used = path.parents[1] / "used"
    os.utime(used, (time.time() + YEAR,) * 2)
    (entry,) = store.entries()
    assert entry.used <= time.strftime("%Y-%m-%d", time.gmtime())
    get(card)
    assert used.stat().st_mtime < time.time() + 60


@pytest.mark.parametrize("jump", [-50 * YEAR, 50 * YEAR])
def test_files_of_another_time_are_used_as_they_are(
    card: ModelCard, zenodo: ZenodoServer, cache: Path, jump: float
) -> None:
    wp.open_model("webipred-16")
    before = state(cache)
    zenodo.requests.clear()
    for path in cache.rglob("*"):
        os.utime(path, (max(1.0, time.time() + jump),) * 2)
    assert wp.open_model("webipred-16").output_size == 2
    assert zenodo.requests == []
    assert {name: content for name, (_, content) in state(cache).items() if name != "models/webipred-16/used"} == {
        name: content for name, (_, content) in before.items() if name != "models/webipred-16/used"
    }
    assert store.limit(0) == ["webipred-16"]


def test_a_clock_that_is_wrong_does_not_let_a_server_wait_long(
    card: ModelCard, zenodo: ZenodoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says until when is understood by its own clock."""
    waits: list[float] = []
    monkeypatch.setattr(
        "napari_webipred.download.request_context.sleep", lambda cancelled, seconds: waits.append(seconds)
    )
    dates = {"Date": "Fri, 02 Jan 2099 03:04:05 GMT", "Retry-After": "Fri, 02 Jan 2099 03:04:35 GMT"}
    zenodo.answers[FILE] = [Answer(503, b"", dates), Answer(body=ZIP)]
    assert get(card).read_bytes() == ZIP
    assert len(waits) == 1
    assert 30 <= waits[0] < 40
