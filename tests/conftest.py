from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from napari_webipred.runtime import inference, optimised
from zenodo_server import zenodo  # noqa: F401

# `make test` tries fewer cases, and the same ones each time; pytest by itself tries other ones in each run.
settings.register_profile(
    "quick", derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)


def _leave_out_of_collections() -> None:
    """Let collections of garbage pass over what there is now: mostly modules, which stay and are much to go through."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    _leave_out_of_collections()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def _what_a_file_has_imported_stays() -> Iterator[None]:
    yield
    _leave_out_of_collections()


@pytest.fixture(scope="session", autouse=True)
def _threads_sleep_while_they_wait() -> Iterator[None]:
    """Let threads of ONNX Runtime sleep between two operations, which changes no number.

    By default they spin, which takes the core of the other half of the tests: a third of the time of all that predicts.
    """
    usual = inference.options_for

    def options_for(threads: int) -> Any:
        options = usual(threads)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options

    with pytest.MonkeyPatch.context() as patch:
        for module in (inference, optimised):
            patch.setattr(module, "options_for", options_for)
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's cache and preferences, and from the internet."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "config" / "settings.yaml"))
    monkeypatch.setattr("napari_webipred.settings._preferred", None)
    monkeypatch.setattr("napari_webipred.settings._private_folder", None)
    monkeypatch.setattr("napari_webipred.cache.private_session._session", None)
    monkeypatch.setattr("napari_webipred.optimising._waiting", {})
    monkeypatch.setenv("NAPARI_WEBIPRED_CACHE", str(tmp_path / "cache"))
    for variable in ("NAPARI_WEBIPRED_ZENODO_URL", "HF_ENDPOINT", "NAPARI_WEBIPRED_TEACHABLE_MACHINE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("OFFLINE", "SHARED_CACHE", "CACHE_LIMIT", "CA_FILE", "MEMORY_LIMIT", "PRIVATE"):
        monkeypatch.delenv(f"NAPARI_WEBIPRED_{variable}", raising=False)
    monkeypatch.setattr("napari_webipred.settings._offline", False)
    # Nobody waits for a busy server here.
    monkeypatch.setattr("napari_webipred.download.request_context.sleep", lambda cancelled, seconds: None)


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Real models by other people with TensorFlow.js's own outputs; they are not part of this repository."""
    folder = Path(__file__).parents[2] / "shared" / "models"
    if not folder.is_dir():
        pytest.skip("the shared test models are not on this machine")
    return folder


@pytest.fixture(scope="session")
def shared_oracle() -> Path:
    """Reference results of OpenCV.js; they are not part of this repository."""
    folder = Path(__file__).parents[2] / "shared" / "oracle"
    if not folder.is_dir():
        pytest.skip("the shared reference results are not on this machine")
    return folder
