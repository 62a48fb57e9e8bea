"""Where models are kept, how much memory and whether the network may be used, and where Zenodo and others are."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

ZENODO_URL = "https://zenodo.org"
HUGGINGFACE_URL = "https://huggingface.co"
TEACHABLE_MACHINE_URL = "https://teachablemachine.withgoogle.com"
PROJECT_URL = "https://github.com/napari-webipred/napari-webipred"

_offline = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of this process.

    Attributes
    ----------
    cache_folder : Path
        Folder of downloaded models and compiled graphs. It need not exist yet.
    shared_cache : Path or None
        Such a folder for many users, which is searched first and never written.
    cache_limit : str
        How large the cache may become, such as ``5GB``; empty for any size.
    memory_limit : str
        How much memory models and images may take, such as ``2GB``; empty for the default.
    offline : bool
        True forbids every use of the network.
    ca_file : Path or None
        Certificates (PEM) that are trusted besides those of the operating system.
    zenodo_url, huggingface_url, teachable_machine_url : str
        Addresses of these servers or of mirrors of them, without a trailing slash.
    """

    cache_folder: Path
    shared_cache: Path | None
    cache_limit: str
    memory_limit: str
    offline: bool
    ca_file: Path | None
    zenodo_url: str
    huggingface_url: str
    teachable_machine_url: str


def current() -> Settings:
    """Read the settings from the environment.

    ``NAPARI_WEBIPRED_CACHE`` and ``NAPARI_WEBIPRED_SHARED_CACHE`` (folders), ``NAPARI_WEBIPRED_CACHE_LIMIT``,
    ``NAPARI_WEBIPRED_MEMORY_LIMIT``, ``NAPARI_WEBIPRED_OFFLINE`` (``1``, ``true``, ``yes`` or ``on``),
    ``NAPARI_WEBIPRED_CA_FILE``, ``NAPARI_WEBIPRED_ZENODO_URL``, ``HF_ENDPOINT`` (which other programs of Hugging Face
    read, too) and ``NAPARI_WEBIPRED_TEACHABLE_MACHINE_URL`` are looked at on every call, so a change counts at once.
    """
    offline = os.environ.get("NAPARI_WEBIPRED_OFFLINE", "").strip().lower()
    return Settings(
        cache_folder=_path("NAPARI_WEBIPRED_CACHE") or default_cache_folder(),
        shared_cache=_path("NAPARI_WEBIPRED_SHARED_CACHE"),
        cache_limit=os.environ.get("NAPARI_WEBIPRED_CACHE_LIMIT", "").strip(),
        memory_limit=os.environ.get("NAPARI_WEBIPRED_MEMORY_LIMIT", "").strip(),
        offline=_offline or offline in {"1", "true", "yes", "on"},
        ca_file=_path("NAPARI_WEBIPRED_CA_FILE"),
        zenodo_url=_address("NAPARI_WEBIPRED_ZENODO_URL", ZENODO_URL),
        huggingface_url=_address("HF_ENDPOINT", HUGGINGFACE_URL),
        teachable_machine_url=_address("NAPARI_WEBIPRED_TEACHABLE_MACHINE_URL", TEACHABLE_MACHINE_URL),
    )


def set_offline(offline: bool) -> None:
    """Forbid this process every use of the network, or allow it again unless the environment forbids it."""
    global _offline
    _offline = offline


def _address(variable: str, default: str) -> str:
    return (os.environ.get(variable, "") or default).rstrip("/")


def _path(variable: str) -> Path | None:
    path = os.environ.get(variable, "")
    return Path(path).expanduser() if path else None


def default_cache_folder() -> Path:
    """Return the folder where this operating system wants caches, for this program."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        return base / "napari-webipred" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "napari-webipred"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "napari-webipred"
