"""Zenodo: which record a reference means, what is found there, and a model card made of a record."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlencode

from msgspec import Struct

from napari_webipred import formats, settings
from napari_webipred.archive import label_files
from napari_webipred.archive.entry import MAX_SIDE_BYTES
from napari_webipred.card import Author, Citation, ModelCard, Provenance, Weights, WeightSource
from napari_webipred.catalogue import bioimageio, side_files
from napari_webipred.catalogue.plain_text import plain_text as plain_text
from napari_webipred.catalogue.providers.zenodo_record import Record as Record
from napari_webipred.catalogue.providers.zenodo_record import RecordFile as RecordFile
from napari_webipred.catalogue.providers.zenodo_record import record_of as record_of
from napari_webipred.download import client
from napari_webipred.download.remote_file import RemoteFile, format_of, harmless, read_side_file, wanted
from napari_webipred.errors import CatalogueError, OptionError
from napari_webipred.merge import merge
from napari_webipred.names import listed

PAGE_SIZE = 25  # the most that Zenodo gives to those who are not logged in

_MAX_RESULTS = 10_000
_MAX_MODELS = 10
# A zip may hold anything, so its record has to speak of models in a format that can be read here.
_FILE_TYPES = " OR ".join(f"filetype:{each.suffixes[0][1:]}" for each in reversed(formats.FORMATS) if each.suffixes)
_QUERY = (
    f"({{text}}) AND access_right:open AND ({_FILE_TYPES} OR (filetype:zip AND "
    '("tensorflow.js" OR tensorflowjs OR tfjs OR webipred OR aucmedi OR "teachable machine" OR keras OR onnx)))'
)

_log = logging.getLogger(__name__)


class SearchPage(Struct, frozen=True):
    """One page of what Zenodo has found.

    Attributes
    ----------
    total : int
        Records that fit, on all pages.
    page : int
        Number of this page, from 1.
    cards : tuple of ModelCard
        Models of at most 25 records: a record with several files that can be used gives a card for each of them, one
        with more than ten holds data and gives none. ``provenance.published`` is the date of publication.
    """

    total: int
    page: int
    cards: tuple[ModelCard, ...]

    @property
    def pages(self) -> int:
        """How many pages can be asked for."""
        return -(-min(self.total, _MAX_RESULTS) // PAGE_SIZE)


def search(text: str, page: int = 1) -> SearchPage:
    """Look on Zenodo for records with a model that can be used here. One request; nothing is downloaded.

    Parameters
    ----------
    text : str
        Words that must all occur, whatever the case; those between double quotes next to each other.
    page : int
        Number of the page, from 1; a page has up to 25 records.

    Raises
    ------
    OptionError
        There is nothing to look for, or no such page.
    CatalogueError
        Zenodo cannot be reached, refuses, has had too many requests, or the network is switched off.
    """
    query = _QUERY.format(text=_quoted(text))
    if not 1 <= page <= _MAX_RESULTS // PAGE_SIZE:
        raise OptionError(f"There is no page {page}.", f"Give a number from 1 to {_MAX_RESULTS // PAGE_SIZE}.")
    parameters = urlencode({"q": query, "size": PAGE_SIZE, "page": page, "sort": "bestmatch"})
    what = "the results of the search"
    with client.open_url(
        f"{settings.current().zenodo_url}/api/records?{parameters}", what, "application/json"
    ) as answer:
        document = client.read_json(answer, what)
    try:
        hits, total = document["hits"]["hits"], document["hits"]["total"]
        if not isinstance(hits, list) or not isinstance(total, int):
            raise TypeError
    except (TypeError, LookupError) as error:
        raise CatalogueError(
            "The server does not seem to be Zenodo: its answer is not a search result.",
            "Check the address of the Zenodo server, or update napari-webipred.",
            "set server address",
        ) from error
    cards: list[ModelCard] = []
    for hit in hits[:PAGE_SIZE]:
        try:
            record = record_of(hit)
        except CatalogueError:
            _log.info("A record that Zenodo has found is left out, because it is not to be understood.")
            continue
        files = _preferred(record)
        if len(files) <= _MAX_MODELS:
            cards += [card_of(record, file.key) for file in files]
    return SearchPage(max(total, len(hits)), page, tuple(cards))


def _quoted(text: str) -> str:
    """Make a query of a user's words in which nothing but the words counts, none of the signs of the query language."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text.replace("\\", " "))[:300]
    phrases = [(phrase or word).replace('"', " ").strip() for phrase, word in re.findall(r'"([^"]*)"|(\S+)', plain)]
    words = [f'"{phrase}"' for phrase in phrases if any(letter.isalnum() for letter in phrase)]
    if not words:
        raise OptionError("Nothing to search for.", "Enter words, such as: chest x-ray.")
    return " AND ".join(words)


