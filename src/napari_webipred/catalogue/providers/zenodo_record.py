"""A record of Zenodo, made of what its server answers, which may be anything."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from napari_webipred import settings
from napari_webipred.card import file_size
from napari_webipred.catalogue.plain_text import plain_text
from napari_webipred.errors import CatalogueError

_NUMBER = re.compile(r"[0-9]{1,12}")
_CHECKSUM = re.compile(r"(md5|sha1|sha256|sha512):[0-9a-f]+")


class RecordFile(Struct, frozen=True):
    """One file of a record.

    Attributes
    ----------
    id, key : str
        Zenodo's identifier of the file, and its name, which may hold ``/`` or ``..``.
    size : int or None
        Bytes, as far as the server says.
    checksum : str or None
        ``md5:`` and hexadecimal digits.
    url : str
        Where its content is.
    """

    id: str
    key: str
    size: int | None
    checksum: str | None
    url: str


class Record(Struct, frozen=True):
    """One version of a Zenodo record; texts are plain, without markup. ``concept`` is the number of all versions."""

    id: str
    concept: str | None
    doi: str | None
    title: str
    description: str
    creators: tuple[str, ...]
    license: str | None
    version: str | None
    published: str | None
    keywords: tuple[str, ...]
    access: str
    embargo_until: str | None
    files: tuple[RecordFile, ...]


def record_of(answer: Any) -> Record:
    """Understand a record in either of the two JSON shapes that Zenodo speaks."""
    try:
        metadata = answer["metadata"]
        number = str(answer["id"])
        if not _NUMBER.fullmatch(number):
            raise ValueError(number)
        files = answer.get("files") or []
        if isinstance(files, dict):
            files = list(files.get("entries", {}).values())
        rights = metadata.get("rights") or [metadata.get("license") or {}]
        pids = answer.get("pids") or {}
        access = answer.get("access") or {}
        concept = str(answer.get("conceptrecid") or (answer.get("parent") or {}).get("id"))
        return Record(
            id=number,
            concept=concept if _NUMBER.fullmatch(concept) else None,
            doi=_text(answer.get("doi") or pids.get("doi", {}).get("identifier")),
            title=_text(metadata.get("title")) or f"Zenodo record {number}",
            description=_text(metadata.get("description")) or "",
            creators=tuple(_creator(creator) for creator in metadata.get("creators") or []),
            license=_text(rights[0].get("id")),
            version=_text(metadata.get("version")),
            published=_text(metadata.get("publication_date")),
            keywords=tuple(plain_text(str(word)) for word in metadata.get("keywords") or []),
            access=_text(metadata.get("access_right") or access.get("status")) or "open",
            embargo_until=_text(metadata.get("embargo_date") or (access.get("embargo") or {}).get("until")),
            files=tuple(_file(number, entry) for entry in files),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise CatalogueError(
            "The server does not seem to be Zenodo: its answer is not valid.",
            "Check the address of the Zenodo server, or update napari-webipred.",
            "set server address",
        ) from error


def _creator(creator: dict[str, Any]) -> str:
    return _text(creator.get("name") or creator["person_or_org"]["name"]) or "Unknown"


def _text(value: Any) -> str | None:
    """Return a field as plain words; None if it is absent, blank or no text."""
    return plain_text(value) or None if isinstance(value, str) else None


def _file(record: str, entry: dict[str, Any]) -> RecordFile:
    key, checksum = str(entry["key"]), str(entry.get("checksum"))
    links = entry.get("links") or {}
    server = settings.current().zenodo_url
    url = str(links.get("content") or links.get("self") or "")
    if urlsplit(url).netloc != urlsplit(server).netloc:
        # A mirror hands on the links of the original.
        url = f"{server}/api/records/{record}/files/{quote(key)}/content"
    return RecordFile(
        id=str(entry.get("id") or entry.get("file_id") or ""),
        key=key,
        size=file_size(entry.get("size")),
        checksum=checksum if _CHECKSUM.fullmatch(checksum) else None,
        url=url,
    )
