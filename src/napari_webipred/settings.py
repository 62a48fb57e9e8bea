"""Where models are kept, how much memory and whether the network may be used, and where Zenodo and others are.

What an environment variable says counts most, then what the user chose in napari's preferences, then the default.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from msgspec import Struct

from napari_webipred import preferences
from napari_webipred.preferences import Preferences

ZENODO_URL = "https://zenodo.org"
HUGGINGFACE_URL = "https://huggingface.co"
TEACHABLE_MACHINE_URL = "https://teachablemachine.withgoogle.com"
PROJECT_URL = "https://github.com/napari-webipred/napari-webipred"

_TRUE = {"1", "true", "yes", "on"}

_offline = False
_preferred: Preferences | None = None
_private_folder: Path | None = None


class Settings(Struct, frozen=True):
    """The settings of this process.

    Attributes
    ----------
    cache_folder : Path
        Folder of downloaded models and compiled graphs. It need not exist yet. In a private session, the folder of the
        session.
    kept_cache : Path or None
        In a private session the user's cache of before, which is searched and not changed.
    shared_cache : Path or None
        Such a folder for many users, which is searched first and never written.
    cache_limit : str
        How large the cache may become, such as ``5GB``; empty for any size.
    memory_limit : str
        How much memory models may take, and how much images may take, such as ``2GB``; empty for the default.
    offline : bool
        True forbids every use of the network.
    ca_file : Path or None
        Certificates (PEM) that are trusted besides those of the operating system.
    zenodo_url, huggingface_url, teachable_machine_url : str
        Addresses of these servers or of mirrors of them, without a trailing slash.
    private : bool
        True deletes what is kept of models from now on when the program ends.
    preferences : Preferences
        What the user chose in napari's preferences.
    """

    cache_folder: Path
    kept_cache: Path | None
    shared_cache: Path | None
    cache_limit: str
    memory_limit: str
    offline: bool
    ca_file: Path | None
    zenodo_url: str
    huggingface_url: str
    teachable_machine_url: str
    private: bool
    preferences: Preferences

    @property
    def own_caches(self) -> tuple[Path, ...]:
        """The user's own caches, the one that is written first."""
        return (self.cache_folder,) if self.kept_cache is None else (self.cache_folder, self.kept_cache)


def current() -> Settings:
    """Read the settings from the environment and the preferences.

    ``NAPARI_WEBIPRED_CACHE`` and ``NAPARI_WEBIPRED_SHARED_CACHE`` (folders), ``NAPARI_WEBIPRED_CACHE_LIMIT``,
    ``NAPARI_WEBIPRED_MEMORY_LIMIT``, ``NAPARI_WEBIPRED_OFFLINE`` and ``NAPARI_WEBIPRED_PRIVATE`` (``1``, ``true``,
    ``yes`` or ``on``), ``NAPARI_WEBIPRED_CA_FILE``, ``NAPARI_WEBIPRED_ZENODO_URL``, ``HF_ENDPOINT`` (which other
    programs of Hugging Face read, too), ``NAPARI_WEBIPRED_TEACHABLE_MACHINE_URL`` and the file of the preferences are
    looked at on every call, so a change counts at once.
    """
    chosen = preferred()
    folder = _path("NAPARI_WEBIPRED_CACHE") or preferences.folder_of(chosen.cache_folder) or default_cache_folder()
    limit = os.environ.get("NAPARI_WEBIPRED_CACHE_LIMIT", "").strip()
    return Settings(
        cache_folder=_private_folder or folder,
        kept_cache=folder if _private_folder else None,
        shared_cache=_path("NAPARI_WEBIPRED_SHARED_CACHE"),
        cache_limit=limit or (f"{chosen.cache_limit:g}GB" if chosen.cache_limit else ""),
        memory_limit=memory_limit(),
        offline=_offline or _switched_on("NAPARI_WEBIPRED_OFFLINE", chosen.offline),
        ca_file=_path("NAPARI_WEBIPRED_CA_FILE"),
        zenodo_url=_address("NAPARI_WEBIPRED_ZENODO_URL", ZENODO_URL),
        huggingface_url=_address("HF_ENDPOINT", HUGGINGFACE_URL),
        teachable_machine_url=_address("NAPARI_WEBIPRED_TEACHABLE_MACHINE_URL", TEACHABLE_MACHINE_URL),
        private=_switched_on("NAPARI_WEBIPRED_PRIVATE", chosen.private_session),
        preferences=chosen,
    )


def memory_limit() -> str:
    """Read one of the settings alone: each prediction asks for it, and all of them take several times longer."""
    limit, chosen = os.environ.get("NAPARI_WEBIPRED_MEMORY_LIMIT", "").strip(), preferred().memory
    return limit or (f"{chosen:g}GB" if chosen else "")


def preferred() -> Preferences:
    """Read the preferences alone."""
    return preferences.read() if _preferred is None else _preferred


def set_offline(offline: bool) -> None:
    """Forbid this process every use of the network, or allow it again unless environment or preferences forbid it."""
    global _offline
    _offline = offline


def prefer(chosen: Preferences | None) -> None:
    """Let these preferences count in this process instead of those in the file; None lets the file count again."""
    global _preferred
    _preferred = chosen


def use_private(folder: Path | None) -> None:
    """Keep what this process keeps in the folder of a private session; None means in the cache folder again."""
    global _private_folder
    _private_folder = folder


def _switched_on(variable: str, default: bool) -> bool:
    text = os.environ.get(variable, "").strip().lower()
    return text in _TRUE if text else default


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
