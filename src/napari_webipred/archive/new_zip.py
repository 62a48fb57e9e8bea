"""Zip archives that are written here: the same files give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_EPOCH = (1980, 1, 1, 0, 0, 0)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Write a zip archive. Weights hardly compress, so that they are stored."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith((".json", ".pb")) else zipfile.ZIP_STORED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, part)
    return content.getvalue()