def reference(card: ModelCard) -> str:
    """Return the shortest reference that leads to a card of a search again, whatever else its record holds."""
    source = card.weights[0].source
    if card.id == f"zenodo-{source.record_id}" and source.doi:
        return source.doi
    return file_page(str(source.record_id), source.file_key or "")


def file_page(record: str, key: str) -> str:
    """Return the address under which people find a file of a record."""
    return f"{settings.current().zenodo_url}/records/{record}/files/{quote(key)}"


def parse(reference: str) -> WeightSource | None:
    """Return the record that a reference names, and the file of it if it points at one; None if it names none.

    Understood are the bare number, the DOI (also as ``doi:...`` or a doi.org address) and the addresses of the record's
    page, of its files and of its data, on zenodo.org or the server of the settings.
    """
    number = _record_id(reference.strip().rstrip(".,;)"))
    if number is None:
        return None
    match = re.search(r"/records?/[0-9]+/files/(.+)", reference.strip().partition("?")[0].partition("#")[0])
    return WeightSource(
        type="zenodo", record_id=number, file_key=unquote(match[1].removesuffix("/content")) if match else None
    )


def _record_id(text: str) -> str | None:
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


def matches(source: WeightSource, card: ModelCard, weights: Weights) -> bool:
    """Tell whether a parsed reference leads to the file of a card, by the record or by all its versions."""
    there = weights.source
    # The names of the files in the built-in records are not known for certain, so None fits every archive's name.
    unsure = there.file_key is None and str(source.file_key).lower().endswith(".zip")
    return (
        there.type == "zenodo"
        and source.record_id in {there.record_id, card.provenance.all_versions}
        and (unsure or source.file_key in {None, there.file_key})
    )


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
    with client.open_url(url, what, accept="application/json") as response:
        return record_of(client.read_json(response, what))


def resolve(source: WeightSource) -> ModelCard:
    """Ask Zenodo for the record that a reference names, and make a card of what it says.

    What says something about the model and is small is read: a description for the BioImage Model Zoo (``rdf.yaml``),
    class names, a card (`napari_webipred.archive.label_files.SIDE_FILES`).

    Raises
    ------
    CatalogueError
        See `look_up` and `card_of`.
    """
    record, key = look_up(str(source.record_id)), source.file_key
    small = {
        file.key: RemoteFile(file.url, file.key, file.size, file.checksum)
        for file in record.files
        if file.size is not None and file.size <= MAX_SIDE_BYTES
    }
    document = None
    if name := next((name for name in bioimageio.FILES if name in small), None):
        document = bioimageio.parse(name, read_side_file(small[name]))
        there = {file.key for file in record.files}
        key = key or next((w.name for w in bioimageio.weights(document) if w.name in there), None)
    card = card_of(record, key)
    if document is not None:
        card = merge(card, bioimageio.describe(document))
    return side_files.completed(
        card, {name: read_side_file(small[name]) for name in label_files.SIDE_FILES if name in small}
    )


def files(card: ModelCard, weights: Weights) -> tuple[RemoteFile, ...]:
    """Ask Zenodo for the file of a model as it is now.

    Raises
    ------
    CatalogueError
        The record or the file is not there or not public any more.
    """
    if weights.source.record_id is None:
        return ()
    file = choose_file(look_up(weights.source.record_id), card)
    return (RemoteFile(file.url, harmless(file.key), file.size, weights.checksum or file.checksum),)


