"""The packages that are installed."""

from __future__ import annotations

from functools import cache


@cache
def version_of(package: str) -> str | None:
    """Return the version of a package, which is looked up once; None if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # takes as long as all else that is imported here

    try:
        return version(package)
    except PackageNotFoundError:
        return None
