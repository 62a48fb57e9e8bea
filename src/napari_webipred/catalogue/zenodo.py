"""What Zenodo knows about a record: its files, its words, and a model card made of both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from html import unescape
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from napari_webipred import settings
from napari_webipred.catalogue import web
from napari_webipred.catalogue.card import Author, Citation, ModelCard, Weights, WeightSource
from napari_webipred.errors import CatalogueError

_CHECKSUM = re.compile(r"(md5|sha1|sha256|sha512):[0-9a-f]+")
_MAX_HTML = 50_000
_BLOCKS = {"p", "br", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"}


@dataclass(frozen=True, slots=True)
class RecordFile:
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


@dataclass(frozen=True, slots=True)
class Record:
    """One version of a Zenodo record; texts are plain, without markup."""

    id: str
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


def record_id(reference: str) -> str | None:
    """Return the number of the record that `reference` names, or None if it names none.

    Understood are the bare number, the DOI (also as ``doi:...`` or a doi.org address) and the addresses of the record's
    page, of its files and of its data, on zenodo.org or the server of the settings.
    """
    text = reference.strip().rstrip(".,;)")
    if re.fullmatch(r"[0-9]{1,12}", text):
        return text
    server = settings.current().zenodo_url
    # The sandbox numbers its records anew, so that its DOIs mean something else.
    prefix, hosts = ("10.5072", []) if "sandbox." in server else ("10.5281", ["zenodo.org", "www.zenodo.org"])
    doi = rf"{re.escape(prefix)}/zenodo\.([0-9]{{1,12}})"
    if match := re.fullmatch(rf"(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)?{doi}", text, re.IGNORECASE):
        return match[1]
    places = "|".join(re.escape(place) for place in [*hosts, server.partition("://")[2]])
    page = rf"(?:https?://)?(?:{places})/(?:(?:api/)?records?/([0-9]{{1,12}})|doi/{doi})(?:[/?#].*)?"
    if match := re.fullmatch(page, text, re.IGNORECASE):
        return match[1] or match[2]
    return None


def file_key(reference: str) -> str | None:
    """Return the name of the file that the address of a record's file points at, or None."""
    if record_id(reference) is None:
        return None
    match = re.search(r"/records?/[0-9]+/files/(.+)", reference.strip().partition("?")[0].partition("#")[0])
    return unquote(match[1].removesuffix("/content")) if match else None


def look_up(record_id: str) -> Record:
    """Ask Zenodo for a record. The number of all versions (concept) leads to the latest one.

    Raises
    ------
    CatalogueError
        There is no such record, it was deleted or is closed, the server cannot be reached or does not answer as Zenodo
        does, or the network is switched off.
    """
    what = f"record {record_id}"
    url = f"{settings.current().zenodo_url}/api/records/{quote(record_id, safe='')}"
    with web.open_url(url, what, accept="application/json") as response:
        return record_of(web.read_json(response, what))