def choose_file(record: Record, card: ModelCard | None = None) -> RecordFile:
    """Choose the model among the files of a record.

    Files that can be models are zip archives, ONNX and Keras files, but not weights alone. The first of these that fits
    exactly one file: the file identifier of the card, its file name, a zip with a name like ``*model_converted*.zip``
    (so WebIPred calls them), any file of the card's format, any that can be a model.

    Raises
    ------
    CatalogueError
        The files are closed to the public, none can be a model, or several might be meant.
    """
    if not record.files and record.access != "open":
        until = f" until {record.embargo_until}" if record.embargo_until else ""
        raise CatalogueError(
            f"The files of record {record.id} are not public ({record.access}{until}).",
            "Ask its owners for access, download the file in a browser and open it from disk.",
        )
    weights = wanted(card) if card else None
    usable = _preferred(record)
    candidates = [usable]
    if weights:
        source = weights.source
        candidates = [
            [file for file in record.files if file.id and source.file_id == file.id],
            [file for file in record.files if source.file_key == file.key],
            [file for file in usable if _is_converted(file)],
            [file for file in usable if format_of(file.key) == weights.format],
            usable,
        ]
    for files in candidates:
        if len(files) == 1:
            return files[0]
    if usable:
        raise CatalogueError(
            f"Record {record.id} has several files that may be models: {_names(usable)}.",
            f"Give the URL of one of them, such as {file_page(record.id, usable[0].key)}.",
        )
    raise CatalogueError(
        f"Record {record.id} has no model that can be used here (.zip, {formats.names()}), but {_names(record.files)}.",
        f"Choose a record with a model for {formats.programs()}.",
    )


def _preferred(record: Record) -> list[RecordFile]:
    """Return the files that can be models; only the one for TensorFlow.js if its name says so."""
    usable = [file for file in record.files if PurePosixPath(file.key).name != "model.json" and format_of(file.key)]
    converted = [file for file in usable if _is_converted(file)]
    return converted if len(converted) == 1 else usable


def _is_converted(file: RecordFile) -> bool:
    return fnmatch(file.key.lower(), "*model_converted*.zip")


def _names(files: Sequence[RecordFile]) -> str:
    return listed([file.key for file in files], 10) or "no files"


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
    id, name, files = f"zenodo-{record.id}", record.title, _preferred(record)  # noqa: A001
    if key is None:
        file = choose_file(record)
    elif named := [file for file in record.files if file.key == key]:
        file = named[0]
        if len(record.files) > 1 and files != [file]:
            id += "-" + re.sub(r"[^A-Za-z0-9._-]+", "_", key)[:80]  # noqa: A001
            name += f" ({plain_text(key)})"
    else:
        raise CatalogueError(f"Record {record.id} has no file {key}.", "Check the URL of the file.")
    source = WeightSource(type="zenodo", record_id=record.id, doi=record.doi, file_id=file.id, file_key=file.key)
    weights = Weights(
        format=format_of(file.key) or formats.ZIPPED, source=source, size=file.size, checksum=file.checksum
    )
    return ModelCard(
        id=id,
        name=name,
        version=record.version,
        description=record.description,
        weights=(weights,),
        license=record.license,
        authors=tuple(Author(name=name) for name in record.creators),
        citations=(Citation(text=_citation(record), doi=record.doi),),
        record_doi=record.doi,
        provenance=Provenance(
            source=f"Zenodo record {record.id}",
            published=record.published,
            keywords=record.keywords,
            all_versions=record.concept,
        ),
    )


def _citation(record: Record) -> str:
    names = "; ".join(record.creators[:3]) + (" et al." if len(record.creators) > 3 else "")
    year = (record.published or "")[:4]
    return f"{names} ({year}). {record.title}. Zenodo." if names and year else f"{record.title}. Zenodo."