def record_of(answer: Any) -> Record:
    """Understand a record in either of the two JSON shapes that Zenodo speaks."""
    try:
        metadata = answer["metadata"]
        number = str(answer["id"])
        if not re.fullmatch(r"[0-9]{1,12}", number):
            raise ValueError(number)
        files = answer.get("files") or []
        if isinstance(files, dict):
            files = list(files.get("entries", {}).values())
        rights = metadata.get("rights") or [metadata.get("license") or {}]
        pids = answer.get("pids") or {}
        access = answer.get("access") or {}
        return Record(
            id=number,
            doi=_text(answer.get("doi") or pids.get("doi", {}).get("identifier")),
            title=_text(metadata.get("title")) or f"Zenodo record {number}",
            description=_text(metadata.get("description")) or "",
            creators=tuple(_creator(creator) for creator in metadata.get("creators") or []),
            license=_text(rights[0].get("id")),
            version=_text(metadata.get("version")),
            published=_text(metadata.get("publication_date")),
            keywords=tuple(str(word) for word in metadata.get("keywords") or []),
            access=_text(metadata.get("access_right") or access.get("status")) or "open",
            embargo_until=_text(metadata.get("embargo_date") or (access.get("embargo") or {}).get("until")),
            files=tuple(_file(number, entry) for entry in files),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise CatalogueError(
            "The server does not answer as Zenodo does.", "Check NAPARI_WEBIPRED_ZENODO_URL, or update this program."
        ) from error


def _creator(creator: dict[str, Any]) -> str:
    return _text(creator.get("name") or creator["person_or_org"]["name"]) or "Unknown"


def _text(value: Any) -> str | None:
    """Return a field as plain words; None if it is absent, blank or no text."""
    return plain_text(value) or None if isinstance(value, str) else None


def _file(record: str, entry: dict[str, Any]) -> RecordFile:
    key, checksum = str(entry["key"]), str(entry.get("checksum"))
    size = entry.get("size")
    links = entry.get("links") or {}
    server = settings.current().zenodo_url
    url = str(links.get("content") or links.get("self") or "")
    if urlsplit(url).netloc != urlsplit(server).netloc:
        # A mirror hands on the links of the original.
        url = f"{server}/api/records/{record}/files/{quote(key)}/content"
    return RecordFile(
        id=str(entry.get("id") or entry.get("file_id") or ""),
        key=key,
        size=size if isinstance(size, int) and size >= 0 else None,
        checksum=checksum if _CHECKSUM.fullmatch(checksum) else None,
        url=url,
    )


def choose_file(record: Record, card: ModelCard | None = None) -> RecordFile:
    """Choose the TensorFlow.js archive among the files of a record.

    The first of these that fits exactly one file: the file identifier of the card, its file name, a name like
    ``*model_converted*.zip``, any zip.

    Raises
    ------
    CatalogueError
        The files are closed to the public, none is a zip, or several might be meant.
    """
    if not record.files and record.access != "open":
        until = f" until {record.embargo_until}" if record.embargo_until else ""
        raise CatalogueError(
            f"The files of record {record.id} are not public ({record.access}{until}).",
            "Ask its owners for access, download the file in a browser and open it from disk.",
        )
    wanted = [weights.source for weights in card.weights if weights.format == "tfjs-layers"] if card else []
    zips = [file for file in record.files if file.key.lower().endswith(".zip")]
    candidates = [
        [file for file in record.files if any(source.file_id == file.id for source in wanted)],
        [file for file in record.files if any(source.file_key == file.key for source in wanted)],
        [file for file in zips if fnmatch(file.key.lower(), "*model_converted*.zip")],
        zips,
    ]
    for files in candidates:
        if len(files) == 1:
            return files[0]
    names = ", ".join(file.key for file in (zips or record.files)[:10]) or "no files"
    if zips:
        raise CatalogueError(
            f"Record {record.id} has several zip archives: {names}.",
            "Give the address of the one that holds the model.",
        )
    raise CatalogueError(
        f"Record {record.id} has no zip archive with a TensorFlow.js model, but {names}.",
        "Choose a record with a converted model.",
    )


def card_of(record: Record, key: str | None = None) -> ModelCard:
    """Make a model card of what a record says about itself; classes and preprocessing it does not say.

    Parameters
    ----------
    record : Record
        What Zenodo answered.
    key : str, optional
        Name of the file that holds the model, if the user named one.

    Raises
    ------
    CatalogueError
        The record has no file that could be used, or none called `key`.
    """
    name = f"zenodo-{record.id}"
    if key is None:
        file = choose_file(record)
    elif named := [file for file in record.files if file.key == key]:
        file = named[0]
        if len(record.files) > 1:
            name += "-" + re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(key).stem)[:80]
    else:
        raise CatalogueError(f"Record {record.id} has no file {key}.", "Check the address of the file.")
    source = WeightSource(type="zenodo", record_id=record.id, doi=record.doi, file_id=file.id, file_key=file.key)
    return ModelCard(
        id=name,
        name=record.title,
        version=record.version,
        description=record.description,
        weights=(Weights(format="tfjs-layers", source=source, size=file.size, checksum=file.checksum),),
        license=record.license,
        authors=tuple(Author(name=name) for name in record.creators),
        citations=(Citation(text=_citation(record), doi=record.doi),),
        record_doi=record.doi,
        provenance={
            "source": f"Zenodo record {record.id}",
            "published": record.published,
            "keywords": list(record.keywords),
            "assumed": "Nothing is known about classes, input and preprocessing; the record does not say.",
        },
    )


def _citation(record: Record) -> str:
    names = "; ".join(record.creators[:3]) + (" et al." if len(record.creators) > 3 else "")
    year = (record.published or "")[:4]
    return f"{names} ({year}). {record.title}. Zenodo." if names and year else f"{record.title}. Zenodo."


def plain_text(html: str) -> str:
    """Return the words of a piece of HTML, paragraphs on lines of their own, nothing else.

    The standard library's parser takes seconds over some malformed pages, so the tags are cut out by one pass.
    """
    words: list[str] = []
    hidden = ""
    for part in re.split(r"(<[^<>]*>)", html[:_MAX_HTML]):
        if tag := re.match(r"<(/?)([A-Za-z][A-Za-z0-9]*)", part):
            name = tag[2].lower()
            if name in {"script", "style"}:
                hidden = "" if tag[1] else name
            elif not hidden and name in _BLOCKS:
                words.append("\n")
        elif not hidden and not part.startswith("<!"):
            # A line break in the source is a space; only tags break lines.
            words.append(unescape(part).replace("\n", " "))
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(words).split("\n"))
    return "\n".join(line for line in lines if line)
